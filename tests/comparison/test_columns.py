"""Long logs from the cache: the same numbers, and never those of another text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vaecore.comparison import columns
from vaecore.store import STEP_COLUMNS, Metrics


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(columns, "LONG", 1_000)
    return tmp_path / "cache"


def line(step: int) -> str:
    values = {name: step + i / 7 for i, name in enumerate(STEP_COLUMNS)}
    return json.dumps({"kind": "step", **values, "step": step}) + "\n"


def written(path: Path, count: int = 200) -> Path:
    path.write_text("".join(map(line, range(count))) + '{"kind": "evaluation", "step": 3, "elbo": -1.25}\n{broken\n'
                    + '{"kind": "snapshot", "step": 3}\n')
    return path


def plain(metrics: Metrics) -> tuple[object, ...]:
    return metrics.steps, metrics.evaluations, metrics.snapshots, metrics.damaged, metrics.offset


def test_what_is_kept_is_what_was_read_and_the_rest_is_read_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "metrics.jsonl")
    first = columns.metrics_of(path)
    assert first.damaged == 1 and first.steps["loss"][5] == 5 + 1 / 7
    assert first.evaluations == [{"step": 3, "elbo": -1.25}]
    with path.open("a") as file:
        file.write(line(200))
    monkeypatch.setattr(Metrics, "_take", None)  # only the new line is read, and that is a step's
    second = columns.metrics_of(path)
    assert second.steps["step"] == [*first.steps["step"], 200] and second.snapshots == first.snapshots
    monkeypatch.undo()
    whole = Metrics(path)
    whole.update()
    assert plain(second) == plain(whole)
    with path.open("a") as file:
        file.write(line(201))
    assert second.update() and second.steps["step"][-1] == 201, "it goes on as any other"


def test_a_log_that_was_cut_back_or_changed_is_read_anew(tmp_path: Path) -> None:
    path = written(tmp_path / "metrics.jsonl")
    columns.metrics_of(path)
    for text in (path.read_text().replace('"step": 7', '"step": 9', 1), "".join(map(line, range(50)))):
        path.write_text(text)
        whole = Metrics(path)
        whole.update()
        assert plain(columns.metrics_of(path)) == plain(whole)


@pytest.mark.parametrize("damage", [lambda b: b[:100], lambda b: b[:0], lambda b: b[:-8], lambda b: b"\xff" * len(b),
                                    lambda b: b.replace(b'"version": 1', b'"version": 0'), lambda b: b + b"\0" * 64])
def test_what_is_kept_and_damaged_costs_itself(tmp_path: Path, cache: Path, damage: object) -> None:
    path = written(tmp_path / "metrics.jsonl")
    first = columns.metrics_of(path)
    [kept] = (cache / "metrics").iterdir()
    kept.write_bytes(damage(kept.read_bytes()))  # type: ignore[operator]
    assert plain(columns.metrics_of(path)) == plain(first)


def test_short_logs_are_not_kept(tmp_path: Path, cache: Path) -> None:
    columns.metrics_of(written(tmp_path / "metrics.jsonl", 2))
    assert not cache.exists()


def test_a_cache_that_takes_nothing_is_done_without(tmp_path: Path, cache: Path) -> None:
    cache.write_text("a file")
    path = written(tmp_path / "metrics.jsonl")
    assert columns.metrics_of(path).steps["step"][-1] == 199


def test_lines_together_are_read_as_each_alone(tmp_path: Path) -> None:
    """Among many that are read at once one is damaged, or says something else: the others do not care."""
    odd = ['{"kind": "step", "step": 1}\n', '{"kind": "step", "kind": "evaluation", "step": 5, "elbo": 2}\n',
           line(4).replace("}", ', "more": [1, {"a": 2}]}'), line(5)[:-2] + "\n", line(6).replace("6", "1e999", 1),
           '{"kind": "step"},{"kind": "step"}\n']
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(line(i) + odd[i % len(odd)] for i in range(30)))
    together, alone = Metrics(path), Metrics(path)
    together.update()
    for text in path.read_bytes().splitlines():
        alone._take(text)
    assert plain(together)[:4] == plain(alone)[:4] and alone.damaged > 0 and len(alone.steps["step"]) > 30
