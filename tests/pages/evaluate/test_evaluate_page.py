"""The Evaluate page: what is asked for, the background, what was found with its settings, and hostile files."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages import demo
from vaecore.evaluate.kept import evaluations as kept
from vaecore.evaluate.parts import PARTS, title
from vaecore.evaluate.settings import Settings
from vaecore.lab import background, task
from vaecore.store import Run

SPEAKS = "import time; print('evidence: 500 of 500'); print('likelihood: 250 of 1000', flush=True); time.sleep(60)"
PARTS_FOUND: dict[str, Any] = {
    "likelihood": {"log_likelihood": -88.25, "standard_error": 0.5, "interval": [-89.5, -87.0], "samples": 500,
                   "observations": 1000, "effective": 0.5, "effective_low": 0.25, "estimator": "importance sampling",
                   "curve": [[1, -91.0], [100, -88.5], [500, -88.25]]},
    "conditionals": {"modalities": {"label": {"given": ["image"], "log_likelihood": -0.25, "standard_error": 0.05,
                                              "effective": 0.5}}, "joint": -88.5, "effective": 0.25, "samples": 500,
                     "observations": 1000},
    "naive": {"estimates": {"prior_printed": -300.0, "prior_corrected": -120.0, "posterior_printed": -80.0,
                            "elbo": -91.0, "posterior_corrected": -88.75}, "samples": 100, "observations": 1000},
    "reconstruction": {"image": {"mse": 0.0123, "psnr": 19.25, "ssim": 0.875, "window": 7, "sigma": 1.5,
                                 "data_range": 1.0, "codes": "posterior means", "observations": 360}},
    "samples": {"frechet": 3.25, "precision": 0.75, "recall": 0.5, "generated": 360, "real": 360, "k": 3, "seed": 0,
                "features": "a classifier", "classifier_digest": "abc", "classifier_accuracy": 0.98,
                "pixels": "means of p(x|z)", "floor": {"frechet": 0.125, "precision": 0.9, "recall": 0.85,
                                                       "observations": 250, "split": "validation"}},
    "probe": {"accuracy": 0.9, "chance": 0.1, "train": 1297, "test": 250, "classes": 10, "codes": "posterior means",
              "encoder_reads_label": False},
    "coherence": {"subsets": [
        {"given": ["image"], "coherence": {"label": 0.875}, "own": {"image": 0.75}, "observations": 250},
        {"given": ["label"], "coherence": {"image": 0.5}, "own": {"label": 1.0}, "observations": 250},
        {"given": ["image", "label"], "coherence": {}, "own": {"image": 0.8, "label": 0.9}, "observations": 250}],
        "joint": 0.625, "joint_commonest": 0.2, "joint_ceiling": 0.97, "joint_samples": 250,
        "ceiling": {"image": 0.98, "label": 1.0},
        "judges": {"image": "a *classifier*", "label": "the likeliest label"}, "chance": 0.11, "observations": 250,
        "seed": 0, "generated": "codes drawn from q(z|given), means of p(x|z)",
        "not_judged": {"words": "words is a text."}},
    "sharing": {"latents": {"shared": {"size": 10, "accuracy": 0.95, "r2": {"style": 0.01}},
                            "private image": {"size": 2, "accuracy": 0.125, "r2": {"style": 0.9}}}, "chance": 0.1,
                "classes": 10, "train": 1297, "test": 250, "codes": "posterior means", "given": ["image"]},
    "style": {"swap": {"r2": 0.9, "changed": 0.85, "stayed": 0.05}, "mixed": {"r2": 0.8, "changed": 0.5, "stayed": 0.4},
              "private": ["private image"], "ceiling": 0.99, "regression": "a regression", "judge": "a classifier",
              "judge_accuracy": 0.98, "factor": "style", "modality": "styled", "pairs": 250, "seed": 0,
              "codes": "drawn from q(z|x), means of p(x|z)"},
    "variance": {"modalities": {"genes": {"joint": 0.5, "individual": 0.25, "residual": 0.25}}, "observations": 250},
    "disentanglement": {"mig": {"score": 0.25}, "sap": {"score": 0.125},
                        "beta_vae": {"not_applicable": "too *few* observations."},
                        "mcc": {"pearson": 0.625, "spearman": 0.5, "matching": {"shape": 2}, "observations": 250,
                                "correlations": {"shape": 0.625}, "codes": "posterior means", "latents": 8,
                                "factors": 1}},
    "video": {"metrics": {"psnr": {"best": [21.5, 15.25], "mean": [20.0, 12.5], "best_of": [[1, 16.25], [5, 18.375]],
                                   "standard_error": 0.5, "unit": "dB", "larger_is_better": True}},
              "diversity": [0.125, 0.375], "edge_energy": [1.0, 0.75],
              "bound": {"neg_elbo": 41.5, "kl": 2.5, "neg_elbo_by_frame": [41.5], "kl_by_frame": [2.5], "frames": 6},
              "prior": {"auc": 0.9375, "sd_at_events": 0.8, "sd_elsewhere": 0.2, "events": 12, "frames": 96},
              "first_seconds": 0.125, "seconds": 2.0, "threads": 1, "clips": 8, "futures": 5, "context": 3,
              "horizon": 2, "window": None}}


def result(*, settings: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A whole result, as `evaluate_run` makes them, with all parts but the cost."""
    asked = {"parts": [part for part in PARTS if part in PARTS_FOUND], **(settings or {})}
    return {"run": "vae", "date": "2026-01-02 03:04", "settings": Settings(**asked).model_dump(mode="json"),
            "split": asked.get("split", "test"), "seed": asked.get("seed", 0), "observations": 250, "data": "digits",
            "pixels": "binary-fixed", "family": "VAE", "likelihood_name": "bernoulli", "exact": False, "has_kl": True,
            "step": 200, "torch": "2.13.0", "vaecore": "0.1", "partial": False, "missing": {}, "not_applicable": {},
            "evidence": {"elbo": -90.5, "reconstruction": {"image": -70.25}, "kl": {"z": [15.0, 5.25]}, "active": 2,
                         "mse": {"image": 0.0123}}, **PARTS_FOUND, **more}


def keep(root: Path, *results: Any, name: str = "vae") -> None:
    """As the evaluations of a run, the step of its own weights in each that has one."""
    from vaecore.training.checkpoints import step_of

    folder = root / "runs" / name
    for each in results:
        if isinstance(each, dict) and each.get("step") == 200:
            each["step"] = step_of(folder / "weights.safetensors")
    (folder / "evaluation.json").write_text(json.dumps(list(results)))


def metrics(at: AppTest) -> dict[str, str]:
    return {each.label: each.value for each in at.metric}


def table(at: AppTest, heading: str) -> Any:
    """The frame of the table that has a column or heading of that kind."""
    frames = {"naive": "Estimate", "matching": "Factor", "rows": "Run", "conditional": "Likelihood",
              "coherence": "Given", "sharing": "Size", "style": "Image", "variance": "Modality",
              "video": "Metric"}
    return [each.value for each in at.dataframe if frames[heading] in each.value.columns]


def headings(at: AppTest) -> list[str]:
    return [each.value for each in at.subheader]


# -- the form --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("root")
def test_a_run_that_was_not_evaluated_says_what_to_do() -> None:
    at = demo.open_page("evaluate", run="vae")
    assert "vae has not been evaluated yet. Choose what to measure above and press Evaluate" in demo.words(at)
    assert not at.metric and not at.warning and not at.error
    assert not at.button(key="evaluate-start").disabled
    assert all(widget.help for widget in [*at.number_input, *at.selectbox, *at.button] if widget.key != "evaluate-run")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """What evaluations were started with, none of which is."""
    found: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(task.Task, "start", lambda self, options: found.append((self.command[1], options)))
    return found


@pytest.mark.usefixtures("root")
def test_the_form_begins_with_the_defaults_and_says_what_it_will_do(asked: list[tuple[str, dict[str, str]]]) -> None:
    at = demo.open_page("evaluate", run="vae")
    at.button(key="evaluate-start").click().run()
    assert asked == [("vae", Settings().words())]
    assert {field.help for field in at.number_input} == {Settings.model_fields[field.key.removeprefix(
        "evaluate-")].description for field in at.number_input}
    numbers = {name: info.default + 1 for name, info in Settings.model_fields.items() if info.annotation is int}
    chosen = {name: numbers.pop(name) for name in ("importance_samples", "observations", "naive_samples", "samples",
                                                   "seed")}
    assert {field.key for field in at.number_input} == {f"evaluate-{name}" for name in chosen}, "none is of clips"
    for name, value in chosen.items():
        at.number_input(key=f"evaluate-{name}").set_value(value)
    at.selectbox(key="evaluate-split").set_value("validation")
    at.run()
    at.button_group(key="evaluate-parts").set_value(["probe", "likelihood"]).run()
    assert {field.key for field in at.number_input} == {"evaluate-importance_samples", "evaluate-observations",
                                                        "evaluate-seed"}, "what neither reads is not asked for"
    at.button(key="evaluate-start").click().run()
    assert not at.exception and asked[1] == ("vae", Settings(
        split="validation", parts=("likelihood", "probe"), importance_samples=501, observations=1001, seed=1).words())
    at.button_group(key="evaluate-parts").set_value([]).run()
    at.button(key="evaluate-start").click().run()
    assert asked[2][1]["parts"] == "none", "the evidence alone"


@pytest.mark.usefixtures("root")
def test_the_form_is_kept_for_another_run(asked: list[tuple[str, dict[str, str]]]) -> None:
    at = demo.open_page("evaluate", run="vae")
    at.number_input(key="evaluate-importance_samples").set_value(50).run()
    at.selectbox(key="evaluate-run").set_value("gallery/shipped").run()
    at.button(key="evaluate-start").click().run()
    at.number_input(key="evaluate-importance_samples").set_value(60)
    at.button(key="evaluate-start").click().run()  # at once, before the page was drawn with the number
    assert asked == [("gallery/shipped", Settings(importance_samples=count).words()) for count in (50, 60)]


@pytest.mark.usefixtures("root")
def test_only_what_has_a_place_is_offered_with_a_total_before_it_starts(asked: list[tuple[str, dict[str, str]]]
                                                                        ) -> None:
    at = demo.open_page("evaluate", run="vae")
    offered = [title(part) for part in ("likelihood", "naive", "reconstruction", "samples", "probe", "cost")]
    assert at.button_group(key="evaluate-parts").options == offered and "7 parts have no place here" in at.expander[
        0].label
    assert "**Coherence**" in demo.words(at) and "this model has one modality." in demo.words(at)
    said = next(each for each in at.caption if "on this machine" in each.value)
    assert re.fullmatch(r"The evidence and 6 parts of 250 observations: \*\*.+\*\* on this machine\.", said.value)
    assert all(f"{part} " in said.help for part in ("Evidence", "Classifier", *offered))
    at.button_group(key="evaluate-parts").set_value(["likelihood", "naive", "reconstruction", "samples", "probe"]).run()
    at.selectbox(key="evaluate-run").set_value("ae").run()
    assert at.button_group(key="evaluate-parts").value == ["reconstruction", "probe"], "cost stays off"
    at.selectbox(key="evaluate-split").set_value("train").run()
    assert at.button_group(key="evaluate-parts").options == ["Reconstruction", "Cost"]
    assert "learns from the training split" in demo.words(at)
    at.button(key="evaluate-start").click().run()
    assert asked == [("ae", Settings(split="train", parts=("reconstruction",)).words())]


@pytest.mark.usefixtures("root")
def test_bad_values_are_refused_in_words(asked: list[tuple[str, dict[str, str]]]) -> None:
    """And not put back to the default behind the visitor's back, as a field with bounds would."""
    at = demo.open_page("evaluate", run="vae")
    for name, value, words in (
            ("importance_samples", 0, "importance\\_samples: 0 importance samples estimate nothing. Use at least 1, or "
                                      "leave the part 'likelihood' out."),
            ("importance_samples", 1_000_000, "importance\\_samples: 1000000 is too large. Use at most 100000."),
            ("observations", -1, "observations: -1 is too small. Use at least 0."),
            ("naive_samples", 0, "naive\\_samples: 0 is too small. Use at least 1."),
            ("samples", 5, "samples: 5 is too small. Use at least 10."),
            ("seed", 2**31, "seed: 2147483648 is too large. Use at most 2147483647.")):
        field = at.number_input(key=f"evaluate-{name}")
        good = field.value
        field.set_value(value).run()
        assert not at.exception, at.exception
        assert [error.value for error in at.error] == [words]
        assert at.button(key="evaluate-start").disabled and asked == []
        at.number_input(key=f"evaluate-{name}").set_value(good)
    at.run()
    assert not at.error and not at.button(key="evaluate-start").disabled


def test_the_same_settings_say_that_they_replace(root: Path) -> None:
    keep(root, result(settings={"parts": list(PARTS)}))
    at = demo.open_page("evaluate", run="vae")
    assert "These settings have a result below; a new one replaces it." in demo.words(at)
    at.number_input(key="evaluate-seed").set_value(1).run()
    assert "a new one replaces it" not in demo.words(at)


# -- in the background -----------------------------------------------------------------------------


class StandIn:
    """What is run instead of the evaluation."""

    def __init__(self) -> None:
        self.code, self.commands = SPEAKS, list[list[str]]()
        self.started: list[subprocess.Popen[bytes]] = []


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    made, real = StandIn(), subprocess.Popen

    def popen(command: list[str], **rest: Any) -> Any:
        made.commands.append(command)
        made.started.append(real([sys.executable, "-c", made.code], **rest))
        return made.started[-1]

    monkeypatch.setattr(task.subprocess, "Popen", popen)
    yield made
    for process in made.started:
        process.kill()


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def test_started_followed_and_cancelled(root: Path, stand_in: StandIn) -> None:
    run = Run(root / "runs" / "vae")
    at = demo.open_page("evaluate", run="vae")
    at.button(key="evaluate-start").click().run()
    assert not at.exception and len(stand_in.started) == 1
    assert stand_in.commands[0][1:5] == ["-m", "vaecore", "evaluate", "vae"]
    until(lambda: len(background.evaluation(run).progress().lines) == 2)
    at.run()
    shown = at.get("progress")[0].proto
    assert shown.text == "Likelihood: 25%, step 2 of 8" and 0 < shown.value < 100, "of the whole"
    assert " in all" in demo.words(at)
    keys = [button.key for button in at.button]
    assert "evaluate-stop" in keys and "evaluate-start" not in keys, "no second one"
    at.button(key="evaluate-stop").click().run()
    until(lambda: not background.evaluation(run).progress().running)
    at.run()
    assert not at.exception and not at.warning, "it was asked to end"
    assert "likelihood: 250 of 1000" in demo.words(at), "its last words"
    assert not at.button(key="evaluate-start").disabled and kept(run) == []


@pytest.mark.usefixtures("root")
def test_while_it_runs_nobody_is_asked_to_press_a_button_that_is_not_there(stand_in: StandIn) -> None:
    at = demo.open_page("evaluate", run="vae")
    at.button(key="evaluate-start").click().run()
    assert stand_in.started and "evaluate-start" not in [button.key for button in at.button]
    said = demo.words(at)
    assert "has not been evaluated yet" not in said and "press Evaluate" not in said
    assert "vae is being evaluated for the first time" in said


@pytest.mark.usefixtures("root")
def test_another_run_can_be_evaluated_beside_it(stand_in: StandIn) -> None:
    at = demo.open_page("evaluate", run="vae")
    at.button(key="evaluate-start").click().run()
    at.selectbox(key="evaluate-run").set_value("ae").run()
    assert not at.exception and "evaluate-stop" not in [button.key for button in at.button]
    at.button(key="evaluate-start").click().run()
    assert [command[4] for command in stand_in.commands] == ["vae", "ae"]


def test_a_second_start_is_refused_in_words(root: Path, stand_in: StandIn) -> None:
    """Somebody else has begun it since the page was drawn."""
    at = demo.open_page("evaluate", run="vae")
    background.evaluation(Run(root / "runs" / "vae")).start(Settings().words())
    at.button(key="evaluate-start").click().run()
    assert not at.exception and len(stand_in.started) == 1
    assert "The evaluation of vae is running already: wait, or stop it." in at.error[0].value
    assert "evaluate-stop" in [button.key for button in at.button]


@pytest.mark.parametrize(("code", "warned"), [
    ("print('evidence: 1 of 2'); print('DataUnavailable: no *data*'); print()", "no \\*data\\*"),
    ("print('ELBO'); print('kept in /x/evaluation.json')", ""), ("pass", "")])
def test_a_try_without_a_result_is_told_by_its_last_words(root: Path, stand_in: StandIn, code: str, warned: str
                                                          ) -> None:
    stand_in.code = code
    at = demo.open_page("evaluate", run="vae")
    at.button(key="evaluate-start").click().run()
    until(lambda: not background.evaluation(Run(root / "runs" / "vae")).progress().running)
    at.run()
    assert not at.exception and bool(at.warning) == bool(warned)
    if warned:
        assert "ended without a result" in at.warning[0].value and warned in at.warning[0].value


def test_one_that_a_terminal_began_cannot_be_cancelled_from_here(root: Path) -> None:
    job = background.evaluation(Run(root / "runs" / "vae"))
    with job.alone():
        at = demo.open_page("evaluate", run="vae")
        assert at.get("progress")[0].proto.text == "Getting ready …"
        at.button(key="evaluate-stop").click().run()
        assert not at.exception and "cannot be stopped from here" in at.error[0].value


# -- what was found --------------------------------------------------------------------------------


def test_all_parts_are_shown_with_units_and_settings(root: Path) -> None:
    keep(root, result())
    at = demo.open_page("evaluate", run="vae")
    assert headings(at) == ["Evidence", "log p(x)", *(title(part) for part in PARTS_FOUND if part != "likelihood")]
    found = {"ELBO": "−90.50 nats", "Reconstruction": "−70.25 nats", "KL": "20.25 nats", "Active": "2",
             "log p(x)": "−88.25 nats", "95 % interval": "−89.50 to −87.00", "Effective samples": "250 of 500",
             "PSNR": "19.25 dB", "SSIM": "0.875", "Precision": "75.0%", "Recall": "50.0%", "Accuracy": "90.0%",
             "Chance": "10.0%", "MIG": "0.250", "SAP": "0.125", "MCC": "0.625",
             "ELBO a frame": "−41.50 nats", "KL a frame": "2.50 nats", "Diversity": "0.2500", "Edge energy": "75.0%",
             "AUC of the prior's σ": "0.938", "Roll-out": "2 s"}
    assert found.items() <= metrics(at).items()
    assert {each.delta for each in at.metric if each.label.startswith("AUC")} == {"σ 0.800 there, 0.200 elsewhere"}
    assert "β-VAE score" not in metrics(at) and all(each.help for each in at.metric)
    said = demo.words(at)
    for words in ("250 observations of test · digits · pixels binary-fixed · likelihood bernoulli · seed 0",
                  "K = 500 · 1,000 observations of test · seed 0", "M = 100 samples · 1,000 observations of test",
                  "From K = 100 to K = 500 the estimate rose by 0.25 nats, 0.11 per doubling",
                  "360 samples, as means of p(x|z), and 360 images of test · k = 3 neighbours · seed 0",
                  "Real images of validation in the place of samples", "image · decoded posterior means · 360",
                  "posterior means · 1,297 codes to learn from, 250 of test to judge · 10 classes",
                  "β-VAE score does not apply: too \\*few\\* observations.", "torch 2.13.0"):
        assert words in said, words
    [naive] = table(at, "naive")
    assert naive["Estimate"].tolist() == ["(13) as printed", "(13) corrected", "(14) as printed", "ELBO",
                                          "(14) corrected"]
    assert naive["Above log p(x)"].tolist() == [-211.75, -31.75, 8.25, -2.75, -0.5]
    [matching] = table(at, "matching")
    assert matching.to_dict("records") == [{"Factor": "shape", "Latent": 2, "Correlation": 0.625}]
    [futures] = table(at, "video")
    assert futures.to_dict("records") == [{"Metric": "PSNR, dB", "Mean": "16.25", "Best of 5": "18.38", "±": "0.5000",
                                           "First frame": "21.50", "Last frame": "15.25"}]
    assert "8 clips · 3 frames given, 2 predicted, which alone count" in said
    [chart] = at.get("plotly_chart")
    assert json.loads(chart.proto.spec)["data"][1]["y"] == [-91.0, -88.5, -88.25]
    assert not at.warning and not at.error


def test_copying_the_last_frame_stands_beside_a_model_of_clips(root: Path) -> None:
    video = copy.deepcopy(PARTS_FOUND["video"])
    video["metrics"]["psnr"]["copied"] = [50.0, 36.5]
    video |= {"clips": 32, "sources": 4}
    keep(root, result(video=video))
    at = demo.open_page("evaluate", run="vae")
    [futures] = table(at, "video")
    assert (futures["Mean"].item(), futures["Copying"].item()) == ("16.25", "43.25")
    assert "32 windows of 4 clips · 3 frames given" in demo.words(at)


def test_several_modalities_say_which_was_given_and_what_the_ceiling_is(root: Path) -> None:
    keep(root, result())
    at = demo.open_page("evaluate", run="vae")
    assert {"Joint": "62.5%", "Commonest": "20.0%"}.items() <= metrics(at).items()
    crossed, own = table(at, "coherence")
    assert crossed["Given"].tolist() == ["image", "label", "(real)"], "everything given, nothing is left to generate"
    assert crossed["→ label"].fillna(-1).tolist() == [0.875, -1, 1.0]
    assert crossed["→ image"].fillna(-1).tolist() == [-1, 0.5, 0.98]
    assert own["Given"].tolist() == ["image", "label", "image + label", "(real)"]
    [conditional] = table(at, "conditional")
    assert conditional["Likelihood"].tolist() == ["log p(label | image)", "log p(all)"]
    assert conditional["Effective"].tolist() == [250.0, 125.0]
    [sharing] = table(at, "sharing")
    assert sharing.to_dict("list") == {"Latent": ["shared", "private image"], "Size": [10, 2], "Label": [0.95, 0.125],
                                       "R² of style": [0.01, 0.9]}
    [style] = table(at, "style")
    assert style["Image"].tolist() == ["Swap", "Mixed pair", "(real, of j)"]
    assert style["Style"].tolist() == [0.9, 0.8, 0.99]
    [variance] = table(at, "variance")
    assert variance.to_dict("records") == [{"Modality": "genes", "Joint": 0.5, "Individual": 0.25, "Residual": 0.25}]
    said = demo.words(at)
    for words in ("codes (private image) from j, the shared one from i", "words is a text.",
                  "image: a \\*classifier\\*", "Chance 10.0%",
                  "codes drawn from q(z|given), means of p(x|z) · 250 observations of test · seed 0"):
        assert words in said, words


def test_reasons_that_are_the_same_are_told_once(root: Path) -> None:
    facts = result(not_applicable=dict.fromkeys(("coherence", "style"), "this model has one modality."))
    keep(root, {name: value for name, value in facts.items() if name not in ("coherence", "style")})
    said = demo.words(demo.open_page("evaluate", run="vae"))
    assert "**Coherence**, **Style under swap** do not apply: this model has one modality." in said


@pytest.mark.parametrize(("change", "words"), [
    ({"effective_low": 0.01}, "the 500 samples are worth at most 5.0"),
    ({"curve": [[1, -91.0], [100, -88.3], [500, -88.25]]}, "rose by 0.05 nats, 0.02 per doubling: it has flattened."),
    ({"curve": [[500, -88.25]]}, ""), ({"interval": [1]}, "")])
def test_what_an_estimate_is_worth_is_told(root: Path, change: dict[str, Any], words: str) -> None:
    keep(root, result(likelihood=PARTS_FOUND["likelihood"] | change))
    at = demo.open_page("evaluate", run="vae")
    assert words in demo.words(at) and bool(at.warning) == ("effective_low" in change)
    assert len(at.get("plotly_chart")) == (1 if words else 0)


def test_exact_and_unbounded_families_are_called_what_they_are(root: Path) -> None:
    exact = PARTS_FOUND["likelihood"] | {"samples": 0, "curve": []}
    keep(root, result(has_kl=False, exact=True, likelihood=exact, log_z={"value": 1.5, "standard_error": 0.25}))
    at = demo.open_page("evaluate", run="vae")
    assert "ELBO" not in metrics(at) and "Effective samples" not in metrics(at)
    assert metrics(at)["log Z"] == "1.500 ± 0.250" and "Estimate · 1,000 observations" in demo.words(at)
    keep(root, result(has_kl=False, exact=True, likelihood=exact))
    assert "Exact · 1,000 observations" in demo.words(demo.open_page("evaluate", run="vae"))
    keep(root, result(has_kl=False, exact=True, likelihood=exact, pixels="grey"))
    at = demo.open_page("evaluate", run="vae")
    assert "No log p · 1,000 observations" in demo.words(at) and "log p(x)" not in metrics(at)
    keep(root, result(has_kl=False))
    assert metrics(demo.open_page("evaluate", run="vae"))["log p(x|z)"] == "−90.50 nats"


def test_perplexity_of_a_text(root: Path) -> None:
    evidence = {"elbo": -22.0, "reconstruction": {"text": -20.0}, "kl": {"z": [2.0]}, "active": 1,
                "tokens": {"text": 11.0}}
    keep(root, result(evidence=evidence))
    assert metrics(demo.open_page("evaluate", run="vae"))["Perplexity"] == "7.39"


def test_a_label_that_the_encoder_was_given_is_told(root: Path) -> None:
    keep(root, result(probe=PARTS_FOUND["probe"] | {"encoder_reads_label": True}))
    assert "says nothing of what it reads from x" in demo.open_page("evaluate", run="vae").warning[0].value


def test_a_partial_result_is_marked_and_says_what_is_missing(root: Path) -> None:
    facts = result(partial=True, missing={"likelihood": "900 of 1,000 observations", "naive": "not begun"},
                   settings={"parts": ["likelihood", "naive"]})
    for part in (*PARTS_FOUND,):
        if part != "likelihood":
            facts.pop(part)
    keep(root, result(), facts)
    at = demo.open_page("evaluate", run="vae")
    assert "cancelled. Missing: likelihood: 900 of 1,000 observations; naive estimates: not begun." in \
        at.warning[0].value
    assert headings(at) == ["Evidence", "log p(x)", "Every evaluation of this run"]
    chooser = at.selectbox(key="evaluate-shown-vae")
    assert [option.endswith(" · partial") for option in chooser.options] == [True, False], "the newest first"
    [history] = table(at, "rows")
    assert history["Date"].tolist() == ["2026-01-02 03:04 (partial)", "2026-01-02 03:04"]
    chooser.set_value("2026-01-02-03-04").run()
    assert not at.exception and not at.warning and "Linear probe" in headings(at)


@pytest.mark.usefixtures("asked")
def test_the_new_one_is_shown_when_it_has_ended_and_a_link_means_the_same_one(root: Path) -> None:
    first, second, third = (result(date=f"2026-01-0{day} 03:04", settings={"seed": day}) for day in (1, 2, 3))
    keep(root, first, second)
    at = demo.open_page("evaluate", run="vae", evaluation="2026-01-01-03-04")
    with background.evaluation(Run(root / "runs" / "vae")).alone():
        at.button(key="evaluate-start").click().run()
        assert at.selectbox(key="evaluate-shown-vae").value == "2026-01-01-03-04", "the earlier one meanwhile"
    keep(root, second, first | {"date": "2026-01-03 03:04"})  # in the place of the first
    chooser = at.run().selectbox(key="evaluate-shown-vae")
    assert chooser.value == "2026-01-03-03-04" and chooser.proto.set_value, "the browser is told, and drops its own"
    at.selectbox(key="evaluate-shown-vae").set_value("2026-01-02-03-04").run()
    keep(root, second, first, third)
    assert at.run().selectbox(key="evaluate-shown-vae").value == "2026-01-02-03-04", "what was chosen since stays"
    at = demo.open_page("evaluate", run="vae", evaluation="2026-01-02-03-04")
    assert at.selectbox(key="evaluate-shown-vae").value == "2026-01-02-03-04" and not at.exception


def test_what_does_not_apply_and_what_was_not_asked_for_are_told(root: Path) -> None:
    facts = result(not_applicable={"probe": "this data set has no *labels*."},
                   settings={"parts": ["likelihood", "probe"]})
    facts.pop("probe")
    keep(root, facts)
    said = demo.words(demo.open_page("evaluate", run="vae"))
    assert "**Linear probe** does not apply: this data set has no \\*labels\\*." in said
    assert "Not asked for: conditional likelihoods, naive estimates, reconstruction, samples, coherence" in said


def test_numbers_of_other_weights_are_told(root: Path) -> None:
    keep(root, result(step=7))
    at = demo.open_page("evaluate", run="vae")
    assert "found of the weights of step 7; the run has those of step" in at.warning[0].value
    (root / "runs" / "vae" / "weights.safetensors").write_bytes(b"\0" * 90)
    at = demo.open_page("evaluate", run="vae")
    assert "cannot be opened" in at.error[0].value and "ELBO" in metrics(at)


# -- beside other runs -----------------------------------------------------------------------------


def test_runs_stand_beside_each_other_only_with_the_same_settings(root: Path) -> None:
    keep(root, result())
    keep(root, result(likelihood={"log_likelihood": -50.0, "observations": 1000}), name="collapsed")
    keep(root, result(settings={"importance_samples": 50}), result(settings={"seed": 1}), name="ae")
    at = demo.open_page("evaluate", run="vae")
    [rows] = table(at, "rows")
    assert headings(at)[-1] == "Beside other runs" and rows["Run"].tolist() == ["vae", "collapsed"]
    assert rows["log p(x)"].tolist() == [-88.25, -50.0] and rows["K"].tolist() == [500, 500]
    assert "All on test, K = 500, 1,000 observations, seed 0; same data, pixels and likelihood. 1 other run is left " \
        "out" in demo.words(at)


def test_errors_of_several_modalities_stand_beside_each_other_each_under_its_name(root: Path) -> None:
    for name, mse in (("vae", {"image": 0.25, "sound": 4.0}), ("collapsed", {"image": 0.5, "sound": 3.0})):
        keep(root, result(evidence={**result()["evidence"], "mse": mse}), name=name)
    [rows] = table(demo.open_page("evaluate", run="vae"), "rows")
    assert "MSE" not in rows  # 4.25 would be an error of nothing
    assert rows["MSE of image"].tolist() == [0.25, 0.5] and rows["MSE of sound"].tolist() == [4.0, 3.0]


@pytest.mark.parametrize("change", [
    {"settings": {"split": "validation"}}, {"settings": {"observations": 5}}, {"settings": {"seed": 9}},
    {"settings": {"importance_samples": 9}}, {"data": "other digits"}, {"pixels": "grey"},
    {"likelihood_name": "gaussian"}, {"partial": True}])
def test_what_does_not_compare_is_not_compared(root: Path, change: dict[str, Any]) -> None:
    keep(root, result())
    keep(root, result(**change), name="collapsed")
    at = demo.open_page("evaluate", run="vae")
    assert table(at, "rows") == [] and "Beside other runs" not in headings(at)
    left = "1 other run is left out: evaluated with other settings, or on other data, pixels or likelihood."
    assert (left in demo.words(at)) == ("partial" not in change)


def test_the_newest_that_compares_is_taken_and_other_parts_do_not_matter(root: Path) -> None:
    keep(root, result())
    keep(root, result(settings={"parts": ["likelihood"]}),
         result(settings={"parts": ["likelihood", "probe"]}, date="2026-02-02"), result(settings={"seed": 3}),
         name="collapsed")
    [rows] = table(demo.open_page("evaluate", run="vae"), "rows")
    assert rows["Date"].tolist() == ["2026-01-02 03:04", "2026-02-02"]


def test_a_partial_result_is_set_beside_nothing(root: Path) -> None:
    keep(root, result(partial=True, missing={"probe": "not begun"}))
    keep(root, result(), name="collapsed")
    assert table(demo.open_page("evaluate", run="vae"), "rows") == []


def test_a_shipped_run_is_read_with_what_came_with_it(root: Path) -> None:
    shutil.copytree(root / "runs" / "vae", root / "gallery" / "other")
    keep(root, result())
    shutil.move(root / "runs" / "vae" / "evaluation.json", root / "gallery" / "shipped" / "evaluation.json")
    (root / "evaluations").mkdir()
    (root / "evaluations" / "shipped.json").write_text(json.dumps([result(settings={"seed": 1})]))
    at = demo.open_page("evaluate", run="gallery/shipped")
    [history] = table(at, "rows")
    assert history["Seed"].tolist() == [1, 0] and metrics(at)["ELBO"] == "−90.50 nats"


# -- hostile files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "[7]", "\0", '[{"settings": {}}]', "[" * 100_000])
def test_a_damaged_file_is_a_run_that_was_not_evaluated(root: Path, content: str) -> None:
    (root / "runs" / "vae" / "evaluation.json").write_text(content)
    at = demo.open_page("evaluate", run="vae")
    assert "has not been evaluated yet" in demo.words(at) and not at.error


HOSTILE = '<img src=x onerror=alert(1)> [a](javascript:b) ![c](http://d/e.png) **f** $g$ `h`\n# i \ud800'


def filled(value: Any, by: Any) -> Any:
    """The same with `by` in the place of everything that is not a group."""
    if isinstance(value, dict):
        return {key: filled(part, by) for key, part in value.items()}
    return by


@pytest.mark.parametrize("has_kl", [True, False])
@pytest.mark.parametrize("by", [HOSTILE, None, [HOSTILE], {HOSTILE: HOSTILE}, -1, 1e300, [[1e300, 1e300], [2, 1]]],
                         ids=lambda by: repr(by)[:20])
def test_hostile_values_are_shown_harmlessly(root: Path, by: Any, has_kl: bool) -> None:
    facts = result()
    odd = {name: filled(part, by) for name, part in facts.items() if name not in ("settings", "partial")}
    odd["likelihood"] |= {"interval": [-1.0, 1.0]}  # so that its curve is drawn
    odd |= {"missing": {HOSTILE: by}, "not_applicable": {HOSTILE: by}, "partial": True, "has_kl": has_kl,
            "exact": not has_kl}
    keep(root, facts | odd)
    at = demo.open_page("evaluate", run="vae")
    assert any("This evaluation was cancelled" in each.value for each in at.warning) and len(at.metric)
    for words in demo.words(at).splitlines():
        assert "<img" not in words.replace("\\<", "") and "](" not in words.replace("\\]", "")
        assert "**f**" not in words and "$g$" not in words


def test_its_address_holds_the_view(root: Path) -> None:
    keep(root, result(), result(settings={"seed": 1}))
    at = demo.keeps_its_view("evaluate", "split", "importance_samples", "seed", "evaluation", run="vae", off="cost")
    assert at.number_input(key="evaluate-seed").value == 1
    assert at.selectbox(key="evaluate-shown-vae").value == "2026-01-02-03-04", "the first of that minute"
    assert demo.of_address(at)["off"] == ["cost"] and "cost" not in at.button_group(key="evaluate-parts").value
