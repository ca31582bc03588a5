"""Data of one's own: pictures, a table, a text, clips, several modalities, read from files on this machine."""
