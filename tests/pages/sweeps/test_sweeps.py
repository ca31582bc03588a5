"""The Sweeps page: what is asked for, what is refused, and a sweep as it stands."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from pages.components.sweep import pack, place
from pages.shared import measure
from tests.pages import demo
from tests.sweeps import made
from vaecore import lab, permission
from vaecore.cli.sweeps import sweep
from vaecore.lab import cluster, jobs
from vaecore.lab.task import Task
from vaecore.store import Store
from vaecore.sweeps import Range, Sweep, Values, names, standing
from vaecore.sweeps.keeping import goes_on, kept

ASKED = {"preset": "vae-digits", "set": "training.epochs=2", "over": ["model.latent_size=2, 8",
         "training.beta.value=0.5..4:log:3"], "seeds": "2"}


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    monkeypatch.setattr(lab, "kick", lambda _: None)  # nothing is trained here
    monkeypatch.setattr(jobs, "kick", lambda _: None)
    monkeypatch.setattr(Task, "start", lambda *_: None)
    monkeypatch.setattr(measure, "seconds", lambda _: (30.0, 30.0))
    return Store(tmp_path)


def swept(store: Store, **more: Any) -> Sweep:
    return made.swept(store, lambda number, seed: -30.0 - number - 0.1 * seed, **more)


def button(at: AppTest, key: str) -> Any:
    return next(each for each in at.button if each.key == key)


def test_without_a_sweep_an_example_is_offered_and_fills_the_form() -> None:
    at = demo.open_page("sweeps")
    assert "No field is varied yet" in demo.words(at)
    button(at, "sweep-example").click().run()
    assert at.metric[0].value == "12"  # 2 x 3 points, 2 seeds
    assert at.query_params["over"] == ["model.latent_size=2, 8", "training.beta.value=0.5, 1, 4"]
    assert "6 min" in demo.words(at)  # 12 of half a minute


def test_a_link_fills_the_form_and_its_button_starts_what_it_says(store: Store) -> None:
    at = demo.open_page("sweeps", **ASKED)
    assert at.metric[0].value == "12" and "training.beta.kind=constant" in demo.words(at)
    button(at, "sweep-start").click().run()
    assert not at.exception and names(store) == ["vae-digits"]
    sweep = kept(store, "vae-digits")
    assert [axis.listed for axis in sweep.axes] == [(2, 8), (0.5, 1.41421, 4.0)]
    assert sweep.seeds == 2 and sweep.base["training"]["epochs"] == 2 and sweep.origin == "vae-digits"
    assert at.query_params["sweep"] == "vae-digits" and "over" not in at.query_params


def test_a_sweep_is_started_on_a_cluster_and_goes_on_there_or_here(store: Store,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "refusal", lambda: "")
    monkeypatch.setattr(cluster, "partitions", list)
    at = demo.open_page("sweeps", **ASKED, on="slurm", partition="gpu", time="30", at_once="2")
    assert "as many train at the same time" in demo.words(at)
    assert any("--seeds 2 --method grid --on slurm --partition gpu --time 30" in each.value for each in at.code)
    assert not [each for each in at.number_input if each.key == "where.where.at_once"]  # a sweep has its own
    button(at, "sweep-start").click().run()
    assert not at.exception and goes_on(store, "vae-digits") == lab.Slurm(partition="gpu", time=30)
    assert "on SLURM, partition gpu, 30 minutes" in demo.words(at) and "on" not in at.query_params
    assert button(at, "sweep-resume").help.endswith("On SLURM, partition gpu, 30 minutes, as last time.")
    button(at, "sweep-elsewhere").click().run()
    assert not at.exception and goes_on(store, "vae-digits") == lab.Here()


def test_what_is_no_configuration_is_said_and_cannot_be_started() -> None:
    at = demo.open_page("sweeps", **{**ASKED, "over": ["model.latent_size=0, 8"]})
    assert "Use at least 1" in demo.words(at) and "latent\\_size=0" in demo.words(at)
    assert button(at, "sweep-start").disabled


def test_the_address_holds_all_that_is_entered() -> None:
    asked = {**ASKED, "method": "random", "trials": "7", "stopping": "halving", "factor": "4", "first": "0.25",
             "objective": "mse"}
    at = demo.open_page("sweeps", **asked)  # type: ignore[arg-type]
    assert at.metric[0].value == "14"
    for name, value in asked.items():
        assert at.query_params[name] == value
    again = demo.open_page("sweeps", **{**ASKED, "method": "random", "trials": "many", "seeds": "9" * 5000})
    assert again.metric[0].value == "20"  # what a link says in vain is as if it were not there


@pytest.mark.parametrize("more", [
    {"method": "search", "trials": "9", "begin": "3", "stopping": "median", "grace": "0.6", "at_least": "9"},
    {"method": "random", "trials": "7", "stopping": "halving", "first": "0.5", "factor": "5", "objective": "mse"}])
def test_the_command_is_the_same_sweep(store: Store, more: dict[str, str]) -> None:
    at = demo.open_page("sweeps", **{**ASKED, **more})
    [told] = [each.value for each in at.code]
    button(at, "sweep-start").click().run()
    words = shlex.split(told.replace("vae-digits", "again", 1))[2:]
    done = CliRunner().invoke(sweep, [*words, "--store", str(store.root)])
    assert not done.exception, done.output
    one, other = (kept(store, name).model_dump(exclude={"name", "made"}) for name in ("vae-digits", "again"))
    assert one == other and one["stopping"] == {"kind": more["stopping"], **{
        name: float(value) for name, value in more.items() if name in ("grace", "at_least", "first", "factor")}}


@pytest.mark.parametrize(("asked", "words"), [
    ({"from": "deleted"}, "There is no run called 'deleted' here. The form begins with zb-"),
    ({"preset": "no-such"}, "There is no preset called 'no-such'. The form begins with vae-digits instead.")])
def test_a_beginning_that_is_not_there_is_said_until_another_is_chosen(store: Store, asked: dict[str, str], words: str
                                                                      ) -> None:
    swept(store)
    at = demo.open_page("sweeps", over=ASKED["over"], **asked)
    assert at.warning[0].value.replace("\\", "").startswith(words)
    at.number_input(key="sweeps:seeds").set_value(3).run()
    assert len(at.warning) == 1
    at.segmented_control(key="sweeps:from").set_value("preset" if "from" in asked else "run").run()
    assert not at.warning and not at.exception


def test_the_name_that_is_proposed_follows_the_beginning_until_one_is_typed() -> None:
    at = demo.open_page("sweeps", **ASKED)
    for preset in ("vae-minute", "vae-digits"):
        at.selectbox(key="sweeps:preset").set_value(preset).run()
        assert at.text_input(key="sweeps:name").value == preset
    at.text_input(key="sweeps:name").set_value("mine").run()
    at.selectbox(key="sweeps:preset").set_value("vae-minute").run()
    assert at.text_input(key="sweeps:name").value == "mine"


def test_a_sweep_is_shown_with_its_best_and_its_table(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    swept(store)
    monkeypatch.setattr(lab, "kick", demo.on_a_disk_that_refuses)
    at = demo.open_page("sweeps", sweep="zb")
    words = demo.words(at)
    assert demo.REFUSED in words
    assert "Best, point 1" in words and "−31.15 ± 0.64" in words and "test set −32.15" in words
    frame = at.dataframe[0].value
    assert list(frame["value"]) == pytest.approx([-31.15, -32.15, -33.15, -34.15])  # numbers, so that they sort
    assert "−34.15 ± 0.64" in at.dataframe[0].proto.arrow_data.styler.display_values.decode(errors="replace")
    assert list(frame["best"]) == [True, False, False, False]


def test_half_a_sweep_says_what_it_needs(store: Store) -> None:
    swept(store, upto=1, stopping={"kind": "median"})
    for trial in standing(store, "zb").trials:
        if trial.state == "new":
            lab.submit(trial.run.path)
    at = demo.open_page("sweeps", sweep="zb")
    assert "Resume brings it back" in demo.words(at)
    button(at, "sweep-stop").click().run()
    assert standing(store, "zb").counts == {"finished": 4, "stopped": 4}
    assert {each.key for each in at.button} >= {"sweep-resume", "sweep-remove"}
    button(at, "sweep-remove").click().run()
    assert names(store) == [] and len(store.runs()) == 8


def test_a_sweep_that_is_not_there_is_said(store: Store) -> None:
    swept(store)
    at = demo.open_page("sweeps", sweep="other")
    assert "There is no sweep 'other'" in demo.words(at)


def test_names_with_markup_are_inert(store: Store) -> None:
    made.asked(store, {"model.latent_size": "2,8"}, origin="<b>**x**")
    assert "\\<b\\>\\*\\*x" in demo.words(demo.open_page("sweeps", sweep="zb"))


def test_in_read_only_mode_nothing_can_be_started(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_READ_ONLY", "1")
    at = demo.open_page("sweeps", **ASKED)
    assert button(at, "sweep-start").disabled and names(store) == []


def test_who_may_only_look_reads_no_path_of_the_server(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    private = store.root / "private.csv"
    private.write_text("a,b\n1,2\n" * 50)
    asked = {**ASKED, "set": f"data.name=table, data.path={private}"}
    read: list[object] = []
    monkeypatch.setattr("vaecore.sweeps.planning.plan", lambda *given: read.append(given))
    monkeypatch.setenv(permission.READ_ONLY, "1")
    assert "read-only" in demo.words(demo.open_page("sweeps", **asked)) and not read
    monkeypatch.delenv(permission.READ_ONLY)
    demo.open_page("sweeps", **asked)
    assert read, "else the test would hold of a page that plans nothing at all"


def test_what_the_browser_is_told_stands_where_it_belongs(store: Store) -> None:
    swept(store)
    packed = pack(standing(store, "zb"))
    header = json.loads(packed[4:4 + int.from_bytes(packed[:4], "little")])
    first = header["points"][0]
    assert first["at"] == [0.0, 0.0] and first["best"] and first["words"] == "−31.15 ± 0.64" and first["n"] == 2
    ys = [point["y"] for point in header["points"]]
    assert ys == sorted(ys, reverse=True) and ys[0] - ys[1] == pytest.approx(ys[1] - ys[2]) and 0 < ys[3] < ys[0] < 1
    assert first["half"] / (ys[0] - ys[1]) == pytest.approx(0.6353, abs=1e-3)  # in the unit of a nat: t(0.975, 1) 0.05
    assert place(Values(field="f", values=(1, 10, 100)), 10) == pytest.approx(0.5)  # by its logarithm
    assert place(Values(field="f", values=(2, 4, 8)), 4) == pytest.approx(1 / 3)
    assert place(Values(field="f", values=("a", "b")), "b") == 0.75
    assert place(Range(field="f", low=0.1, high=10, log=True), 1.0) == pytest.approx(0.5)
