"""Families of clips: predictors of the next frames, with a code or without."""
