"""A collapse to be watched: water that rises over the variances of the data, and what a model codes of them.

A page calls `water(survival, key=...)` again and again while the run trains. The browser moves evenly between the
evaluations that it has, a moment behind the newest, and plays a run that has ended at the pace it was trained at.
Nothing is ever sent back. The drawing is in `water.js`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pages.components.serve import component
from vaecore import packing
from vaecore.evaluate.meaning import ACTIVE

if TYPE_CHECKING:
    from vaecore.studies.exhibit import Survival


def water(found: Survival, *, key: str) -> None:
    """Draw it; call again with the same `key` and more evaluations to go on in place."""
    component("water")(key=key, data=pack(found))


def pack(found: Survival) -> bytes:
    """`u32 header length | JSON header | float32 values`, little-endian, aligned.

    The values are of the plan steps (S,), level (S,) and KL (S, r), of the run steps (E,), active (E,) and KL (E, r).
    """
    header = {"run": found.run, "live": found.live, "counted": ACTIVE, "seconds": found.seconds, "total": found.total,
              "variances": list(found.variances), "planned": len(found.plan_steps), "evaluations": len(found.steps)}
    return packing.packed(header, found.plan_steps, found.level, found.plan, found.steps, found.active, found.kl)
