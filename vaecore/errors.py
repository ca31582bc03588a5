"""What goes wrong and is said to the person who asked for it, without torch."""

# How it is put, in small letters, where memory cannot be had: by torch, by C++, by libraries of kernels.
SHORT = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory", "bad_alloc",
         "alloc_failed")


class StoreError(Exception):
    """A run that is not there, cannot be read or cannot be named so; the message says what to do."""


class NotAllowed(StoreError):
    """A change that is not allowed here; the message says why."""


class OutOfMemory(Exception):
    """A training step for which there was no memory; the message says which batch would fit."""


def short_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be had, on a device or in the machine."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or any(each in words for each in SHORT)
