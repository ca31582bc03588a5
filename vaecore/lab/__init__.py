"""The lab: trainings in the background, one after the other. What they are doing is read from facts on disk."""

from vaecore.lab.control import Control
from vaecore.lab.jobs import kick, remove, require_place, stop, submit, submit_new, submit_together, wait
from vaecore.lab.locks import LabError, training_lock
from vaecore.lab.logs import Log, log
from vaecore.lab.state import LIVE, State, Status, Waits, busy, in_line, queue, status
from vaecore.lab.waiting import why_it_waits
from vaecore.lab.where import Here, Slurm

__all__ = [
    "LIVE",
    "Control",
    "Here",
    "LabError",
    "Log",
    "Slurm",
    "State",
    "Status",
    "Waits",
    "busy",
    "in_line",
    "kick",
    "log",
    "queue",
    "remove",
    "require_place",
    "status",
    "stop",
    "submit",
    "submit_new",
    "submit_together",
    "training_lock",
    "wait",
    "why_it_waits",
]
