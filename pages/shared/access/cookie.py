"""The identity that Streamlit has put into a signed cookie, read from a request.

Streamlit reads it for the visitor of a script alone and has no public way to do it for a route. So this file, and no
other, asks its own modules; `tests/browser/test_access.py` signs in for real, and would tell of a change there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from streamlit.auth_util import get_cookie_with_chunks, get_origin_from_redirect_uri
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

if TYPE_CHECKING:
    from starlette.requests import Request


def claims(request: Request) -> Mapping[str, Any]:
    """The claims of whoever asks; none without a cookie that this server has signed, for this address, in its time."""
    def read(name: str) -> bytes | None:
        value = request.cookies.get(name)
        return None if value is None else decode_signed_value(get_cookie_secret(), name, value.encode("latin-1"))

    try:
        found = json.loads(get_cookie_with_chunks(read, USER_COOKIE_NAME) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("origin") == get_origin_from_redirect_uri() else {}
