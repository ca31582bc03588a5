"""Runs side by side: what differs, their curves, numbers and cost. No torch where it can be."""
