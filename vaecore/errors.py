"""What goes wrong and is said to the person who asked for it, without torch."""

import re

ADDRESS = re.compile(r"(\w[\w+.-]*://)([^\s/'\"]*@)?([^\s?#'\"]*)[^\s'\"]*")
# How it is put, in small letters, where memory cannot be had: by torch, by C++, by libraries of kernels.
SHORT = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory", "bad_alloc",
         "alloc_failed")


class StoreError(Exception):
    """A run that is not there, cannot be read or cannot be named so; the message says what to do."""


class NotAllowed(StoreError):
    """A change that is not allowed here; the message says why."""


class OutOfMemory(Exception):
    """A training step for which there was no memory; the message says which batch would fit.

    `suggested` are the settings of a fork that would fit, as "training.batch_size=64"; none where none is known.
    """

    def __init__(self, message: str, suggested: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.suggested = suggested


def short_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be had, on a device or in the machine."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or any(each in words for each in SHORT)


def keyless(text: str) -> str:
    """The text, its addresses without what opens them: user and password, and what follows the question mark.

    So it may stand in a log: a server leads to addresses that hold a signature, and a proxy's may hold a password.
    """
    return ADDRESS.sub(r"\1\3", text)
