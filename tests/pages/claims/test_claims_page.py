"""The Claims page: every claim with its verdict and numbers; runs are started, followed and stopped from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages import demo
from vaecore.lab import background
from vaecore.lab.locks import LabError
from vaecore.lab.task import Progress
from vaecore.studies import CLAIMS

GAMMA = {"gamma": [0.1, 1.0, 10.0], "cost": [-70.0, 740.0, 1625.0], "active": [16.0, 9.0, 0.0],
         "eigenvalues": [5.0 / k for k in range(1, 31)], "scatter": [50.0],
         "learned": [0.02, -400.0, 26.0, 14.0, 16.0]}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the results of a store with no runs lie."""
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    made = tmp_path / "claims"
    made.mkdir()
    return made


def keep(folder: Path, name: str, /, **change: Any) -> None:
    values = {"claim": name, "verdict": "reproduced", "summary": f"Found of {name}.", "table": [{"KL": 1.25}],
              "curves": {}, "note": "A *note*.", "date": "2026-01-02", "seconds": 90.0, "device": "CPU, 1 thread",
              "torch": "2.13", "vaecore": "0.1", "rule": CLAIMS[name].rule}
    (folder / f"{name}.json").write_text(json.dumps(values | change))


def headings(at: AppTest) -> list[str]:
    return [each.value for each in at.subheader if " · " in each.value]


def opened(at: AppTest) -> list[str]:
    return [each.proto.id or each.label for each in at.expander if each.proto.expanded]


def test_every_claim_has_a_card_in_order() -> None:
    at = demo.open_page("claims")
    assert headings(at) == [f"{claim.id} · {claim.title}" for claim in CLAIMS.values()]
    said = demo.words(at)
    assert f"0 reproduced, 0 not reproduced, {len(CLAIMS)} not run" in said
    assert "Nothing yet: the experiment takes about 33 CPU minutes." in said
    assert not opened(at)


def test_a_kept_result_is_told_with_what_makes_it_mean_something(folder: Path) -> None:
    keep(folder, "C1")
    keep(folder, "C15", verdict="not reproduced")
    at = demo.open_page("claims")
    said = demo.words(at)
    assert f"1 reproduced, 1 not reproduced, {len(CLAIMS) - 2} not run" in said
    assert "Found of C1." in said and "2026-01-02 · CPU minutes not measured in 2 min on CPU, 1 thread" in said
    assert "A \\*note\\*." in said
    assert at.dataframe[0].value["KL"].tolist() == [1.25]
    assert json.loads(at.dataframe[0].proto.columns)["KL"]["help"] == CLAIMS["C1"].meaning("KL")


def test_the_filter_leaves_claims_with_that_verdict(folder: Path) -> None:
    keep(folder, "C1")
    at = demo.open_page("claims")
    at.button_group(key="claims-show").set_value(["reproduced"]).run()
    assert headings(at) == ["C1 · " + CLAIMS["C1"].title]
    at.button_group(key="claims-show").set_value(["not reproduced"]).run()
    assert headings(at) == [] and "No claim has such a verdict" in demo.words(at)
    assert "1 reproduced, 0 not reproduced" in demo.words(at)


@pytest.mark.parametrize("asked", ["C16", "c16"])
def test_the_address_opens_a_claim_and_brings_it_up(asked: str) -> None:
    at = demo.open_page("claims", claim=asked)
    assert headings(at)[0].startswith("C16 · ") and len(headings(at)) == len(CLAIMS)
    assert len(opened(at)) == 1


def test_an_unknown_claim_in_the_address_is_told() -> None:
    at = demo.open_page("claims", claim="<b>C99*")
    assert "There is no claim" in at.warning[0].value and "<b>" not in at.warning[0].value
    assert len(headings(at)) == len(CLAIMS)


@pytest.mark.parametrize("change", [
    {"table": [{"KL": float("nan"), "n": 10**300, "flag": True}, {"KL": "x", "other": None}, {}]},
    {"table": []}, {"seconds": float("inf")}, {"summary": "<script>$x$ **b** [a](b)"},
    {"curves": {"gamma": [float("nan")]}}])
def test_odd_numbers_do_not_break_the_page(folder: Path, change: dict[str, Any]) -> None:
    for claim in ("C1", "C13", "C14"):
        keep(folder, claim, **change)
    at = demo.open_page("claims")
    assert "3 reproduced" in demo.words(at)


def test_a_result_of_another_claim_or_rule_is_not_taken_for_this_ones(folder: Path) -> None:
    keep(folder, "C1", claim="C13")
    assert "0 reproduced" in demo.words(demo.open_page("claims"))


def test_t8_what_an_earlier_rule_said_is_no_verdict(folder: Path) -> None:
    keep(folder, "C1", rule="KL within a barn door.")
    keep(folder, "C2", rule="")
    at = demo.open_page("claims")
    assert f"0 reproduced, 0 not reproduced, 2 judged by an earlier rule, {len(CLAIMS) - 2} not run" in demo.words(at)
    assert "Judged by an earlier rule; run it again. That rule was: KL within a barn door." in at.warning[0].value
    at.button_group(key="claims-show").set_value(["reproduced"]).run()
    assert headings(at) == []


def test_seeds_interval_and_cpu_minutes_are_shown(folder: Path) -> None:
    keep(folder, "C1", cpu_seconds=1_500.0, seconds=9_000.0, seeds=3, intervals={"gain": [1.5, 2.0, 2.5]})
    said = demo.words(demo.open_page("claims"))
    assert "3 seeds; gain 2 \\[1.5, 2.5\\]" in said or "3 seeds; gain 2 [1.5, 2.5]" in said
    assert "25 CPU minutes in 2 h 30 min on CPU, 1 thread" in said
    assert "takes about 25 CPU minutes, longer where others use the machine" in said, "M8: as measured"


@pytest.mark.parametrize("content", ["{", "[]", '{"verdict": "reproduced"}', "\0"])
def test_a_broken_file_is_not_run(folder: Path, content: str) -> None:
    (folder / "C1.json").write_text(content)
    assert f"0 reproduced, 0 not reproduced, {len(CLAIMS)} not run" in demo.words(demo.open_page("claims"))


def charts(at: AppTest) -> int:
    return len(at.get("plotly_chart"))


def test_c14_draws_its_curves(folder: Path) -> None:
    keep(folder, "C14", curves=GAMMA)
    at = demo.open_page("claims")
    assert charts(at) == 3
    assert "Right of γ′ = 0.692 ignoring the code is cheaper" in demo.words(at)  # (50 - 14) / (2 * 26)


@pytest.mark.parametrize("change", [
    {"gamma": [0.1, 1.0]}, {"gamma": [0.0, 1.0, 10.0]}, {"learned": [0.02]}, {"scatter": []}, {"scatter": [-1.0]},
    {"eigenvalues": [1.0]}, {"cost": [float("inf")] * 3}, {"learned": [-1.0, 0.0, 1.0, 1.0, 1.0]}])
def test_curves_that_are_not_whole_are_not_drawn(folder: Path, change: dict[str, Any]) -> None:
    keep(folder, "C14", curves=GAMMA | change)
    assert charts(demo.open_page("claims")) == 0


def test_c13_draws_where_the_means_went(folder: Path) -> None:
    row = {"training": "basic", "seed": 0, "sd model, step 200": 0.5, "sd inference, step 200": 0.1,
           "sd model, end": 0.9, "sd inference, end": 0.0}
    keep(folder, "C13", table=[row, row | {"sd model, end": "?"}, {"training": "basic"}])
    at = demo.open_page("claims")
    assert charts(at) == 1
    drawn = json.loads(at.get("plotly_chart")[0].proto.spec)["data"]
    assert len(drawn) == 2  # the diagonal and the one whole row


# -- running ---------------------------------------------------------------------------------------


class Stand:
    """What stands in for the background: nothing is run."""

    def __init__(self) -> None:
        self.running: set[str] = set()
        self.lines: tuple[str, ...] = ()
        self.refuse = ""

    def study(self, store: object, claim: str) -> StandIn:
        return StandIn(self, claim)


@dataclass
class StandIn:
    """The task of one claim."""

    stand: Stand
    claim: str

    def start(self) -> None:
        if self.stand.refuse:
            raise LabError(self.stand.refuse)
        self.stand.running.add(self.claim)

    def stop(self) -> None:
        self.stand.running.discard(self.claim)

    def progress(self) -> Progress:
        here = self.claim in self.stand.running
        return Progress(here, self.stand.lines if here or self.claim == "C1" else (), 75.0)


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    made = Stand()
    monkeypatch.setattr(background, "study", made.study)
    return made


def test_started_watched_and_stopped(stand: Stand) -> None:
    at = demo.open_page("claims")
    stand.lines = ("training one", "  step 5 of 10")
    at.button(key="start-C1").click().run()
    assert not at.exception and stand.running == {"C1"}
    assert "for 1 min of under 1 CPU minute" in demo.words(at)
    assert at.code[0].value == "training one\n  step 5 of 10"
    with pytest.raises(KeyError):
        at.button(key="start-C1")
    at.button(key="stop-C1").click().run()
    assert not at.exception and not stand.running
    assert "Stopped; nothing was kept of it." in demo.words(at)
    assert at.button(key="start-C1")


def test_a_refusal_is_told(stand: Stand) -> None:
    at = demo.open_page("claims")
    stand.refuse = "C1 is running already: wait, or stop it."
    at.button(key="start-C1").click().run()
    assert not at.exception and at.error[0].value == stand.refuse


def test_a_try_that_failed_is_told_and_one_that_ended_is_not(stand: Stand) -> None:
    stand.lines = ("C1: A linear VAE", "DataUnavailable: no *data*")
    [warning] = demo.open_page("claims").warning
    assert "ended without a result" in warning.value and "no \\*data\\*" in warning.value
    stand.lines = ("C1: A linear VAE", "C1: reproduced. KL and distortion", "within", "")
    assert not demo.open_page("claims").warning


def test_its_address_holds_the_view() -> None:
    at = demo.keeps_its_view("claims", "verdict")
    assert len(at.pills(key="claims-show").value) == 1
