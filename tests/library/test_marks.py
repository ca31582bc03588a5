"""Names, tags, notes, pins and archiving: kept whole, whoever else writes, and nothing hostile is taken."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import pytest

from tests.library.made import made
from vaecore.errors import StoreError
from vaecore.library import marks, record, records
from vaecore.marks import LONGEST_NOTE, LONGEST_TITLE, MOST_TAGS, read
from vaecore.store import Run, Store


def test_a_run_is_called_otherwise_and_keeps_its_id(store: Store) -> None:
    run = made(store, "one")
    assert run.title == "one"
    assert marks.rename(run, "  Mein  bestes β-VAE 🎉 ").fine
    assert (Run(run.path).title, run.id, store.find("one")) == ("Mein bestes β-VAE 🎉", "one", run)
    marks.rename(run, "")
    assert run.title == "one" and not run.marks_file.exists()  # nothing is left where nothing is said


def test_marks_of_many_at_once(store: Store) -> None:
    runs = [made(store, name) for name in ("a", "b", "c")]
    assert all(done.fine for done in marks.tag(runs, add=["paper", "β/1"]))
    marks.tag(runs[:1], add=["x", "paper"], remove=["β/1"])
    marks.note(runs[1:], "two\nlines")
    marks.pin(runs[:2])
    marks.archive(runs[2:])
    marks.pin(runs[:1], pinned=False)
    found = {each.id: each for each in records(store)}
    assert found["a"].tags == ("paper", "x") and found["b"].tags == ("paper", "β/1")
    assert [found[name].note for name in "abc"] == ["", "two\nlines", "two\nlines"]
    assert [found[name].pinned for name in "abc"] == [False, True, False]
    assert [found[name].archived for name in "abc"] == [False, False, True]


def test_a_run_that_is_gone_costs_itself(store: Store) -> None:
    runs = [made(store, "a"), Run(store.root / "runs" / "gone"), made(store, "b")]
    told = marks.tag(runs, add=["x"])
    assert [done.fine for done in told] == [True, False, True] and "no run 'gone'" in told[1].problem
    assert not (store.root / "runs" / "gone").exists()


def test_shipped_runs_are_marked_in_the_store_and_never_in_their_folder(store: Store) -> None:
    run = made(store, "one")
    shipped = store.root / "gallery" / "vae"
    shipped.parent.mkdir()
    run.path.rename(shipped)
    before = sorted(path.name for path in shipped.iterdir())
    found = store.find("gallery/vae")
    assert marks.rename(found, "The first").fine and marks.tag([found], add=["x"])[0].fine
    assert sorted(path.name for path in shipped.iterdir()) == before
    assert json.loads((store.root / "marks" / "gallery" / "vae.json").read_text()) == {"title": "The first",
                                                                                        "tags": ["x"]}
    [one] = records(store)
    assert (one.id, one.title, one.tags, one.place) == ("gallery/vae", "The first", ("x",), "gallery")


def test_runs_of_a_shared_store_are_marked_in_ones_own(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                       ) -> None:
    made(Store(tmp_path / "theirs"), "one")
    store.root.mkdir()
    monkeypatch.setenv("VAECORE_STORE", str(store.root))
    monkeypatch.setenv("VAECORE_SHARED", f"team={tmp_path / 'theirs'}")
    [one] = records(store)
    assert (one.id, one.place) == ("team/one", "team")
    assert marks.tag([one.run], add=["mine"])[0].fine
    assert record(one.run).tags == ("mine",) and not (tmp_path / "theirs" / "runs" / "one" / "marks.json").exists()
    assert (store.root / "marks" / "team" / "one.json").is_file()


@pytest.mark.parametrize(("title", "words"), [("x" * 81, "81 characters"), ("a\x00b", "not seen"),
                                              ("a\u202eb", "not seen"), ("a\x1b[2J", "not seen"),
                                              ("\u200b", "not seen"), ("vae\u2060", "not seen"),
                                              ("\u3164 \u2800", "not seen"), ("\U000e0041", "not seen")])
def test_what_cannot_be_a_title_is_refused(store: Store, title: str, words: str) -> None:
    with pytest.raises(StoreError, match=words):
        marks.rename(made(store, "one"), title)


@pytest.mark.parametrize("tag", ["", "two words", "a,b", "x" * 41, "<b>", "-a", "a:b", '"', "\x00"])
def test_what_cannot_be_a_tag_is_refused(store: Store, tag: str) -> None:
    with pytest.raises(StoreError, match="cannot be a tag"):
        marks.tag([made(store, "one")], add=[tag])


def test_notes_and_tags_are_bounded(store: Store) -> None:
    run = made(store, "one")
    with pytest.raises(StoreError, match="2,001 characters"):
        marks.note([run], "x" * (LONGEST_NOTE + 1))
    [done] = marks.tag([run], add=[f"t{n}" for n in range(MOST_TAGS + 1)])
    assert not done.fine and "at most 30" in done.problem
    assert marks.note([run], "x" * LONGEST_NOTE)[0].fine and len(record(run).note) == LONGEST_NOTE


@pytest.mark.parametrize("content", [
    "", "[]", "7", '{"title": ["x"]}', '{"tags": "x"}', '{"title": "' + "x" * 500 + '"}', '{"note": NaN}',
    '{"pinned": 1e400}', '{"tags": [1, null, "two words", {"a": 1}]}', "{" * 5_000, '{"title": "a\\u202eb"}',
    '{"archived": "yes"}', '{"note": "\\ud800"}', "x" * 200_000])
def test_hostile_marks_are_passed_over_in_words(store: Store, content: str) -> None:
    run = made(store, "one", marks=content)
    one = record(run)
    assert (one.title, one.tags, one.note, one.pinned, one.archived) == ("one", (), "", False, False)
    assert "assed over" in one.problem and "marks.json" in one.problem and one.state == "finished"
    assert marks.tag([run], add=["fine"])[0].fine and record(run).tags == ("fine",)
    [aside] = run.path.glob("marks.unread-*.json")
    assert aside.read_text() == content, "what somebody wrote is not written over"


def test_of_marks_what_can_be_read_is_kept(store: Store) -> None:
    run = made(store, "one", marks=json.dumps({"title": "Good", "tags": ["a", "two words", "a", "b"], "note": 5,
                                               "later": {"x": 1}}))
    found, told = read(run.marks_file)
    assert (found.title, found.tags, found.note) == ("Good", ("a", "b"), "")
    assert told == "Passed over in marks.json: note, tags."


def test_markup_in_a_title_is_kept_as_it_is(store: Store) -> None:
    run = made(store, "one")
    title = "<img src=x onerror=alert(1)> [b](c) :red[x]"
    marks.rename(run, title)
    assert record(run).title == title and len(title) <= LONGEST_TITLE


def test_a_pipe_in_the_place_of_marks_is_not_waited_for(store: Store) -> None:
    run = made(store, "one")
    os.mkfifo(run.marks_file)
    assert "Passed over" in record(run).problem or "passed over" in record(run).problem


def test_two_writers_lose_nothing(store: Store) -> None:
    run = made(store, "one")

    def write(writer: int) -> None:
        for number in range(7):
            assert marks.tag([run], add=[f"w{writer}-{number}"])[0].fine

    threads = [threading.Thread(target=write, args=[writer]) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(record(run).tags) == {f"w{writer}-{number}" for writer in range(4) for number in range(7)}
    assert not list(run.path.glob("*.tmp-*"))


def test_a_run_that_is_removed_meanwhile_is_not_made_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(store, "one")
    monkeypatch.setattr(Path, "is_dir", lambda path: shutil.rmtree(path) is None)  # it goes just after it was there
    [done] = marks.pin([run])
    monkeypatch.undo()
    assert "cannot be written" in done.problem and not run.path.exists()


def test_who_waits_too_long_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from vaecore import locks

    run = made(store, "one")
    monkeypatch.setattr(marks, "PATIENCE", 0.02)
    held = locks.attempt(run.path / ".marks.lock")
    assert held is not None
    try:
        [done] = marks.pin([run])
        assert "Try again" in done.problem
    finally:
        os.close(held)
    assert marks.pin([run])[0].fine
