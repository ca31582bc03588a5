"""What the server's log says of a request: its address without what follows the question mark.

There stand the codes with which a provider sends back whoever signs in, and what a visitor has typed.
"""

from __future__ import annotations

import logging


class WithoutQuestions(logging.Filter):
    """Takes what is asked from the addresses in a record; it lets every record through."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is logged: always."""
        if isinstance(record.args, tuple):
            record.args = tuple(arg.partition("?")[0] if isinstance(arg, str) and arg.startswith("/") else arg
                                for arg in record.args)
        return True


def keep_secrets() -> None:
    """Let both of the server's logs say addresses so."""
    for name in ("uvicorn.access", "uvicorn.error"):  # the latter of websockets
        logger = logging.getLogger(name)
        if not any(isinstance(each, WithoutQuestions) for each in logger.filters):
            logger.addFilter(WithoutQuestions())
