"""The door to all pages: who has to sign in does so here, and who may not look learns why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared.access import roles
from pages.shared.words import escaped
from vaecore import permission

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

PAGE = "access/page.py"


def pass_or_stop() -> None:
    """Go on for who may look; otherwise offer the sign-in, and end the script."""
    visitor = roles.visitor()
    if visitor.role != "nobody":
        return
    st.title("Latent Lab", anchor=False)
    if not visitor.signed_in:
        st.write("A laboratory for variational autoencoders. Sign in to enter.")
        for name in roles.providers() or [""]:
            st.button(f"Sign in{f' with {escaped(name)}' if name else ''}", key=f"sign-in-{name}", type="primary",
                      icon=":material/login:", on_click=st.login, args=(name,) if name else (),
                      help="The provider that this laboratory trusts asks who you are.")
    else:
        st.warning(f"{escaped(visitor.name)} is signed in, but is on no list of this laboratory. Ask whoever runs it "
                   "to be named under [roles] in .streamlit/secrets.toml.", icon=":material/lock:")
        sign_out()
    st.stop()


def page() -> list[StreamlitPage]:
    """The page of the menu that says what may be done here; none where everything may."""
    visitor = roles.visitor()
    if not visitor.signed_in and not permission.read_only():
        return []
    title = "Read-only" if permission.read_only() else f"{visitor.name} · {visitor.role}"
    return [st.Page(PAGE, title=title, icon=":material/visibility:" if permission.refusal() else ":material/person:",
                    url_path="access", help="What may be done here, and by whom.")]


def sign_out() -> None:
    """The button that ends the visit."""
    st.button("Sign out", key="sign-out", icon=":material/logout:", on_click=st.logout,
              help="Forget who you are, in this browser.")
