"""The sessions of a stack, led together: what each writes into its folder is what it writes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path

from vaecore.training import Control
from vaecore.training.feed import Splits
from vaecore.training.session import Outcome, Session, prepared
from vaecore.training.stacked.engine import Stack, Unstackable

Ended = Callable[[int, Outcome | Exception], None]


def train_stacked(folders: Sequence[Path], controls: Sequence[Control], ended: Ended,
                  aside: Callable[[int], AbstractContextManager[object]] = lambda _: nullcontext()) -> None:
    """Train the runs in `folders` from where each stands, as one stack; where they cannot be one, one by one.

    As soon as one has ended, `ended(place, how)` is told: finished, stopped, or what made it fail, which leaves the
    others as they are. What is printed of one run is printed inside of `aside(place)`.
    """
    _Members(folders, controls, ended, aside).train()


class _Members:
    def __init__(self, folders: Sequence[Path], controls: Sequence[Control], ended: Ended,
                 aside: Callable[[int], AbstractContextManager[object]]) -> None:
        self.folders, self.controls, self.ended, self.aside = folders, controls, ended, aside
        self.known: dict[str, Splits] = {}
        self.sessions: dict[int, Session] = {}  # of those that train, by place
        self.open: dict[int, ExitStack] = {}

    def train(self) -> None:
        try:
            for place in range(len(self.folders)):
                with self._of(place):
                    self._begin(place)
            while len(self.sessions) > 1:
                try:
                    self._stacked()
                except Unstackable as error:
                    cause = " ".join(str(error.__cause__ or "").split())[:200]  # for who develops, in the log alone
                    self._one_by_one(f"{error}{f' ({cause})' * bool(cause)}")
            self._one_by_one("")
        finally:
            for open_files in self.open.values():
                open_files.close()

    def _begin(self, place: int) -> None:
        session = prepared(self.folders[place], self.controls[place], self.known)
        if session is None:
            self._end(place, "stopped")
            return
        self.open[place] = ExitStack()
        self.open[place].enter_context(session.opened())
        self.sessions[place] = session
        self._ask(place)

    def _stacked(self) -> None:
        """Steps of all until so many have ended that a smaller stack is worth making.

        The rows of those that ended stay until then: to the bit nothing changes for the others.
        """
        members = list(self.sessions)
        stack = Stack([self.sessions[place].course for place in members])
        for place in members:
            # Seconds and memory are those of the process that all of them share.
            self.sessions[place].facts["stacked"] = len(members)
            with self.aside(place):
                print(f"stacked: one of {len(members)} models that take their steps at once", flush=True)
        rows = {place: row for row, place in enumerate(members)}
        while 2 * len(self.sessions) > len(members):
            for session in self.sessions.values():
                session.wait()
            stack.update({rows[place]: session.step for place, session in self.sessions.items()})
            for place in list(self.sessions):
                with self._of(place):
                    self.sessions[place].stepped(complete=True)
                    self._ask(place)

    def _one_by_one(self, why: str) -> None:
        waiting = len(self.sessions)
        for place in list(self.sessions):
            self.sessions[place].rest()
            with self._of(place):
                if why:
                    print(f"trained one by one, {waiting} in a row: {why}", flush=True)
        for place in list(self.sessions):
            with self._of(place):
                self.sessions[place].take_up()
                while place in self.sessions:
                    self.sessions[place].wait()
                    self.sessions[place].stepped(complete=self.sessions[place].course.advance(
                        self.sessions[place].step))
                    self._ask(place)

    def _ask(self, place: int) -> None:
        """End a member whose time has come."""
        session = self.sessions[place]
        if (outcome := session.due()) is not None:
            session.closed(outcome)
            self._end(place, outcome)

    def _end(self, place: int, how: Outcome | Exception) -> None:
        self.sessions.pop(place, None)
        if place in self.open:
            self.open.pop(place).close()
        self.ended(place, how)

    @contextmanager
    def _of(self, place: int) -> Iterator[None]:
        """What concerns one member; what goes wrong there ends that member alone."""
        with self.aside(place):
            try:
                yield
            except Exception as error:
                self._end(place, error)
