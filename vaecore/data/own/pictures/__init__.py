"""Pictures of one's own: reading them from files and arrays, and bringing them to one size."""
