"""What goes wrong with a store and is said to the person who asked for it."""


class StoreError(Exception):
    """A run that is not there, cannot be read or cannot be named so; the message says what to do."""


class NotAllowed(StoreError):
    """A change that is not allowed here; the message says why."""
