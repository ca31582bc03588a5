"""JSON from anywhere: what is read can be shown, written and counted with; all else is an error in words."""

from __future__ import annotations

import hashlib
import json
import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from pages.shared import cards
from tests.pages.hostile import BROKEN
from vaecore import lab
from vaecore.evaluate import points
from vaecore.evaluate.points import NAME
from vaecore.explore.opening import read_examples
from vaecore.files import DEEPEST, BrokenFile, digest, parsed_json, prune, read_json, read_kept, written_into
from vaecore.lab.attempts import why_stopped
from vaecore.store import EXAMPLES, Metrics, Run
from vaecore.sweeps.objective import Curves
from vaecore.training.checkpoints import INITIAL, WEIGHTS, BrokenCheckpoint, load_model, modalities_in, step_of


@pytest.mark.parametrize("name", sorted(BROKEN.keys() - {"list"}))
def test_json_that_no_reader_could_hold_is_refused_in_words(tmp_path: Path, name: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(BROKEN[name].encode("utf-8", "surrogateescape"))
    with pytest.raises(BrokenFile, match=r"^config\.json (is|holds) .{8,}\.$"):
        read_json(path)


@pytest.mark.parametrize("value", ["\U0001f600", {"\U0001f600": ["ä"]}, 2**63 - 1, -2**63, [1e300, None, True], {},
                                   {"a": [{"b": []}]}])
@pytest.mark.parametrize("ascii", [True, False])
def test_what_json_can_say_is_read_as_it_is(value: Any, ascii: bool) -> None:
    assert parsed_json(json.dumps(value, ensure_ascii=ascii).encode(), "x") == value


@pytest.mark.parametrize("number", [2**63, -2**63 - 1, 10**300])
def test_whole_numbers_of_more_than_64_bits_are_floats(number: int) -> None:
    found = parsed_json(str(number), "x")
    assert isinstance(found, float) and found == float(number)


def test_whole_numbers_end_where_floats_end() -> None:
    with pytest.raises(BrokenFile, match="whole number of 401 digits"):
        parsed_json(str(10**400), "x")


def test_depth_ends_where_it_is_said_to() -> None:
    parsed_json("[" * DEEPEST + "]" * DEEPEST, "x")
    with pytest.raises(BrokenFile, match="levels deep"):
        parsed_json("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "x")


def test_mutated_json_is_read_or_refused() -> None:
    """What is read can be written as UTF-8 and counted with."""
    source = json.dumps({"step": 12, "test": {"elbo": -87.5, "kl": {"z": [0.1, 2.5]}}, "name": "\ud83d\ude00",
                         "n": None})
    pieces = ["\\ud800", "\\udc00", "9" * 500, "[" * 80, '"', "\\", "{", "1e999", "\x00", "\x80", "NaN", "-", "\ud800"]
    draw, read = random.Random(0), 0
    for _ in range(4_000):
        text = source
        for _ in range(draw.randint(1, 3)):
            at = draw.randrange(len(text))
            text = text[:at] + draw.choice(pieces) + text[at + draw.randint(0, 4):]
        data = text.encode("utf-8", "surrogatepass")
        try:
            value = parsed_json(data, "x")
        except BrokenFile:
            continue
        read += 1
        json.dumps(value, ensure_ascii=False).encode()
        float(value["step"]) if isinstance(value, dict) and isinstance(value.get("step"), int) else None
    assert read > 100


def test_a_pipe_in_the_place_of_a_json_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "data.json")
    with pytest.raises(BrokenFile, match=r"data\.json is a device or a pipe"):
        read_json(tmp_path / "data.json")


def test_what_grows_is_written_into_a_file_alone(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("own")
    (tmp_path / "link").symlink_to(tmp_path / "own")
    os.mkfifo(tmp_path / "pipe")
    for name, why in (("link", "A link"), ("pipe", "No such device or address")):
        with pytest.raises(OSError, match=why):
            written_into(tmp_path / name)
    for line in (b"a", b"b"):
        descriptor = written_into(tmp_path / "log")
        os.write(descriptor, line)
        os.close(descriptor)
    assert (tmp_path / "log").read_bytes() == b"ab" and (tmp_path / "own").read_text() == "own"


def test_no_reader_of_a_run_waits_for_a_pipe(tmp_path: Path) -> None:
    """Whatever stands in a run's folder in the place of a file: a page that waited for it would wait for ever."""
    folder = tmp_path / "runs" / "run"
    folder.mkdir(parents=True)
    for name in ("metrics.jsonl", "lock", "log.txt", "stop", "preview.png", "preview.txt", NAME, WEIGHTS, INITIAL,
                 EXAMPLES):
        os.mkfifo(folder / name)
    run = Run(folder)

    def look() -> None:
        assert not Metrics(folder / "metrics.jsonl").update() and not lab.busy(folder)
        assert not lab.log(folder).lines and not why_stopped(folder) and not points.read(folder / NAME)
        assert not Curves().of(run) and cards.preview(run) is None and not cards.written(run)

        assert not run.class_names()
        for opens in (lambda: load_model(folder / WEIGHTS), lambda: modalities_in(folder), lambda: step_of(
                folder / INITIAL), lambda: read_examples(run, lambda _: None)):
            with pytest.raises(BrokenCheckpoint, match="a device or a pipe"):
                opens()

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(20)
    assert not looking.is_alive(), "it waits"


def test_of_kept_files_those_go_that_nobody_asked_for_longest(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.kept" for name in "abc"]
    for age, path in enumerate(paths):
        path.write_bytes(bytes(10))
        os.utime(path, (1_000 - age, 1_000 - age))  # c is the oldest
    (tmp_path / "other").write_bytes(bytes(100))
    assert read_kept(paths[2]) == bytes(10) and read_kept(tmp_path / "gone") is None
    prune(tmp_path, "*.kept", 25)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.kept", "c.kept", "other"]
    prune(tmp_path, "*.kept", 9)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_what_cannot_be_noted_as_asked_for_is_read_all_the_same(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    (tmp_path / "kept").write_bytes(b"it")
    monkeypatch.setattr(os, "utime", refuse)  # as a read-only disk does
    assert read_kept(tmp_path / "kept") == b"it"


def test_the_digest_of_a_file_is_that_of_what_it_holds_now(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    assert digest(path) == digest(path) == hashlib.sha256(b"one").hexdigest()
    path.write_bytes(b"other")
    assert digest(path) == hashlib.sha256(b"other").hexdigest()
    path.unlink()
    with pytest.raises(OSError):
        digest(path)
