"""A log is read with a bound, searched, and shown as text whatever stands in it."""

from __future__ import annotations

import os
from pathlib import Path

from vaecore import lab
from vaecore.lab import logs


def test_a_log_of_any_length_is_read_with_a_bound(tmp_path: Path) -> None:
    assert lab.log(tmp_path) == lab.Log() and logs.taken(tmp_path) == b""
    with (tmp_path / "log.txt").open("wb") as log:
        log.truncate(3_000_000_000)  # sparse: reading all of it would show
        log.seek(0, os.SEEK_END)
        log.write(b"\xff one\n10%\r20%\r30%\r\nlast\n")
    assert str(lab.log(tmp_path, lines=2)) == "30%\nlast"
    last = lab.log(tmp_path)
    assert last.read == logs.TAIL and len(str(last)) < 3_000
    assert last.told == "its last 65.5 kB of 3.0 GB"
    assert (lab.log(tmp_path, find="LAST").lines, lab.log(tmp_path, find="LAST").read) == (("last",), logs.SEARCHED)
    assert len(logs.taken(tmp_path)) == logs.TAKEN


def test_only_lines_that_hold_what_is_sought_are_found(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("".join(f"step {step}\n" for step in range(100)) + "Warning: 7\n" + "x" * 5000)
    found = lab.log(tmp_path, lines=3, find="step 1")
    assert (found.lines, found.found) == (("step 17", "step 18", "step 19"), 11)
    assert found.told == "the last 3 of 11 lines"
    assert lab.log(tmp_path, find="warning").lines == ("Warning: 7",)
    assert lab.log(tmp_path, find="nothing").lines == ()
    assert str(lab.log(tmp_path, lines=1)) == "x" * 2000 + " … (3,000 more)"


def test_what_would_act_is_shown_as_text(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(b"\x1b[31mred\x1b[0m \x1b]0;title\x07 \xe2\x80\xaeturned <script>\n")
    assert str(lab.log(tmp_path)) == "red \ufffd]0;title\ufffd \ufffdturned <script>"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "log.txt").unlink()
    (tmp_path / "log.txt").symlink_to(tmp_path / "pipe")
    assert lab.log(tmp_path) == lab.Log(), "a pipe is not waited for"
