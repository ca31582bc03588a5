"""Tables of one's own: reading their cells and columns, and splitting their rows."""
