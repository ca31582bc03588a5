"""What the hand holds, told to a part of the page that the server draws: once the hand has come to rest.

It shows nothing. Mounted in a fragment, that fragment runs again; where no part of the page asks, nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping

from pages.components import serve


def heard(run: str, parameters: Mapping[str, str], known: Mapping[str, str], *, key: str) -> None:
    """Listen to the code of a run; it comes as `code`, by parameter of the address, into the session under `key`.

    `parameters` names the parameter of each latent, `known` has what the page knows already: that is not sent again.
    """
    serve.component("heard")(key=key, data={"run": run, "parameters": dict(parameters), "known": dict(known)},
                             on_code_change=lambda: None)
