"""What the server logs of an address: nothing of what is asked with it."""

from __future__ import annotations

import logging

import pytest

from pages.shared.access.logged import WithoutQuestions, keep_secrets

ACCESS = ("127.0.0.1:1", "GET", "/oauth2callback?code=h1dd3n", "1.1", 302)
STREAM = ("127.0.0.1:1", "/_stcore/stream?token=h1dd3n")
OPENED = '127.0.0.1:1 - "WebSocket /_stcore/stream" [accepted]'


@pytest.mark.parametrize(("name", "said", "arguments", "told"), [
    ("uvicorn.access", '%s - "%s %s HTTP/%s" %d', ACCESS, '127.0.0.1:1 - "GET /oauth2callback HTTP/1.1" 302'),
    ("uvicorn.error", '%s - "WebSocket %s" [accepted]', STREAM, OPENED)])
def test_the_code_of_a_sign_in_is_not_logged(name: str, said: str, arguments: tuple[object, ...], told: str) -> None:
    keep_secrets()
    keep_secrets()  # of two servers in a process each
    logger = logging.getLogger(name)
    assert [type(each) for each in logger.filters] == [WithoutQuestions]
    record = logger.makeRecord(name, logging.INFO, "", 0, said, arguments, None)
    assert logger.filter(record) and record.getMessage() == told
