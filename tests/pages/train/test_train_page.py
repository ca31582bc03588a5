"""The Train page: what a visitor can do on it, and what it says when something is wrong."""

from __future__ import annotations

import io
import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import measure, queue
from pages.shared.words import duration
from pages.train.origin import Origin, command
from tests.pages import demo
from vaecore import lab
from vaecore.config import RunConfig, changed, preset
from vaecore.data.converted import converted
from vaecore.data.digits import Digits
from vaecore.data.own.file import OwnFile
from vaecore.lab import state
from vaecore.lab.task import Progress, Task
from vaecore.library import marks
from vaecore.named import PRESETS, declarations
from vaecore.store import Run, Store
from vaecore.training.estimate import Estimate
from vaecore.training.fork import sources

APP = str(Path(__file__).parents[3] / "pages" / "index.py")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    monkeypatch.delenv("VAECORE_DATA", raising=False)
    monkeypatch.setattr(lab, "kick", lambda _: None)  # nothing is trained here
    monkeypatch.setattr("vaecore.lab.jobs.kick", lambda _: None)
    monkeypatch.setattr(measure, "estimate", lambda _: Estimate(5, 10, 42.0, 42.0, source="As if measured."))
    return Store(tmp_path)


def page(session: dict[str, Any] | None = None, **query: str | list[str]) -> AppTest:
    at = AppTest.from_file(APP, default_timeout=60).run()
    for name, value in query.items():
        at.query_params[name] = value
    for name, value in (session or {}).items():
        at.session_state[name] = value
    return good(at.switch_page("train/page.py").run())


def good(at: AppTest) -> AppTest:
    assert not at.exception
    return at


def said(at: AppTest) -> str:
    kinds = (at.caption, at.error, at.warning, at.markdown)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "")


def test_the_address_chooses_the_preset_and_start_writes_that_run(store: Store) -> None:
    at = page(preset="vae-digits")
    assert at.selectbox(key="train:pick").value == "vae-digits"
    at.number_input(key="train.training.epochs").set_value(3).run()
    assert "training.epochs: 60 → **3**" in said(at)
    assert "--preset vae-digits --set training.epochs=3" in at.code[-1].value + at.code[0].value
    assert at.text_input(key="train:name").placeholder == "vae-digits-ep3"
    assert "this configuration already" not in said(at)
    at.text_input(key="train:name").set_value("mine").run()
    good(at.button(key="train-start").click().run())
    [run] = store.runs()
    assert run.id == "mine"
    assert run.config().training.epochs == 3
    assert lab.queue(store.root) == ["mine"]
    assert at.text_input(key="train:name").value == ""
    assert at.button(key="train-start").label == "Add to queue"
    assert at.toast[0].value == "mine is in the queue."
    assert "mine has this configuration already, seed included." in said(at)
    good(at.button(key="train-start").click().run())
    assert "and 1 more have this configuration already, seed included." in said(at)


def test_several_seeds_are_queued_as_a_stack_and_it_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "together", lambda _config, seeds: ("", 2.0 * seeds))
    at = page(preset="vae-digits")
    at.text_input(key="train:name").set_value("many").run()
    at.number_input(key="train:seeds").set_value(3).run()
    assert "3 seeds are trained stacked, in one process; one by one they would take ≈ 2 min" in said(good(at))
    assert next(metric for metric in at.metric if metric.label == "Time").value == "≈ 6 s"
    assert "--seeds 3" in at.code[-1].value + at.code[0].value
    good(at.button(key="train-start").click().run())
    assert lab.queue(store.root) == ["many-0", "many-1", "many-2"]
    assert [run.config().seed for run in sorted(store.runs(), key=lambda run: run.id)] == [0, 1, 2]
    assert len(state.fellows(store.root / "runs" / "many-0")) == 2
    assert at.toast[0].value == "3 seeds are in the queue."
    at.text_input(key="train:name").set_value("many").run()
    assert "already a run called 'many-0'" in said(good(at))


@pytest.mark.parametrize(("name", "words"), [("../x", "cannot be a run's name"), ("Ä b", "cannot be a run's name"),
                                             ("taken", "already a run called 'taken'")])
def test_a_name_that_cannot_be_is_said_and_nothing_starts(store: Store, name: str, words: str) -> None:
    store.create(preset("vae-digits"), "taken")
    at = page(preset="vae-digits")
    at.text_input(key="train:name").set_value(name).run()
    assert words in said(good(at))
    assert at.button(key="train-start").disabled


@pytest.mark.parametrize(("key", "value", "words"), [
    ("training.batch_size", 5000, "more than the 1,297 training observations"),
    ("model.network.hidden", "12, x", "'x' is not a whole number"),
    ("training.learning_rate", 0.0, "too small"),
])
def test_what_does_not_fit_is_said_at_its_field_and_at_the_button(key: str, value: object, words: str
                                                                  ) -> None:
    at = page(preset="vae-digits")
    widget = at.text_input if isinstance(value, str) else at.number_input
    widget(key=f"train.{key}").set_value(value).run()
    assert said(good(at)).count(words) == 2
    assert "Cannot start" in said(at)
    assert at.button(key="train-start").disabled


def test_data_that_is_not_here_offers_a_download_and_touches_no_network(monkeypatch: pytest.MonkeyPatch,
                                                                        tmp_path: Path) -> None:
    asked = []
    monkeypatch.delenv("VAECORE_DATA", raising=False)
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Task, "start", lambda task, *_: asked.append(task.command))
    at = page(preset="pca-mnist")
    at.selectbox(key="train.data.source").set_value("full").run()
    assert "The full MNIST is not on this machine" in said(good(at))
    assert "11.6 MB · CC BY-SA 3.0" in said(at)
    assert at.button(key="train-start").disabled
    assert not asked
    good(at.button(key="train-download-mnist").click().run())
    assert asked == [("data", "--download", "mnist")]


def test_a_licence_is_ticked_before_its_data_are_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []
    monkeypatch.delenv("VAECORE_DATA", raising=False)
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Task, "start", lambda task, *_: asked.append(task.command))
    at = page(preset="sentence-vae-captions")
    assert "2.6 MB · CC BY-NC-SA 4.0" in said(at) and "non-commercial use only" in said(at)
    assert at.button(key="train-download-captions").disabled
    at.checkbox(key="train-accept-captions").check().run()
    good(at.button(key="train-download-captions").click().run())
    assert asked == [("data", "--download", "captions", "--accept-licence")]


def test_a_download_says_how_far_it_is_and_is_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VAECORE_DATA", raising=False)
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    now = Progress(True, ("omniglot: 3.9 of 15.9 MB", "omniglot: 4.0 of 15.9 MB"), 5.0)
    stopped = []
    monkeypatch.setattr(Task, "progress", lambda _: now)
    monkeypatch.setattr(Task, "stop", lambda task: stopped.append(task.called))
    at = page(preset="vae-omniglot")
    [bar] = at.get("progress")
    assert (bar.proto.text, bar.proto.value) == ("Omniglot: 4.0 of 15.9 MB", 25)
    good(at.button(key="train-download-stop-omniglot").click().run())
    assert stopped == ["The download of Omniglot"]
    now = Progress(False, ("omniglot: 4.0 of 15.9 MB", "Stopped. It goes on from there."))
    good(at.run())
    assert "the download goes on from there" in said(at)
    assert at.button(key="train-download-omniglot").label == "Go on with the download"


def test_a_broken_file_says_what_is_wrong_and_a_good_one_fills_the_form() -> None:
    at = page(preset="vae-digits")
    good(at.file_uploader[0].upload("bad.yaml", b"training: {epochs: 0, epoch: 3}").run())
    assert "training.epochs" in said(at)
    assert "Did you mean 'epochs'?" in said(at)
    assert at.selectbox(key="train:pick").value == "vae-digits"
    good(at.file_uploader[0].upload("worse.yaml", b"{a: [").run())
    assert "neither JSON nor YAML" in said(at)
    good(at.file_uploader[0].upload("bytes.yaml", b"\xff\xfe\x00").run())
    assert "cannot be used" in said(at)
    config = preset("vae-digits").model_dump(mode="json") | {"seed": 7}
    good(at.file_uploader[0].upload("good.json", json.dumps(config).encode()).run())
    assert at.number_input(key="train.seed").value == 7
    assert at.selectbox(key="train:pick").value == "file good.json"
    assert "cannot be used" not in said(at)


def test_another_page_can_ask_for_a_run_to_be_trained_again(store: Store) -> None:
    store.create(preset("ae-mnist"), "old")
    at = AppTest.from_file(APP, default_timeout=60).run()
    at.session_state["train_from"] = "old"
    good(at.switch_page("train/page.py").run())
    assert at.selectbox(key="train:pick").value == "run old"
    assert at.selectbox(key="train.model.family").value == "ae"
    at.session_state["train_from"] = "gone"
    assert "There is no run 'gone'" in said(good(at.run()))


def test_an_unknown_preset_in_the_address_is_said() -> None:
    assert "no preset is called 'nonsense'" in said(page(preset="nonsense"))


def test_reset_puts_every_field_back() -> None:
    at = page(preset="vae-digits")
    at.number_input(key="train.training.epochs").set_value(3).run()
    good(at.button(key="train-reset").click().run())
    assert at.number_input(key="train.training.epochs").value == preset("vae-digits").training.epochs
    assert "As in vae-digits" in said(at)


def test_the_queue_takes_out_resumes_removes_and_brings_back(store: Store) -> None:
    run = store.create(preset("vae-digits"), "a.b")
    lab.submit(run.path)
    at = page(preset="vae-digits")
    name = run.id
    assert "0 training, 1 waiting" in said(at)
    good(at.button(key=f"queue-take-{name}").click().run())
    assert lab.status(run.path).state == "stopped"
    good(at.button(key=f"queue-resume-{name}").click().run())
    assert lab.status(run.path).state == "queued"
    good(at.button(key=f"queue-take-{name}").click().run())
    good(at.button(key=f"queue-remove-{name}").click().run())
    assert not store.runs()
    good(at.button(key="queue-undo").click().run())
    assert [r.id for r in store.runs()] == ["a.b"]
    ended = [run, *(store.create(preset("vae-digits"), f"ended-{n}") for n in range(queue.RECENT + 1))]
    assert "2 older runs" in [each.proto.label for each in at.run().get("page_link")]
    marks.archive(ended[1:2])
    assert "1 older run" in [each.proto.label for each in at.run().get("page_link")], "as many as the link lists"


def test_the_queue_says_why_a_run_failed_and_survives_a_broken_folder(store: Store) -> None:
    run = store.create(preset("vae-digits"), "bad")
    (run.path / "exit.json").write_text(json.dumps({"attempt": 1, "state": "failed", "detail": "NaN at step 7. Lower "
                                                    "the rate."}))
    broken = store.create(preset("vae-digits"), "broken")
    (broken.path / "config.json").write_text("{")
    at = page()
    assert "NaN at step 7. Lower the rate." in said(at)
    assert at.button(key="queue-resume-bad")
    good(at.button(key="queue-start-broken").click().run())


@pytest.mark.parametrize(("seconds", "words"), [
    (None, "–"), (0.2, "1 s"), (12.4, "12 s"), (59.6, "60 s"), (90, "2 min"), (3599, "1 h"), (7800, "2 h 10 min"),
    (400_000, "5 days")])
def test_durations_are_said_in_words(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


NAMES = sorted(path.stem for path in PRESETS.glob("*.yaml"))
FIRST = {preset(name).model.tag: name for name in reversed(NAMES)}.values()  # of each family


@pytest.mark.parametrize("name", [name if name in FIRST else pytest.param(name, marks=pytest.mark.slow)
                                  for name in NAMES])
def test_every_preset_is_drawn_and_can_start_where_its_data_is(name: str) -> None:
    at = page(preset=name)
    assert not at.error
    if isinstance(preset(name).data, OwnFile):  # whose place is still to be given
        assert at.button(key="train-start").disabled and "are chosen" in said(at)
    elif not at.warning:  # which says how to get the data
        assert not at.button(key="train-start").disabled


# -- what training will be ---------------------------------------------------------------------------


def charts(at: AppTest) -> list[dict[str, Any]]:
    """Title and points of every chart."""
    specs = [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]
    return [{"title": spec["layout"]["title"]["text"], "x": spec["data"][0]["x"], "y": spec["data"][0]["y"]}
            for spec in specs]


@pytest.mark.parametrize(("kind", "rate"), [("constant", "constant"), ("linear", "cosine"), ("sigmoid", "restarts"),
                                            ("cyclical", "step"), ("points", "constant")])
def test_the_preview_draws_every_schedule(kind: str, rate: str) -> None:
    at = page(preset="vae-digits")
    at.selectbox(key="train.training.beta.kind").set_value(kind).run()
    good(at.selectbox(key="train.training.rate.kind").set_value(rate).run())
    assert [chart["title"] for chart in charts(at)] == ["β, the weight of the KL", "Learning rate"]


def test_a_capacity_draws_its_target_and_free_bits_say_their_floor() -> None:
    at = page(preset="vae-digits")
    latent = preset("vae-digits").model.latent_size
    good(at.selectbox(key="train.training.kl.kind").set_value("free-bits").run())
    assert f"{latent} dimensions, of each a KL of up to 0.1 nats costs nothing." in said(at)
    good(at.selectbox(key="train.training.kl.kind").set_value("free-bits-masked").run())
    assert "of each a KL of up to 0.1 nats costs nothing, at each observation by itself." in said(at)
    good(at.selectbox(key="train.training.kl.kind").set_value("capacity").run())
    at.number_input(key="train.training.kl.nats").set_value(4.0).run()
    target = charts(good(at))[1]
    assert target["title"] == "C, the KL aimed at, in nats"
    assert target["y"][0] == 0
    assert target["y"][-1] == 4


@pytest.mark.parametrize(("name", "dimensions", "latents"), [("dmvae-image-label", 14, 2),
                                                              ("sv2p-variant-moving-mnist", 16, 1)])
def test_free_bits_count_every_latent(name: str, dimensions: int, latents: int) -> None:
    """One dimension was said of every family whose latent size is no single field."""
    at = page(preset=name)
    good(at.selectbox(key="train.training.kl.kind").set_value("free-bits").run())
    assert f"{dimensions} dimensions, of each a KL" in said(at)
    good(at.selectbox(key="train.training.kl.group").set_value("latent").run())
    assert f"{latents} latent{'s' * (latents > 1)}, of each a KL" in said(at)


def test_the_preview_stays_while_a_field_is_wrong() -> None:
    at = page(preset="vae-digits")
    good(at.number_input(key="train.training.epochs").set_value(0).run())
    assert len(charts(at)) == 2
    assert "when the fields were last in order" in said(at)


def test_an_aggressive_encoder_takes_a_range_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "estimate", lambda _: Estimate(5, 10, 15.0, 900.0))
    at = page(preset="lagging-aggressive")
    [time] = [metric for metric in at.metric if metric.label == "Time"]
    assert time.value == "15 s – 15 min"
    assert "stops climbing" in time.help


def test_a_restless_machine_gives_a_range_and_the_place_it_is_known_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "estimate", lambda _: Estimate(5, 10, 40.0, 130.0, source="By 3 runs."))
    at = page(preset="vae-digits")
    [time] = [metric for metric in at.metric if metric.label == "Time"]
    assert time.value == "40 s – 2 min" and "By 3 runs." in time.help and "restless" in time.help


@pytest.mark.parametrize(("busy", "told"), [(1.0, False), (1.2, False), (2.96, True)])
def test_m10_a_busy_machine_is_said_in_words(monkeypatch: pytest.MonkeyPatch, busy: float, told: bool) -> None:
    monkeypatch.setattr(measure, "estimate", lambda _: Estimate(5, 10, 42.0, 42.0, busy))
    at = page(preset="vae-digits")
    [time] = [metric for metric in at.metric if metric.label == "Time"]
    assert time.value == "≈ 42 s"
    [said_of_it] = [each for each in at.caption if "Busy" in each.value] or [None]
    assert (said_of_it is not None) is told
    if said_of_it is not None:
        assert said_of_it.value.endswith("Busy: × 3.0"), "a line of it fits beside the number, and no more"
        assert "This machine is busy" in said_of_it.help and "about 3.0 times as long" in said_of_it.help


def test_m10_what_is_told_is_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("vaecore.comparison.durations.estimate", lambda *_, **__: Estimate(5, 10, 60.0, 90.0, 4.0))
    measure._estimate.clear()
    config = preset("vae-digits")
    assert measure.seconds(config) == (60.0, 90.0) and measure.estimate(config).busy == 4.0
    measure._estimate.clear()


# -- text ------------------------------------------------------------------------------------------


HOSTILE = [f"the <b>cat</b> number {k} sat on the *mat* & `hat` <script>alert(1)</script>" for k in range(40)]


def brought(at: AppTest, *files: tuple[str, bytes]) -> AppTest:
    """Files are uploaded in the dialog."""
    good(at.button(key="train-bring").click().run())
    uploads = [(*file, "application/octet-stream") for file in files]
    return good(at.file_uploader(key="bring:files").set_value(uploads).run())


def own_text(lines: bytes, name: str = "my text.txt") -> AppTest:
    return brought(page(preset="lagging-basic"), (name, lines))


def test_sentences_are_shown_with_what_is_known_of_them() -> None:
    at = page(preset="lagging-basic")
    assert "vocabulary of 1,000 words · longest sentence 10 words" in said(at)
    assert next(h.proto.body for h in at.get("html") if "<p" in h.proto.body).count("<p") == 8


def test_an_own_text_is_kept_by_its_content_and_shown_as_text(store: Store) -> None:
    at = own_text("\n".join(HOSTILE).encode())
    [kept] = (store.root / "data").iterdir()
    assert kept.read_text() == "\n".join(HOSTILE) and kept.name.startswith("my-text-")
    assert not store.runs() and at.selectbox(key="train.data.name").value != "text-file"  # nothing is used yet
    assert "<script" not in "".join(h.proto.body for h in at.get("html"))
    good(at.button(key="bring:use").click().run())
    assert at.selectbox(key="train.data.name").value == "text-file"
    assert at.text_input(key="train.data.path").value == str(kept)
    shown = next(h.proto.body for h in at.get("html") if "<p" in h.proto.body)
    assert "<script" not in shown and "<b" not in shown and "&lt; script &gt;" in shown
    assert ">unknown</mark>" in shown  # numbers that occur once
    good(at.button(key="train-start").click().run())
    assert store.runs()[0].config().data.path == str(kept)


@pytest.mark.parametrize(("data", "words"), [
    (b"", "has 0 sentences|is empty"), (b"\x80\xc3" * 99, "is not UTF-8"), (b"a\0b\n" * 50, "has a 0 byte"),
    (b"x" * 10_001, "10,001 characters"), (b"one\ntwo\n", "has 2 sentences"),
])
def test_a_text_that_cannot_be_used_is_said_in_its_own_name_and_goes_again(store: Store, data: bytes, words: str
                                                                          ) -> None:
    at = own_text(data, "<b>`x`.txt")
    told = " ".join(each.value.replace("\\", "") for each in at.error)
    assert re.search(words, told) and "<b>`x`.txt" in told and str(store.root) not in told
    assert not [button for button in at.button if button.key == "bring:use"]
    good(at.file_uploader(key="bring:files").set_value([]).run())
    assert not list((store.root / "data").iterdir())


def test_the_same_upload_twice_is_one_and_several_files_are_a_folder(store: Store) -> None:
    lines = "\n".join(HOSTILE).encode()
    for _ in range(2):
        at = own_text(lines)
        good(at.button(key="bring:use").click().run())
    assert len([path for path in (store.root / "data").iterdir() if path.suffix == ".txt"]) == 1
    csv = "x\n" + "1\n2\n3\n" * 20
    at = brought(page(preset="vae-digits"), ("pressure.csv", csv.encode()), ("warmth.csv", csv.encode()))
    assert "pressure: 1 number each · warmth: 1 number each" in said(at)
    good(at.button(key="bring:use").click().run())
    [folder] = [path for path in (store.root / "data").iterdir() if path.is_dir()]
    assert sorted(path.name for path in folder.iterdir()) == ["pressure.csv", "warmth.csv"]


def test_what_was_brought_before_is_offered_and_removed_unless_a_run_uses_it(store: Store) -> None:
    at = own_text("\n".join(HOSTILE).encode())
    good(at.button(key="bring:use").click().run())
    good(at.button(key="train-start").click().run())
    at = own_text("\n".join([*HOSTILE, "one more cat"]).encode(), "second.txt")
    good(at.button(key="bring:use").click().run())
    at = page(preset="lagging-basic")
    good(at.button(key="train-bring").click().run())
    good(at.segmented_control(key="bring:from").set_value("Brought before").run())
    second, first = at.selectbox(key="bring:before").options
    assert second.startswith("second.txt · ") and first.startswith("my text.txt · ") and " kB" in first
    good(at.selectbox(key="bring:before").set_value(str(store.runs()[0].config().data.path)).run())
    assert not [button for button in at.button if button.key == "bring:remove" and not button.disabled]
    [path] = [path for path in (store.root / "data").iterdir() if path.name.startswith("second")]
    good(at.selectbox(key="bring:before").set_value(str(path)).run())
    good(at.button(key="bring:remove").click().run())
    assert not path.exists()


def test_a_path_is_named_and_a_broken_one_is_said(store: Store, tmp_path: Path) -> None:
    (tmp_path / "mice.csv").write_text("a,b\n" + "1,2\n3,4\n" * 30)
    at = page(preset="pca-mnist")
    good(at.button(key="train-bring").click().run())
    good(at.segmented_control(key="bring:from").set_value("A path").run())
    good(at.text_input(key="bring:path").set_value(str(tmp_path / "nothing")).run())
    assert any("is not there" in each.value for each in at.error)
    good(at.text_input(key="bring:path").set_value(str(tmp_path / "mice.csv")).run())
    assert "48 train" in said(at).replace("*", "")
    read_as = at.segmented_control(key=f"bring:kind:{tmp_path / 'mice.csv'}")
    assert read_as.value == "table" and len(read_as.options) == 2, "what it is read as by itself is marked"
    good(at.button(key="bring:use").click().run())
    assert at.text_input(key="train.data.path").value == str(tmp_path / "mice.csv")
    assert not (store.root / "data" / "mice.csv").exists()


def test_a_path_that_is_wrong_while_another_field_is_wrong_too_is_said() -> None:
    at = page(preset="lagging-basic")
    at.selectbox(key="train.data.name").set_value("text-file").run()
    at.text_input(key="train.data.path").set_value("/nowhere/at all").run()
    assert "'/nowhere/at all' is not there." in said(good(at))
    good(at.number_input(key="train.training.epochs").set_value(0).run())


# -- from another page -----------------------------------------------------------------------------


@pytest.fixture
def parent(store: Store) -> Run:
    """A trained run, and the store it is in."""
    shutil.copytree(demo.store() / "runs" / "vae", store.root / "runs" / "vae")
    return store.find("vae")


def test_suggested_changes_are_made_and_marked() -> None:
    store = Store.default()
    store.create(preset("vae-digits"), "old")
    at = page({"train_from": "old", "train_changes": ["training.kl.kind=free-bits", "training.kl.nats=0.5"]})
    assert at.number_input(key="train.training.kl.nats").value == 0.5
    assert "training.kl.kind: plain → **free-bits** :material/lightbulb:" in said(at)
    at.number_input(key="train.training.epochs").set_value(3).run()
    assert "training.epochs: 60 → **3**\n" in said(good(at))
    good(at.button(key="train-reset").click().run())
    assert at.number_input(key="train.training.kl.nats").value == 0.5


def test_the_command_of_a_run_reads_no_more_than_the_preset_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    run = changed(preset("vae-digits"), ["training.epochs=7"])
    read: list[str] = []
    declarations()  # which are read once in a process
    monkeypatch.setattr("vaecore.config.preset", lambda name: read.append(name) or preset(name))
    assert command(Origin("run old", "", run.to_json(), run="old"), run) == \
        "vaecore train --preset vae-digits --set training.epochs=7"
    assert read == ["vae-digits"]


def test_what_a_field_holds_is_what_a_browser_paints_first() -> None:
    """Widgets are painted with their default before they hear what the session holds."""
    at = page(preset="vae-digits")
    first: dict[str, tuple[Any, Any]] = {}
    for kind, held in ((at.number_input, "value"), (at.toggle, "value"), (at.text_input, "value"),
                       (at.selectbox, "index")):
        first |= {str(each.key): (each.proto.default, getattr(each, held)) for each in kind
                  if str(each.key).startswith("train.")}
    assert len(first) > 15 and len({type(now) for _, now in first.values()}) > 2
    assert {key: pair for key, pair in first.items() if pair[0] != pair[1]} == {}


def test_changes_that_cannot_be_are_said() -> None:
    Store.default().create(preset("vae-digits"), "old")
    at = page({"train_from": "old", "train_changes": ["training.kl.kind=nonsense"]})
    assert "is left out. training.kl.kind: 'nonsense' is not a choice." in said(at)
    assert at.selectbox(key="train.training.kl.kind").value == "plain"


@pytest.mark.parametrize("query", [True, False])
def test_a_fork_begins_with_the_parents_weights(store: Store, parent: Run, query: bool) -> None:
    last = {source.name: source for source in sources(parent)}["last"]
    asked: dict[str, Any] = {"from": "vae", "weights": "last", "set": "training.beta.kind=constant"}
    session = {"train_from": "vae", "train_fork": "last", "train_changes": ["training.beta.kind=constant"]}
    at = page(**asked) if query else page(session)
    assert {name: at.query_params[name] for name in asked} == asked
    assert f"Fork of vae at step {last.step:,}**: begins with its weights; its data and model stay." in said(at)
    assert not [w for w in (*at.selectbox, *at.number_input) if w.key.startswith(("train.data", "train.model"))]
    at.number_input(key="train.training.epochs").set_value(3).run()
    line = "vaecore fork vae --from last --set training.beta.kind=constant --set training.epochs=3"
    assert line in [code.value for code in at.code]
    at.text_input(key="train:name").set_value("child").run()
    good(at.button(key="train-start").click().run())
    child = store.find("child")
    assert child.about()["parent"] == {"run": "vae", "weights": "last", "step": last.step}
    assert (child.path / "initial.safetensors").is_file()
    assert child.config().model == parent.config().model
    assert child.config().training.epochs == 3
    assert lab.queue(store.root) == ["child"]


@pytest.mark.parametrize("query", [True, False])
def test_a_forks_decoder_begins_anew(store: Store, parent: Run, query: bool) -> None:
    """By the address, or by the switch, which keeps what was entered."""
    at = page(**{"from": "vae", "weights": "best", **({"anew": "decoder"} if query else {})})
    assert "has this configuration already" not in said(at), "its parent began otherwise"
    at.number_input(key="train.training.epochs").set_value(3).run()
    assert at.toggle(key="train-anew").value is query
    if not query:
        good(at.toggle(key="train-anew").set_value(True).run())
    assert at.query_params["anew"] == "decoder"
    line = "vaecore fork vae --from best --anew decoder --set training.epochs=3"
    assert line in [code.value for code in at.code]
    at.text_input(key="train:name").set_value("child").run()
    good(at.button(key="train-start").click().run())
    assert store.find("child").about()["parent"]["anew"] == "decoder"
    assert store.find("child").config().model == parent.config().model


def test_a_fork_can_be_started_afresh_with_what_was_entered(store: Store, parent: Run) -> None:
    at = page(**{"from": "vae", "weights": "best"})
    at.number_input(key="train.training.epochs").set_value(3).run()
    good(at.button(key="train-afresh").click().run())
    assert at.selectbox(key="train:pick").value == "run vae"
    assert at.number_input(key="train.training.epochs").value == 3
    assert at.number_input(key="train.model.latent_size").value == parent.config().model.latent_size
    assert "weights" not in at.query_params
    at.text_input(key="train:name").set_value("fresh").run()
    good(at.button(key="train-start").click().run())
    assert store.find("fresh").about()["parent"] is None
    assert not (store.find("fresh").path / "initial.safetensors").exists()


@pytest.mark.usefixtures("parent")
@pytest.mark.parametrize(("source", "words"), [("77", "it has kept no weights '77'. Choose one of best, last"),
                                               ("../x", "it has kept no weights '../x'.")])
def test_weights_that_are_not_there_are_said(source: str, words: str) -> None:
    at = page(**{"from": "vae", "weights": source})
    assert words in said(at)
    assert at.selectbox(key="train:pick").value == "run vae"


def test_broken_weights_are_said_at_the_start(parent: Run) -> None:
    at = page(**{"from": "vae", "weights": "best"})
    parent.weights.write_bytes(b"nothing")
    at.text_input(key="train:name").set_value("child").run()
    good(at.button(key="train-start").click().run())
    assert "kept no weights 'best'" in said(at)
    at = page(**{"from": "vae", "weights": "last"})  # a checkpoint that is whole does not say what it is of
    at.text_input(key="train:name").set_value("child").run()
    good(at.button(key="train-start").click().run())
    assert "is truncated or not a checkpoint of this program" in said(at)


@pytest.mark.usefixtures("parent")
def test_a_fork_refuses_another_model_in_words() -> None:
    at = page({"train_from": "vae", "train_fork": "best", "train_changes": ["model.latent_size=3"]})
    assert "is left out. A fork keeps its parent's data and model." in said(at)


def test_a_link_to_a_run_that_is_gone_is_said() -> None:
    assert "There is no run 'gone'" in said(page(**{"from": "gone", "weights": "best"}))
    assert "There is no run '../etc'" in said(page(**{"from": "../etc", "weights": "best"}))


def archive(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def test_an_uploaded_archive_of_modalities_is_shown_and_can_be_trained_on(store: Store) -> None:
    data = archive(picture=np.zeros((200, 6, 5), np.uint8), numbers=np.random.randn(200, 3))
    at = page(preset="mvae-image-label")
    at = brought(at, ("mine.npz", data))
    assert "numbers: 3 numbers each · picture: 6 × 5 pixels" in said(at)
    good(at.button(key="bring:use").click().run())
    [kept] = [path for path in (store.root / "data").iterdir() if path.suffix == ".npz"]
    assert at.text_input(key="train.data.path").value == str(kept) and kept.name.startswith("mine-")


@pytest.mark.parametrize(("data", "words"), [
    (b"PK not an archive", "mine.npz"),
    (archive(a=np.zeros((50, 3)), b=np.zeros((49, 3))), "has 49 samples, but 'a' has 50"),
    (archive(a=np.zeros((50, 3))), "has 1 modality")])
def test_an_archive_that_cannot_be_used_is_refused_in_words(store: Store, data: bytes, words: str) -> None:
    at = brought(page(preset="vae-digits"), ("mine.npz", data))
    told = " ".join(each.value.replace("\\", "") for each in at.error)
    assert words in told and str(store.root) not in told
    assert not [button for button in at.button if button.key == "bring:use"]


def test_a_closed_form_asks_for_no_batch_size() -> None:
    def asked(preset: str) -> set[str]:
        return {str(widget.key) for widget in page(preset=preset).number_input if str(widget.key).endswith(
            ("training.batch_size", "training.epochs", "training.learning_rate"))}

    assert len(asked("vae-mlp-mnist")) >= 2 and asked("pca-mnist") == set()


def test_data_that_are_converted_first_show_how_far_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Once: what is kept of them is asked for without a bar, and without reading them again."""
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path))
    load, drawn = Digits.load, list[str]()

    def loaded(config: Digits) -> Any:
        def blocks(start: int) -> Any:
            yield np.zeros((40 - start, 4), np.uint8)
            time.sleep(0.3)
            yield np.zeros((60, 4), np.uint8)

        converted("page", (100, 4), np.uint8, blocks, "the <pictures> of a page")
        return load(config)

    class Place:
        def progress(self, share: float, words: str) -> None:
            drawn.append(f"{share} {words}")

        def empty(self) -> None:
            drawn.append("")

    monkeypatch.setattr(Digits, "load", loaded)
    monkeypatch.setattr(measure.st, "empty", Place)
    measure._dataset.clear()
    measure._look.clear()
    config = RunConfig(data=Digits(train_limit=77))
    assert measure.look(config).sizes["train"] == 77
    assert drawn[0].startswith("0.0 Preparing the ") and drawn[-1] == "" and len(drawn) >= 3
    assert "<pictures>" not in drawn[0]
    before = len(drawn)
    assert measure.look(config).sizes["train"] == 77
    assert len(drawn) == before
    measure._dataset.clear()


def test_a_preset_for_such_data_reads_them_as_it_needs_them(store: Store) -> None:
    file = io.BytesIO()
    rng = np.random.default_rng(0)
    np.savez(file, images=rng.integers(0, 255, (60, 12, 12), dtype=np.uint8), labels=np.arange(60) % 3)
    at = brought(page(preset="mvae-images-labels"), ("faces.npz", file.getvalue()))
    good(at.button(key="bring:use").click().run())
    assert at.selectbox(key="train.data.name").value == "images-labels"
    at = brought(page(preset="vae-images"), ("faces.npz", file.getvalue()))
    good(at.button(key="bring:use").click().run())
    assert at.selectbox(key="train.data.name").value == "images"
    good(at.button(key="train-start").click().run())
    [run] = store.runs()
    assert run.config().data.tag == "images" and run.config().model.likelihood.tag != "bernoulli"
