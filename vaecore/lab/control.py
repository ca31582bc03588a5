"""What a trainer and the lab tell each other: "please stop" one way, how far it is the other way. No torch here."""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from vaecore.files import BrokenFile, read_json, write_json_atomic
from vaecore.lab.locks import LabError

if TYPE_CHECKING:
    from vaecore.data.converted import Progress


class Control:
    """Handed to `train`: ask `stop_requested` at each step, tell `progress` at each step. Both cost microseconds."""

    def __init__(self, folder: Path) -> None:
        self._request = folder / "stop"
        self._asked = self._signal = False
        self._look_again = self._own_again = 0.0
        self._launch = folder / "launch.json"
        self.attempt, self.superseded = 0, False  # which attempt this is, once it is known; whether it is the last
        self.step, self.total, self.epoch = 0, 0, 0.0
        self.doing = ""  # what comes before the first step, in words
        self.changed = ""  # with which other settings than before a resumed run goes on, in words
        self.told = False  # progress was called: until then the numbers are those of the attempt before

    def stop_requested(self) -> bool:
        """Whether the training is to save and stop.

        Raises `LabError` where another attempt was opened meanwhile, so that it must not save.
        """
        now = time.monotonic()
        if self.attempt and now >= self._own_again:
            self._own_again = now + 1.0
            with contextlib.suppress(BrokenFile, TypeError, KeyError, ValueError):
                newest = int((read_json(self._launch, limit=10_000) or {})["attempt"])
                self.superseded = newest > self.attempt
        if self.superseded:
            raise LabError("Another process has taken this run up meanwhile, as this one gave no sign of life.")
        if not self._asked and now >= self._look_again:
            self._look_again = now + 0.05
            self._asked = self._request.exists()
        return self._asked

    @property
    def signalled(self) -> bool:
        """Whether a signal stops it, as a cluster sends one, and nobody's request."""
        return self._signal and not self._request.exists()

    def progress(self, step: int, total: int, epoch: float) -> None:
        self.step, self.total, self.epoch, self.told, self.doing = step, total, epoch, True, ""

    def preparing(self, progress: Progress) -> None:
        """Told while data are converted; raises `Stopped` where a stop was asked for."""
        from vaecore.data.converted import Stopped

        self.doing = f"{str(progress)[:1].upper()}{str(progress)[1:]}."
        if self.stop_requested():
            raise Stopped

    def obey_signals(self, *others: Control, insist: bool = False) -> dict[int, Any]:
        """Let an interrupt, a log-out or a cluster's preemption take the path of the stop file, here and of `others`.

        Returns the handlers there were before. With `insist`, who interrupts by hand again ends it at once.
        """

        def ask(number: int, _frame: FrameType | None) -> None:
            if insist and self._asked and number == signal.SIGINT:
                raise KeyboardInterrupt
            for control in (self, *others):
                control._asked = control._signal = True

        return {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)}


class Heartbeat:
    """Writes heartbeat.json: at once with `beat`, then every second on a thread between `start` and `stop`."""

    def __init__(self, folder: Path, attempt: int, control: Control) -> None:
        self._path, self._attempt, self._control = folder / "heartbeat.json", attempt, control
        self._seen: collections.deque[tuple[float, int]] = collections.deque(maxlen=11)  # ten seconds
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        control.attempt = attempt
        with contextlib.suppress(BrokenFile, TypeError, KeyError, ValueError, OverflowError):
            before = read_json(self._path, limit=10_000) or {}  # so that a resumed run does not show 0 at first
            control.step, control.total = int(before["step"]), int(before["total"])
            control.epoch = float(before["epoch"])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        self.beat()  # where it ended

    def beat(self) -> None:
        control, rate = self._control, None
        if control.superseded:
            return
        if control.told:
            self._seen.append((time.monotonic(), control.step))
            (start, first), (end, last) = self._seen[0], self._seen[-1]
            rate = (last - first) / (end - start) if end - start > 0.2 else None
        facts = {
            "time": time.time(),
            "attempt": self._attempt,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "step": control.step,
            "total": control.total,
            "epoch": control.epoch,
            "rate": rate,
            "doing": control.doing,
            "changed": control.changed,
        }
        with contextlib.suppress(OSError, ValueError):  # a full disk must not end the heartbeat
            write_json_atomic(self._path, facts)

    def _run(self) -> None:
        while not self._end.wait(1.0):
            self.beat()


class Heartbeats:
    """The heartbeats of several runs in one process, on one thread."""

    def __init__(self, hearts: Sequence[Heartbeat]) -> None:
        self._hearts = list(hearts)
        self._lock, self._end = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeats", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, heart: Heartbeat) -> None:
        """The last beat of one run: none comes after it, as another process may open its next attempt."""
        with self._lock:
            self._hearts.remove(heart)
        heart.beat()

    def end(self) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(1.0):
            for heart in list(self._hearts):
                with self._lock:
                    if heart in self._hearts:
                        heart.beat()
