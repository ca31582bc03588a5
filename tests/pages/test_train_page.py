"""The Train page: what a visitor can do on it, and what it says when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app_pages.parts import measure, queue
from vaecore import lab
from vaecore.config import preset
from vaecore.store import Store

APP = str(Path(__file__).parents[2] / "app.py")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    monkeypatch.delenv("VAECORE_DATA", raising=False)
    monkeypatch.setattr(lab, "kick", lambda _: None)  # nothing is trained here
    monkeypatch.setattr("vaecore.lab.jobs.kick", lambda _: None)
    monkeypatch.setattr(measure, "seconds", lambda _: (42.0, 42.0))
    return Store(tmp_path)


def page(**query: str) -> AppTest:
    at = AppTest.from_file(APP, default_timeout=60).run()
    for name, value in query.items():
        at.query_params[name] = value
    return good(at.switch_page("app_pages/train.py").run())


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
    at.text_input(key="train:name").set_value("mine").run()
    good(at.button(key="train-start").click().run())
    [run] = store.runs()
    assert run.id == "mine"
    assert run.config().training.epochs == 3
    assert lab.queue(store.root) == ["mine"]
    assert at.text_input(key="train:name").value == ""
    assert at.button(key="train-start").label == "Add to queue"
    assert at.toast[0].value == "mine is in the queue."


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
    import vaecore.data.mnist as mnist

    asked = []
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(mnist.MNIST, "download", staticmethod(lambda: asked.append(1)))
    at = page(preset="pca-mnist")
    at.selectbox(key="train.data.source").set_value("full").run()
    assert "The full MNIST is not on this machine" in said(good(at))
    assert at.button(key="train-start").disabled
    assert not asked
    good(at.button(key="train-download").click().run())
    assert asked == [1]


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
    good(at.switch_page("app_pages/train.py").run())
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
    name = queue._slug(run)
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


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "1 s"), (12.4, "12 s"), (59.6, "60 s"), (90, "2 min"),
                                                (3599, "1 h"), (7800, "2 h 10 min"), (400_000, "5 days")])
def test_durations_are_said_in_words(seconds: float, words: str) -> None:
    assert queue.duration(seconds) == words
