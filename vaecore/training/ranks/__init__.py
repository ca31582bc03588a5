"""Data-parallel training: processes that share every batch, whose curve is that of one process."""
