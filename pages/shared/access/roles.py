"""Who a visitor is, and what they may: from the sign-in of Streamlit's OIDC and the lists in `.streamlit/secrets.toml`.

    [auth]                          # as Streamlit's documentation says; where it stands, everybody signs in
    [roles]
    member = ["ada@lab.org"]        # may train, remove, upload, rename
    viewer = ["*@lab.org"]          # may look
    claim = "email"                 # what of the identity is compared

Who is on neither list may not even look. An e-mail address counts only where the provider says that it has verified it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import streamlit as st

from pages.shared.access import cookie
from vaecore import permission

if TYPE_CHECKING:
    from starlette.requests import Request

Role = Literal["member", "viewer", "nobody"]
SIGNED_IN = "is_logged_in"  # Streamlit's claim
LOOKS = "You are signed in to look. Ask whoever runs this laboratory for the role member."


@dataclass(frozen=True)
class Visitor:
    """Who looks at a page."""

    role: Role
    name: str = ""  # as they are greeted
    signed_in: bool = False


def sign_in() -> bool:
    """Whether visitors have to sign in: `[auth]` stands in the secrets."""
    return "auth" in _secrets()


def providers() -> list[str]:
    """The names of the ways to sign in; empty where there is only one, without a name."""
    return [name for name, value in _secrets()["auth"].items() if isinstance(value, Mapping) and "client_id" in value]


def own_name() -> str:
    """The name of this server to which a provider sends back whoever has signed in; empty where nobody signs in."""
    return (urlsplit(str(_secrets()["auth"].get("redirect_uri", ""))).hostname or "") if sign_in() else ""


def visitor() -> Visitor:
    """Whoever the script runs for; a member where nobody has to sign in, or no script runs."""
    if not sign_in() or SIGNED_IN not in st.user:  # which no visitor of a script is without
        return Visitor("member")
    return known(st.user)


def of_request(request: Request) -> Visitor:
    """Whoever asks for an address, by the signed cookie that Streamlit has given them."""
    return known(cookie.claims(request)) if sign_in() else Visitor("member")


def known(claims: Mapping[str, Any]) -> Visitor:
    """The visitor with these claims of an identity token."""
    if claims.get(SIGNED_IN) is not True:
        return Visitor("nobody")
    lists = _secrets().get("roles", {})
    claim = lists.get("claim", "email")
    value = claims.get(claim)
    name = next((told for told in (claims.get("name"), value) if isinstance(told, str) and told), "somebody")[:80]
    if not isinstance(value, str) or (claim == "email" and claims.get("email_verified") not in (True, "true")):
        return Visitor("nobody", name, True)
    roles: tuple[Role, ...] = ("member", "viewer")
    for role in roles:
        if any(_fits(value, pattern) for pattern in _patterns(lists.get(role))):
            return Visitor(role, name, True)
    return Visitor("nobody", name, True)


def refusal() -> str:
    """Why the visitor may change nothing; empty where they may."""
    return "" if visitor().role == "member" else LOOKS


def _patterns(given: object) -> list[object]:
    """The list of a role; one pattern may stand without brackets, and is not read letter by letter."""
    return [given] if isinstance(given, str) else given if isinstance(given, list) else []


def _fits(value: str, pattern: object) -> bool:
    """Whether the pattern is the value, or `*` with what it ends with; no other character is special."""
    if not isinstance(pattern, str):
        return False
    value, pattern = value.casefold(), pattern.casefold()
    return value.endswith(pattern[1:]) if pattern.startswith("*") else value == pattern


def _secrets() -> Mapping[str, Any]:
    """The secrets; none where there is no file. A file that cannot be read is an error, and never an open door."""
    return st.secrets if st.secrets.load_if_toml_exists() else {}


permission.told_by(refusal)
