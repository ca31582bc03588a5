"""Families of one modality: linear ones, autoencoders, VAEs, and models without a code."""
