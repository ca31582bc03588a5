"""Families of several modalities, with one shared code or with private ones besides."""
