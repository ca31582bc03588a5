"""Charts of compared runs: clocks, forks beside their parents, levels, and all of it as a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vaecore.comparison.columns import metrics_of
from vaecore.comparison.history import (
    History,
    clocks,
    curves_table,
    error_panels,
    forked,
    panels,
    recorded,
    way,
    with_parents,
)
from vaecore.store import Run


def made(folder: Path, steps: int = 10, *, parent: dict[str, Any] | None = None, has_kl: bool = True,
         seconds: bool = True) -> History:
    """A run of ten steps an epoch and a second every two steps, evaluated at every fifth."""
    folder.mkdir(parents=True)
    (folder / "about.json").write_text(json.dumps({"parent": parent, "has_kl": has_kl}))
    lines: list[dict[str, Any]] = []
    for step in range(steps + 1):
        if step:
            lines.append({"kind": "step", "step": step, "loss": 1, "neg_elbo": 100 - step, "kl": 2.0,
                          "reconstruction": -98 + step, "beta": 1, "rate": 0.1, "grad_norm": 3})
        if step % 5 == 0 or step == steps:
            told = {"seconds": step / 2, "epoch": step / 10} if seconds else {}
            lines.append({"kind": "evaluation", "step": step, "elbo": -100.0 + step, "mse": {"x": 0.5},
                          "reconstruction": {"x": -98.0 + step}, "kl": {"z": [2.0]} if has_kl else {}, **told})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return recorded(Run(folder), metrics_of(folder / "metrics.jsonl"))


def test_a_clock_is_what_the_evaluations_tell(tmp_path: Path) -> None:
    clock = made(tmp_path / "a").clock
    assert clock.per_epoch == 10 and clock.steps.tolist() == [0, 5, 10] and clock.seconds.tolist() == [0, 2.5, 5]
    none = made(tmp_path / "b", seconds=False).clock
    assert none.per_epoch == 0 and len(none.steps) == len(none.seconds) == 0, "nothing is made up"


def test_a_parent_is_moved_to_where_its_forks_left_it(tmp_path: Path) -> None:
    parent = made(tmp_path / "parent", 20)
    fork, again, other = (made(tmp_path / name, parent={"run": "parent", "step": step})
                          for name, step in (("fork", 10), ("again", 10), ("other", 15)))
    records = {"parent": parent, "fork": fork, "again": again}
    assert {name: clock.zero for name, clock in clocks(records).items()} == {"parent": 10, "fork": 0, "again": 0}
    assert clocks({**records, "other": other})["parent"].zero == 0, "left at several steps, it has no such place"
    assert clocks({"fork": fork})["fork"].zero == 0


def test_a_parents_part_ends_where_the_fork_begins(tmp_path: Path) -> None:
    parent, fork = made(tmp_path / "parent", 20), made(tmp_path / "fork", parent={"run": "parent", "step": 10})
    records = {"fork": fork}
    elbo, *_ = with_parents(panels(records), records, {"fork": parent})
    before = {line.label: line for line in elbo.series if line.before}
    assert before["training"].x.tolist() == list(range(-9, 1)) and before["training"].run == "fork"
    assert before["training"].y[-1] == -90 and before["validation"].x.tolist() == [-10, -5, 0]
    both = {"fork": fork, "parent": parent}
    assert not any(line.before for chart in with_parents(panels(both), both, {"fork": parent}) for line in chart.series)
    unlike = made(tmp_path / "ae", has_kl=False)
    assert not any(line.before for chart in with_parents(panels(records), records, {"fork": unlike})
                   for line in chart.series), "numbers of another kind are no part of it"


@pytest.mark.parametrize("parent", [None, 3, {}, {"run": 1, "step": 2}, {"run": "a", "step": True},
                                    {"run": "a", "step": -1}, {"run": "a", "step": None}])
def test_what_is_no_fork(tmp_path: Path, parent: Any) -> None:
    assert forked(made(tmp_path / "a", parent=parent).run) is None


def test_what_was_solved_at_once_is_a_level_beside_others(tmp_path: Path) -> None:
    solved, trained = made(tmp_path / "pca", 0), made(tmp_path / "vae")
    [mse] = error_panels({"pca": solved, "vae": trained})
    level, curve = mse.series
    assert level.level and level.x.tolist() == [0, 10] and level.y.tolist() == [0.5, 0.5] and not curve.level
    alone = made(tmp_path / "ae", 0, has_kl=False)
    own = next(chart for chart in panels({"ae": alone, "vae": trained}) if chart.title == "log p(x|z)")
    assert [line.level for line in own.series if len(line.x)] == [True], "in a chart of its own, too"
    assert not error_panels({"pca": solved})[0].series[0].level, "alone it is a point"


def test_the_table_has_every_line(tmp_path: Path) -> None:
    records = {"=run": made(tmp_path / "a"), "b": made(tmp_path / "b", has_kl=False, seconds=False)}
    found = curves_table(records)
    assert len(found.rows) == 2 * (10 + 3)
    training = [row for row in found.rows if (row["run"], row["curve"]) == ("=run", "training")]
    assert [row["step"] for row in training] == list(range(1, 11)) and training[2]["elbo"] == -97
    assert [row["seconds"] for row in training] == pytest.approx(np.arange(1, 11) / 2)
    assert [row["epoch"] for row in training] == pytest.approx(np.arange(1, 11) / 10)
    last = found.rows[-1]
    assert last["log_p_given_z"] == -90 and not {"elbo", "seconds", "epoch", "kl"} & set(last)
    head, first = found.csv().splitlines()[:2]
    assert head.startswith("run,curve,step,epoch,seconds (s),elbo (nats)")
    assert first.startswith("'=run,training,1,0.1,0.5")


def test_the_way_through_the_plane(tmp_path: Path) -> None:
    path = way("a", made(tmp_path / "a"))
    assert path.steps.tolist() == [0, 5, 10] and path.x.tolist() == [2, 2, 2] and path.y.tolist() == [98, 93, 88]
    assert len(way("b", made(tmp_path / "b", has_kl=False)).steps) == 0


def test_what_is_maximised_in_the_place_of_the_elbo_has_a_chart(tmp_path: Path) -> None:
    plain = made(tmp_path / "plain")
    assert "Importance-weighted bound" not in [chart.title for chart in panels({"plain": plain})]
    folder = tmp_path / "iwae"
    made(folder)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        line |= {"bound": line["elbo"] + 3} if line["kind"] == "evaluation" else {
            "loss": 90.0 - line["step"], "beta": min(1.0, line["step"] / 4)}
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    weighed = recorded(Run(folder), metrics_of(folder / "metrics.jsonl"))
    elbo, found, *_ = panels({"plain": plain, "iwae": weighed})
    assert (elbo.title, found.title, found.unit) == ("ELBO", "Importance-weighted bound", "nats")
    training, validation = found.series
    assert training.x.tolist() == list(range(4, 11)) and training.y[0] == -86, "of a beta below 1 it is no bound"
    assert validation.dashed and validation.y.tolist() == [-97, -92, -87]
    rows = {row["step"]: row for row in curves_table({"iwae": weighed}).rows if row["curve"] == "validation"}
    assert rows[10]["bound"] == -87 and rows[10]["elbo"] == -90
