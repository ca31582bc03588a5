"""vaecore: the generative models of one lecture, trained, stored, explored. No interface in here."""

__version__ = "0.1.0"
