"""Some of the places at which a disk can fail; `make faults` tries each, once and for good, by four errors."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.faults.acts import ACTS, every_act
from tests.faults.disk import failing
from tests.faults.test_kills import tried
from vaecore.files import DISK, of_disk, trouble, write_json_atomic


@pytest.mark.slow
def test_a_training_on_a_disk_that_fails_resumes_with_the_same_bits(tmp_path: Path) -> None:
    assert "faults 0" in tried("writes", "--store", str(tmp_path / "t"), "--every", "149", "--errors", "ENOSPC", "EIO")


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_every_place_at_which_the_disk_is_asked(tmp_path: Path) -> None:
    assert "faults 0" in tried("writes", "--store", str(tmp_path / "t"), seconds=7_000)


def test_the_disk_fails_where_it_is_told_to(tmp_path: Path) -> None:
    """One write of a file asks it to open, write, flush, sync and rename, and then to sync the folder."""
    with failing(tmp_path) as disk:
        write_json_atomic(tmp_path / "a.json", {"a": 1})
    assert [asked.split()[0] for asked in disk.asked] == ["open", "write", "flush", "fsync", "replace"]
    for at in range(1, 6):
        with failing(tmp_path, at, errno.EIO), pytest.raises(OSError, match="Input/output error"):
            write_json_atomic(tmp_path / "a.json", {"a": 2})
        assert (tmp_path / "a.json").read_text() == '{\n "a": 1\n}\n'
        assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize(("number", "words"), [
    (errno.ENOSPC, "The disk is full: free some space, then press Resume."),
    (errno.EDQUOT, "The quota of the disk is used up: free some space or have it raised, then press Resume."),
    (errno.EROFS, "The disk can only be read: make it writable again, then press Resume."),
    (errno.EIO, "The disk failed (input/output error): check it, or take the store to another, then press Resume.")])
def test_each_failure_of_a_disk_has_words_and_a_way_out(number: int, words: str) -> None:
    error = OSError(number, os.strerror(number), "/store/x")
    assert number in DISK and trouble(error, "press Resume") == words
    try:
        raise RuntimeError("could not be saved") from error
    except RuntimeError as wrapped:
        assert of_disk(wrapped) == number and trouble(wrapped, "press Resume") == words


def test_other_errors_keep_their_words() -> None:
    assert trouble(PermissionError(errno.EACCES, "Permission denied", "/x")) == "Permission denied: /x"
    assert trouble(ValueError("a plain one")) == "a plain one" and of_disk(ValueError("x")) == 0


def test_every_act_on_a_disk_that_fails_is_done_or_is_not(tmp_path: Path) -> None:
    tallies = every_act(tmp_path / "s", ["ENOSPC", "EROFS"], list(ACTS), every=6)
    assert tallies.keys() == ACTS.keys() and all(tally.tries for tally in tallies.values())
    assert [fault for tally in tallies.values() for fault in tally.faults] == []


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_every_place_of_every_act(tmp_path: Path) -> None:
    assert "all: faults 0" in tried("acts", "--store", str(tmp_path / "s"), seconds=3_500)
