"""How a claim came out, in a word and a colour: on Claims and on Lecture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pages.shared.queue import Look

if TYPE_CHECKING:
    from vaecore.studies import Result, Study

VERDICTS = {
    "reproduced": Look("Reproduced", ":material/check_circle:", "green"),
    "not reproduced": Look("Not reproduced", ":material/cancel:", "orange"),
    "earlier rule": Look("Earlier rule", ":material/gavel:", "gray"),
    "not run": Look("Not run", ":material/radio_button_unchecked:", "gray"),
}


def verdict(claim: Study, result: Result | None) -> str:
    """The word under which it counts: what an earlier rule said is no verdict."""
    if result is None:
        return "not run"
    return result.verdict if result.by_rule_of(claim) else "earlier rule"
