"""`vaecore data --download`: what is fetched, how far it is, what is asked, and how it is stopped."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_cli import call, refused, said
from tests.data.serving import Files, serving
from vaecore.cli.printing import STOPPED
from vaecore.data import published
from vaecore.data.published import PUBLISHED, Original, Published
from vaecore.lab import downloading

TEXT = b"A sentence.\n" * 20_000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Files]:
    """Two data sets are published: `plain`, and `strict`, whose licence is to be accepted."""
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VAECORE_DATA", raising=False)
    monkeypatch.setattr(published, "SYSTEM", {})
    digest = hashlib.sha256(TEXT).hexdigest()
    with serving() as made:
        for name in list(PUBLISHED):
            monkeypatch.delitem(PUBLISHED, name)
        for name, accept in (("plain", ""), ("strict", "Not for commerce")):
            original = Original(f"{name}.txt", made.address(f"{name}.txt"), len(TEXT), digest)
            monkeypatch.setitem(PUBLISHED, name, Published(name, f"A {name} text", name, (original,), "CC0",
                                                           {f"{name}.txt": digest}, len(TEXT), accept=accept))
            made.files[f"{name}.txt"] = TEXT
        monkeypatch.setattr("vaecore.data.standing.DATASETS", {})
        yield made


def test_a_data_set_is_fetched_and_said_to_be_here(server: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
                                                   ) -> None:
    assert call(["data", "--download", "plain"]) == 0
    place = tmp_path / "cache" / "downloads" / "plain"
    lines = capsys.readouterr().err.splitlines()
    assert (place / "plain.txt").read_bytes() == TEXT
    assert lines[-2:] == ["plain: 0.2 of 0.2 MB", f"A plain text is here, in {place}."]
    assert downloading.reached(tuple(lines[:-1])) == ("0.2 of 0.2 MB", 1.0)
    assert call(["data", "--download", "plain"]) == 0
    assert f"A plain text already is here, in {place}." in capsys.readouterr().err and len(server.asked) == 1


def test_names_that_cannot_be_fetched(server: Files, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, "data", "--download", "nothing")
    assert "'nothing' is no data set" in told and "These can be fetched: plain, strict, or all" in told
    assert not server.asked


def test_a_licence_is_accepted_on_the_command_line(server: Files, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, "data", "--download", "plain,strict")
    assert "Not for commerce" in told and "`vaecore data --download strict --accept-licence`" in told
    assert call(["data", "--download", "strict", "--accept-licence"]) == 0
    assert [name for name, _ in server.asked] == ["plain.txt", "strict.txt"]


def test_all_of_them_are_fetched_after_asking(server: Files, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, "data", "--download", "all")
    assert "Nobody is here to confirm that 1 data set, 0.2 MB, is fetched. Say --yes." in told
    assert not server.asked
    assert call(["data", "--download", "all", "--yes"]) == 0
    told = capsys.readouterr().err
    assert "strict is left out: its licence has to be accepted" in told and "A plain text is here" in told
    assert call(["data", "--download", "all", "--yes", "--accept-licence"]) == 0
    assert [name for name, _ in server.asked] == ["plain.txt", "strict.txt"]


def test_a_download_that_is_stopped_goes_on_from_there(server: Files, tmp_path: Path,
                                                       capsys: pytest.CaptureFixture[str]) -> None:
    """By SIGTERM, as a page stops it."""
    server.slow = 0.01
    part = tmp_path / "cache" / "downloads" / "plain" / "plain.txt.part"

    def stop() -> None:
        end = time.monotonic() + 30
        while time.monotonic() < end and not (part.exists() and part.stat().st_size > 0):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop)
    thread.start()
    assert call(["data", "--download", "plain"]) == STOPPED
    thread.join()
    assert "Stopped. `vaecore data --download plain` goes on from there." in capsys.readouterr().err
    there = part.stat().st_size
    server.slow = 0.0
    assert 0 < there < len(TEXT)
    assert call(["data", "--download", "plain"]) == 0
    assert server.asked[-1] == ("plain.txt", f"bytes={there}-") and not part.exists()


def test_one_that_is_fetched_already_is_waited_for(server: Files, capsys: pytest.CaptureFixture[str]) -> None:
    with downloading.download(PUBLISHED["plain"]).alone():
        assert "The download of A plain text is running already" in refused(capsys, "data", "--download", "plain")
    assert not server.asked


def test_what_stands_where_is_told_in_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
                                           tmp_path: Path) -> None:
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VAECORE_DATA", raising=False)
    found = said(capsys, "data")
    assert found["omniglot"] == {
        "title": "Omniglot", "state": "fetch", "where": "", "bytes": 15_927_098, "licence": "MIT",
        "command": "vaecore data --download omniglot", "said": found["omniglot"]["said"]}
    assert found["omniglot"]["said"].startswith("Omniglot is not on this machine. Fetch it with")
    assert (found["digits"]["state"], found["table"]["state"]) == ("here", "own")
