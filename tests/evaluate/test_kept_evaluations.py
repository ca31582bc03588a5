"""Evaluations as they are kept: what replaces what, what is bounded, and what a damaged or hostile file costs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from vaecore.evaluate.kept import (
    DEEPEST,
    LONGEST_LIST,
    LONGEST_TEXT,
    MAX_EVALUATION_BYTES,
    MAX_EVALUATIONS,
    MOST_FIELDS,
    evaluations,
    file_of,
    keep,
    plain,
    results,
    settings_of,
)
from vaecore.evaluate.meaning import explained
from vaecore.evaluate.parts import PARTS
from vaecore.evaluate.settings import Settings
from vaecore.store import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "runs" / "vae").mkdir(parents=True)
    return Run(tmp_path / "runs" / "vae")


@pytest.fixture
def shipped(tmp_path: Path) -> Run:
    (tmp_path / "gallery" / "vae").mkdir(parents=True)
    return Run(tmp_path / "gallery" / "vae")


def result(elbo: float = -90.0, *, partial: bool = False, settings: dict[str, Any] | None = None, **more: Any
           ) -> dict[str, Any]:
    chosen = Settings(**(settings or {})).model_dump(mode="json")
    return {"settings": chosen, "date": "2026-01-02 03:04", "partial": partial,
            "missing": {"naive": "not begun"} if partial else {}, "not_applicable": {}, "evidence": {"elbo": elbo},
            **more}


def elbos(run: Run) -> list[Any]:
    return [facts["evidence"]["elbo"] for facts in evaluations(run)]


def written(run: Run, content: Any) -> list[dict[str, Any]]:
    """What is read of a file that holds `content`."""
    (run.path / "evaluation.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return evaluations(run)


# -- what replaces what ----------------------------------------------------------------------------


def test_the_same_settings_replace_and_others_are_added(run: Run) -> None:
    assert evaluations(run) == []
    assert keep(run, result(-90.0)) == run.path / "evaluation.json"
    keep(run, result(-80.0, settings={"importance_samples": 7}))
    assert elbos(run) == [-90.0, -80.0]
    keep(run, result(-70.0))
    assert elbos(run) == [-80.0, -70.0], "the newest is the last"
    keep(run, result(-60.0, settings={"parts": ("probe", "naive")}))
    keep(run, result(-50.0, settings={"parts": ("naive", "probe")}))
    assert elbos(run) == [-80.0, -70.0, -50.0], "parts have no order"


def test_a_partial_result_takes_the_place_of_a_partial_one_only(run: Run) -> None:
    keep(run, result(-90.0, partial=True))
    keep(run, result(-80.0, partial=True))
    assert elbos(run) == [-80.0]
    keep(run, result(-70.0))
    assert elbos(run) == [-70.0], "a whole one replaces it"
    keep(run, result(-60.0, partial=True))
    assert elbos(run) == [-70.0, -60.0]
    assert [facts["partial"] for facts in evaluations(run)] == [False, True]
    keep(run, result(-50.0, partial=True))
    assert elbos(run) == [-70.0, -50.0]


def test_what_was_kept_comes_back_as_it_was(run: Run) -> None:
    made = result(likelihood={"log_likelihood": -88.5, "curve": [[1, -90.0], [500, -88.5]]}, has_kl=True)
    keep(run, made)
    [found] = evaluations(run)
    assert found == plain(explained(made))  # what its numbers are is told anew
    assert settings_of(found) == Settings()


def test_only_the_last_are_kept(run: Run) -> None:
    for seed in range(MAX_EVALUATIONS + 3):
        keep(run, result(-float(seed), settings={"seed": seed}))
    assert elbos(run) == [-float(seed) for seed in range(3, MAX_EVALUATIONS + 3)]


def test_shipped_runs_are_never_written(shipped: Run) -> None:
    came = [result(-90.0)]
    own = shipped.path / "evaluation.json"
    own.write_text(json.dumps(came))
    for path in (own, shipped.path):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = own.read_bytes()
    assert elbos(shipped) == [-90.0]
    written = keep(shipped, result(-80.0))
    assert written == file_of(shipped) == shipped.path.parents[1] / "evaluations" / "vae.json"
    assert elbos(shipped) == [-90.0, -80.0], "after what came with it, though the settings are the same"
    keep(shipped, result(-70.0))
    assert elbos(shipped) == [-90.0, -70.0]
    assert own.read_bytes() == before and [path.name for path in shipped.path.iterdir()] == ["evaluation.json"]
    shipped.path.chmod(0o755)


def test_a_run_and_a_shipped_one_of_the_same_name_are_two(run: Run, shipped: Run) -> None:
    keep(run, result(-90.0))
    keep(shipped, result(-80.0))
    assert (elbos(run), elbos(shipped)) == ([-90.0], [-80.0])


# -- damaged, hostile, too large -------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "{", "null", "7", "{}", "[[", "\0", "[" * 100_000, '["\\ud800"]',
                                     '[{"settings": {}}]', '[{"evidence": {}}]', "[null, 3, []]", "9" * 5_000])
def test_a_damaged_file_holds_nothing_and_is_written_anew(run: Run, content: str) -> None:
    assert written(run, content) == []
    keep(run, result(-1.0))
    assert elbos(run) == [-1.0]


def test_what_cannot_be_read_is_never_written_over(run: Run) -> None:
    """A file cut by three bytes, or a setting of a later version: all earlier evaluations went with the next one."""
    keep(run, result(-90.0))
    path = file_of(run)
    cut = path.read_bytes()[:-3]
    path.write_bytes(cut)
    keep(run, result(-80.0))
    assert elbos(run) == [-80.0]
    assert [each.read_bytes() for each in run.path.glob("evaluation.unread-*.json")] == [cut]
    later = {**result(-70.0), "settings": {"dreams": 5}, "evidence": {"elbo": -70.0, "new": [1, None]}}
    path.write_text(json.dumps([later]))
    keep(run, result(-60.0))
    assert elbos(run) == [-60.0] and json.loads(path.read_text())[0] == later
    assert len(list(run.path.glob("*unread*"))) == 1


@pytest.mark.parametrize("change", [
    {"settings": None}, {"settings": [1]}, {"settings": {"seed": -1}}, {"settings": {"importance_samples": 0}},
    {"settings": {"K": 5}}, {"settings": {"seed": 10**40}}, {"settings": {"split": ["test"]}},
    {"settings": {"parts": ["everything"]}}, {"evidence": None}, {"evidence": [-90.0]}, {"evidence": -90.0}])
def test_a_damaged_evaluation_costs_itself(run: Run, change: dict[str, Any]) -> None:
    written(run, [result(-90.0), result(-80.0, settings={"seed": 1}) | change, result(-70.0, settings={"seed": 2})])
    assert elbos(run) == [-90.0, -70.0]
    keep(run, result(-60.0, settings={"seed": 3}))
    assert elbos(run) == [-90.0, -70.0, -60.0]


def test_settings_of_an_older_version_are_filled_in(run: Run) -> None:
    [found] = written(run, [result() | {"settings": {"seed": 4}}])
    assert found["settings"] == Settings(seed=4).model_dump(mode="json")
    keep(run, result(-1.0, settings={"seed": 4}))
    assert elbos(run) == [-1.0], "so they are the same settings"


def test_what_is_no_part_is_no_part(run: Run) -> None:
    odd = {**dict.fromkeys(PARTS, "odd"), "log_z": [1], "partial": "yes", "date": ["x"] * 900, "missing": 3,
           "not_applicable": ["x"]}
    [found] = written(run, [result() | odd])
    assert not {"log_z", *PARTS} & found.keys()
    assert found["partial"] is False and (found["missing"], found["not_applicable"]) == ({}, {})
    assert isinstance(found["date"], str) and len(found["date"]) == 40
    [found] = written(run, [result() | {"missing": {"naive": {"deep": 1}}, "partial": True}])
    assert found["missing"] == {"naive": "{'deep': 1}"} and found["partial"] is True


def test_a_file_that_is_too_large_is_not_read(run: Run) -> None:
    assert len(written(run, [result()])) == 1
    with (run.path / "evaluation.json").open("a") as file:
        file.write(" " * MAX_EVALUATION_BYTES)
    assert evaluations(run) == []


def test_what_is_read_is_bounded(run: Run) -> None:
    deep: Any = 1
    for _ in range(50):
        deep = {"in": deep}
    big = result() | {"a": "x" * 10_000, "b": list(range(20_000)), "c": {str(i): i for i in range(2_000)}, "d": deep,
                      "k" * 5_000: 1, "n": 2**62}
    [found] = written(run, [big])
    assert (len(found["a"]), len(found["b"]), len(found["c"])) == (LONGEST_TEXT, LONGEST_LIST, MOST_FIELDS)
    assert found["k" * 80] == 1 and found["n"] is None
    levels, inner = 0, found["d"]
    while isinstance(inner, dict):
        levels, inner = levels + 1, inner["in"]
    assert inner is None and levels <= DEEPEST
    assert len(written(run, [result(settings={"seed": seed}) for seed in range(300)])) == MAX_EVALUATIONS


def test_numbers_that_are_none_become_none(run: Run) -> None:
    made = plain({"nan": math.nan, "inf": -math.inf, "big": 2**60, "pair": (1, 2.5), "yes": True, "path": Path("a")})
    assert made == {"nan": None, "inf": None, "big": None, "pair": [1, 2.5], "yes": True, "path": "a"}
    keep(run, result(math.nan))
    assert elbos(run) == [None]
    [found] = written(run, json.dumps([result()]).replace("-90.0", "NaN"))
    assert found["evidence"]["elbo"] is None


def test_half_of_a_character_neither_shows_nor_prevents_writing(run: Run) -> None:
    """JSON can hold one, UTF-8 cannot: it would end a page, and an evaluation after all its work."""
    half = "\ud800"
    [found] = written(run, [result(data=half, **{half: 1}) | {"date": half}])
    json.dumps(found, ensure_ascii=False).encode()
    keep(run, result(-1.0, settings={"seed": 1}))
    assert elbos(run) == [-90.0, -1.0]


def test_a_folder_in_its_place_holds_nothing(run: Run) -> None:
    (run.path / "evaluation.json").mkdir()
    assert evaluations(run) == []
    keep(run, result())
    assert elbos(run) == [-90.0] and [path.is_dir() for path in run.path.glob("evaluation.unread-*")] == [True]


# -- what came with the gallery --------------------------------------------------------------------

SHIPPED = sorted((Path(__file__).parents[2] / "trained" / "gallery").glob("*/evaluation.json"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_what_is_shipped_is_read_whole_and_would_be_written_as_it_stands(path: Path) -> None:
    """Every number of every part under its name, to the last digit, whichever version wrote it."""
    for facts, read in zip(json.loads(path.read_text()), results(Run(path.parent)), strict=True):
        assert read.unreadable == {} and read.found.keys() == PARTS.keys() & facts.keys()
        for name, found in read.found.items():
            written = plain(found.written())
            if facts.get("log_z") and name == "likelihood":  # its error, which is told beside them, is in these anew
                facts[name].pop("log_z_error", None)
            if name == "probe" and "given" not in facts[name]:  # of one modality, which goes without saying
                assert written.pop("given") == []
            assert written == facts[name], name
        assert read.settings == settings_of(facts) and read.evidence.elbo == facts["evidence"]["elbo"]
        assert {term: facts["evidence"][term] for term in ("kl", "mse", "tokens", "reconstruction")} == {
            term: getattr(read.evidence, term) for term in ("kl", "mse", "tokens", "reconstruction")}
