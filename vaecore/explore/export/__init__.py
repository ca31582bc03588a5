"""What leaves the laboratory: networks as small graphs that a browser runs."""
