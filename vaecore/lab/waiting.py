"""Why a run waits, in words: what trains now, whose turn comes first, and what SLURM says."""

from __future__ import annotations

from pathlib import Path

from vaecore import permission
from vaecore.lab.state import Status, busy, place, slots
from vaecore.store import Store


def why_it_waits(folder: Path, now: Status) -> str:
    """Why a run that stands so waits, and where it can be helped what to do; empty of one that does not wait."""
    if now.state != "queued" or now.position is None:
        return now.detail if now.state == "queued" else ""
    root = place(folder)[0]
    store, most = Store(root), slots(root)
    training = [run.title for run in store.runs() if busy(run.path)]
    before = now.position - 1
    turn = f"{before} other{'s' * (before > 1)} come{'s' * (before == 1)} first" if before else "its turn is next"
    if len(training) < most:
        if refused := permission.refusal():
            return f"{now.detail} Nothing is started from here. {refused}"
        if store.listed_as:
            return f"{now.detail} It starts once the laboratory it belongs to is open."
        return f"{now.detail} A place is free; {turn if before else 'it starts in a moment'}."
    named = " and ".join(training) if len(training) <= 2 else f"{training[0]} and {len(training) - 1} others"
    return (f"{now.detail} {named} train{'s' * (len(training) == 1)} now, and {most if most > 1 else 'one'} "
            f"train{'s' * (most == 1)} at a time; {turn}.")
