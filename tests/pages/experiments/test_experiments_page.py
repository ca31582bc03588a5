"""The Experiments page: what an experiment makes, its runs, and what they show."""

from __future__ import annotations

import base64
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import measure
from tests.pages import demo
from vaecore import lab
from vaecore.config import changed
from vaecore.data import DataUnavailable
from vaecore.store import Run, Store
from vaecore.studies import EXPERIMENTS, create

SERIES = {name: study.series for name, study in EXPERIMENTS.items() if study.series}


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    monkeypatch.setattr(lab, "kick", lambda _: None)  # nothing is trained here
    monkeypatch.setattr("vaecore.lab.jobs.kick", lambda _: None)
    monkeypatch.setattr(measure, "seconds", lambda _: (60.0, 60.0))
    return Store(tmp_path)


def page(experiment: str) -> AppTest:
    return demo.open_page("experiments", experiment=experiment)


def made(store: Store, name: str) -> dict[str, Run]:
    return {run.id: run for run in create(store, SERIES[name])}


def evaluated(run: Run, kl: float, cost: float, *, mse: float = 0.02, active: int = 5, information: float = 0.4,
              end: bool = True, **more: Any) -> None:
    """As if it had been trained: one evaluation, and the outcome."""
    line = {"kind": "evaluation", "step": 100, "elbo": -cost, "reconstruction": {"x": kl - cost}, "kl": {"z": [kl]},
            "mse": {"x": mse}, "active": active, "information": {"z": {
                "rate": kl, "mutual_information": information, "minibatch": 0.1, "observations": 9, "batch_size": 3}}}
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
        if more:
            file.write(json.dumps({"kind": "snapshot", "step": 100, "method": "grid", "effective": 1.0,
                                   "labels": None, **more}) + "\n")
    if end:
        (run.path / "exit.json").write_text(json.dumps({"attempt": 1, "state": "finished", "detail": ""}))


def address(at: AppTest) -> str:
    found = at.query_params["experiment"]
    return found if isinstance(found, str) else found[0]


def charts(at: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def named(chart: dict[str, Any]) -> dict[str, Any]:
    return {trace["name"]: trace for trace in chart["data"]}


@pytest.mark.parametrize("name", list(EXPERIMENTS))
def test_each_says_what_it_asks_and_makes(name: str) -> None:
    at, series = page(name), SERIES[name]
    said = demo.words(at).replace("\\", "")
    assert series.question in said
    assert EXPERIMENTS[name].source in [(each.help or "").replace("\\", "") for each in at.markdown]
    assert ", ".join(series.runs()) in said
    assert "Nothing to see yet" in said
    assert address(at) == name


def test_the_address_follows_the_choice() -> None:
    at = page("gamma")
    at.button_group(key="experiment").set_value("cyclical").run()
    assert not at.exception and address(at) == "cyclical"
    assert SERIES["cyclical"].question in demo.words(at)


def test_an_unknown_experiment_is_told_and_the_first_shown() -> None:
    at = page("*x*")
    assert "There is no experiment '\\*x\\*'" in at.warning[0].value
    assert next(iter(SERIES.values())).question in demo.words(at)


# -- starting --------------------------------------------------------------------------------------


def asking(name: str) -> AppTest:
    """The page with the popover open."""
    at = page(name)
    at.session_state[f"start-{name}-0"] = True
    at.run()
    assert not at.exception, at.exception
    return at


def test_it_says_how_many_and_how_long_and_queues_them_all(store: Store) -> None:
    at = asking("lagging")
    assert "**2 trainings**, one after the other, about **2 min** in all" in demo.words(at)
    at.button(key="queue-all-lagging").click().run()
    assert not at.exception, at.exception
    assert {run.id for run in store.runs()} == {"lagging-basic", "lagging-aggressive"}
    assert {lab.status(run.path).state for run in store.runs()} == {"queued"}
    assert "**2 runs**" in demo.words(at)


def test_a_range_where_the_time_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "seconds", lambda config: (60.0, 600.0 if "aggressive" in config.to_json() else 60.0))
    assert "about **2 min to 11 min** in all" in demo.words(asking("lagging"))


def test_runs_alike_are_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def seconds(config: object) -> tuple[float, float]:
        asked.append(config)
        return 60.0, 60.0

    monkeypatch.setattr(measure, "seconds", seconds)
    assert "about **9 min** in all" in demo.words(asking("gamma"))
    assert len(asked) == 1


def test_without_its_data_it_cannot_be_started(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(_: object) -> tuple[float, float]:
        raise DataUnavailable("The captions are not on this machine. Get them.")

    monkeypatch.setattr(measure, "seconds", seconds)
    at = asking("cyclical")
    assert at.warning[0].value.startswith("The captions are not on this machine")
    with pytest.raises(KeyError):
        at.button(key="queue-all-cyclical")
    assert not store.runs()


def test_what_is_watched_starts_by_one_click(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """No popover, nothing measured: the click queues it, and the page looks often."""
    def measured(_: object) -> tuple[float, float]:
        raise AssertionError("nothing is measured before it starts")

    monkeypatch.setattr(measure, "seconds", measured)
    at = page("water-filling")
    assert "it lasts 40 s on any machine that can keep it up" in demo.words(at)
    at.button(key="start-now-water-filling").click().run()
    assert not at.exception, at.exception
    at.button(key="start-now-water-filling").click().run()
    [run] = store.runs()  # of both halves of a double click
    assert run.id == "water-filling" and lab.status(run.path).state == "queued"
    assert run.about()["experiment"] == "water-filling"
    said = demo.words(at)
    assert "It starts in some seconds" in said and "Nothing to see yet" not in said
    assert "it waits for that" not in said, "its own training is not something else"


# -- views -----------------------------------------------------------------------------------------


def test_gamma_draws_the_users_runs(store: Store) -> None:
    runs = made(store, "gamma")
    evaluated(runs["gamma-0.1"], 27.0, -76.0, mse=0.02, active=16)
    evaluated(runs["gamma-3"], 0.6, 1160.0, active=8)
    evaluated(runs["gamma-10"], 0.0, float("nan"), active=0)  # a cost that is no number costs its point
    at = page("gamma")
    cost, _, active = charts(at)
    assert named(cost)["trained, γ fixed"]["x"] == pytest.approx([0.1, 3.0], rel=1e-4)
    assert named(cost)["trained, γ fixed"]["y"] == [-76.0, 1160.0]
    assert named(active)["trained, γ fixed"]["y"] == [16.0, 8.0]
    assert "trained, γ learned" not in named(cost) and "γ′" not in demo.words(at)
    assert "**9 runs**" in demo.words(at)


def test_the_newest_run_at_a_gamma_stands(store: Store) -> None:
    for number, cost in enumerate((-70.0, -80.0)):
        run = store.create(SERIES["gamma"].runs()["gamma-0.1"], f"try-{number}", experiment="gamma")
        evaluated(run, 27.0, cost)
        os.utime(run.path / "config.json", (1_000 + number, 1_000 + number))
    assert named(charts(page("gamma"))[0])["trained, γ fixed"]["y"] == [-80.0]


def test_learned_gamma_is_that_of_the_weights(store: Store) -> None:
    from vaecore.training import train

    learned = changed(SERIES["gamma"].runs()["gamma-learned"], ["training.epochs=1", "training.threads=1",
                                                                     "data.train_limit=256"])
    run = store.create(learned, "learned", experiment="gamma")
    train(run.path, demo.Unwatched())
    from vaecore.training.checkpoints import load_model

    variance = math.exp(load_model(run.path).state_dict()["likelihood.logvar"].item())
    star = named(charts(page("gamma"))[0])["trained, γ learned"]
    assert star["x"] == pytest.approx([variance], rel=1e-5)
    curve = named(charts(page("gamma"))[0])["the learned solution at other γ"]
    x, y = (np.frombuffer(base64.b64decode(curve[axis]["bdata"]), curve[axis]["dtype"]) for axis in ("x", "y"))
    assert star["y"][0] == pytest.approx(np.interp(variance, x, y), abs=0.2), "the star lies on its curve"


def shipped(store: Store, claim: str, **values: Any) -> None:
    (store.root / "claims").mkdir(exist_ok=True)
    (store.root / "claims" / f"{claim}.json").write_text(json.dumps({
        "claim": claim, "verdict": "reproduced", "summary": "", "table": [], "curves": {}, "note": "",
        "date": "2026-01-02", "seconds": 1.0, "device": "CPU", "torch": "2", "vaecore": "0", **values}))


def test_without_runs_the_kept_claim_is_shown_and_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "kick", demo.on_a_disk_that_refuses)
    shipped(store, "C14", curves={"gamma": [0.1, 10.0], "cost": [-70.0, 1625.0], "active": [16.0, 0.0],
                                  "eigenvalues": [5.0] * 20, "scatter": [50.0],
                                  "learned": [0.02, -400.0, 26.0, 14.0, 16.0]})
    at = page("gamma")
    assert "the kept result of claim **C14**, 2026-01-02" in demo.words(at)
    assert named(charts(at)[0])["trained, γ fixed"]["x"] == [0.1, 10.0]
    assert "Right of γ′ = 0.692" in demo.words(at) and demo.REFUSED in demo.words(at)


def test_a_kept_claim_with_nothing_to_draw_says_so(store: Store) -> None:
    for claim, name in (("C13", "lagging"), ("C14", "gamma"), ("C16", "cyclical")):
        shipped(store, claim, table=[{"KL": "x"}], curves={"gamma": [1.0]})
        assert "has nothing to draw" in demo.words(page(name))


def test_the_two_by_two_is_of_means(store: Store) -> None:
    runs = made(store, "cyclical")
    again = made(store, "cyclical")
    evaluated(runs["cyclical-monotonic-constant"] if "cyclical-monotonic-constant" in runs else
              runs["monotonic-constant"], 2.0, 40.0)
    evaluated(next(run for name, run in again.items() if "monotonic-constant" in name), 3.0, 41.0)
    evaluated(next(run for name, run in runs.items() if name.endswith("cyclical-restarts")), 6.0, 39.5)
    unfinished = next(run for name, run in runs.items() if name.endswith("cyclical-constant"))
    evaluated(unfinished, 9.0, 99.0, end=False)
    kl, cost = (table.value for table in page("cyclical").table)
    assert kl.loc["β rises once", "constant learning rate"] == "**2.50** · 2 runs"
    assert cost.loc["β rises once", "constant learning rate"] == "**-40.50** · 2 runs"
    assert kl.loc["β rises in cycles", "learning rate with restarts"] == "**6.00** · 1 run"
    assert kl.loc["β rises in cycles", "constant learning rate"] == "–"


def test_basic_stands_beside_aggressive(store: Store) -> None:
    runs = made(store, "lagging")
    evaluated(runs["lagging-basic"], 0.01, 41.0, information=0.0, model={"z": [[-0.8], [0.8]]},
              inference={"z": [[-0.2], [0.2]]})
    evaluated(runs["lagging-aggressive"], 0.65, 40.9, information=0.64, model={"z": [[-0.08], [0.08]]},
              inference={"z": [[-0.02], [0.02]]})  # so little that there is nothing to follow, as Monitor says too
    at = page("lagging")
    table = at.dataframe[0].value.set_index("Encoder")
    assert list(table.index) == ["basic", "aggressive"]
    assert table.loc["basic", "Spread ratio"] == pytest.approx(0.25)
    assert math.isnan(table.loc["aggressive", "Spread ratio"])
    assert table.loc["aggressive", "Mutual information"] == pytest.approx(0.64)
    [chart] = charts(at)
    assert [trace["name"] for trace in chart["data"]] == ["encoder keeps up", "basic", "aggressive"]


@pytest.mark.parametrize("name", list(EXPERIMENTS))
@pytest.mark.parametrize("damage", ["{", "[]", '{"data": 1, "model": {"likelihood": 3}, "training": []}'])
def test_damaged_runs_do_not_break_the_page(store: Store, name: str, damage: str) -> None:
    """What cannot be read is named and costs itself: the others are shown, and nothing is taken for what it is not."""
    runs = list(made(store, name).values())
    for run in runs:
        evaluated(run, 1.0, 2.0)
        with (run.path / "metrics.jsonl").open("a") as file:
            file.write('{"kind": "snapshot", "step": "x"}\n{"kind": "evaluation", "step": []}\n\0\n')
    broken = runs[-1]
    (broken.path / "config.json").write_text(damage)
    at = page(name)
    assert [broken.id in each.value for each in at.warning] == [True]
    assert ("Nothing to see yet" in demo.words(at)) == (len(runs) == 1)
    *tables, listed = (table.value for table in at.dataframe)
    assert set(listed["Run"]) == {run.id for run in runs} and set(listed["ELBO"]) == {-2.0}
    assert all(set(table["Run"]) == {run.id for run in runs} - {broken.id} for table in tables)


def test_monitor_is_linked_with_the_newest_eight(store: Store) -> None:
    made(store, "gamma")
    [link] = [each for each in page("gamma").get("page_link") if "monitor" in each.proto.page]
    assert link.proto.query_string.count("runs=gamma-") == 8


def test_an_experiment_is_its_name() -> None:
    assert list(SERIES) == ["lagging", "gamma", "cyclical", "same-data", "water-filling"]
    assert all(name == each.name for name, each in SERIES.items())


def test_pairs_say_where_each_model_crosses(store: Store) -> None:
    """What an evaluation found, and a way to evaluate those that have none."""
    from vaecore.evaluate.settings import Settings

    runs = made(store, "same-data")
    for name in ("same-data-mvae", "same-data-separate-vaes"):
        evaluated(runs[name], 4.0, 120.0)
    facts = {"settings": Settings().model_dump(mode="json"), "partial": False, "evidence": {}, "coherence": {
        "subsets": [{"given": ["label"], "coherence": {"image": 0.8}}, {"given": 7}, "x",
                    {"given": ["image"], "coherence": {"label": "x"}}], "joint": 0.5}}
    (runs["same-data-mvae"].path / "evaluation.json").write_text(json.dumps([facts]))
    at = page("same-data")
    table = next(each.value for each in at.dataframe if "Joint" in each.value.columns).set_index("Run")
    assert table.loc["same-data-mvae", "label → image"] == 0.8 and table.loc["same-data-mvae", "Joint"] == 0.5
    assert math.isnan(table.loc["same-data-separate-vaes", "Joint"])
    links = [each.proto.label for each in at.get("page_link")]
    assert "Evaluate same-data-separate-vaes" in links and "Evaluate same-data-mvae" not in links
    assert "Compare them" in links
