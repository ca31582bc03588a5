"""An evaluation as a whole: what is found, what a cancelled one keeps, what does not apply, and what is refused."""

from __future__ import annotations

import json
import math
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import call
from vaecore import cli
from vaecore.evaluate.kept import evaluations
from vaecore.evaluate.likelihood import Cancelled
from vaecore.evaluate.offer import Offer, offer
from vaecore.evaluate.part import several
from vaecore.evaluate.parts import PARTS
from vaecore.evaluate.report import evaluate_run
from vaecore.evaluate.results import Result
from vaecore.evaluate.settings import Settings
from vaecore.lab import LabError, background
from vaecore.schema import ConfigError
from vaecore.store import Run, Store

QUICK: dict[str, Any] = {"importance_samples": 20, "observations": 120, "naive_samples": 10, "samples": 60}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, configure: Callable[..., Any]) -> Store:
    """A VAE and an autoencoder of digits, and a VAE of vectors, each after one epoch."""
    from tests.pages.demo import Unwatched
    from vaecore.training import train

    made = Store(tmp_path_factory.mktemp("report"))
    network, training = {"kind": "mlp", "hidden": [16]}, {"epochs": 1, "batch_size": 32, "checkpoints": 0}
    digits = {"name": "digits", "train_limit": 200}
    for name, data, model in (
            ("vae", digits, {"family": "vae"}), ("ae", digits, {"family": "ae"}),
            ("vectors", {"name": "gaussian", "size": 100}, {"family": "vae", "likelihood": {"kind": "gaussian"}})):
        config = configure({"data": data, "model": {**model, "latent_size": 3, "network": network},
                            "training": training})
        train(made.create(config, name).path, Unwatched())
    return made


@pytest.fixture
def vae(store: Store) -> Iterator[Run]:
    """The VAE, without what an earlier test has kept of it."""
    run = store.find("vae")
    yield run
    (run.path / "evaluation.json").unlink(missing_ok=True)


def settings(*parts: str, **more: Any) -> Settings:
    return Settings(parts=parts, **{**QUICK, **more})  # type: ignore[arg-type]


class Told:
    """Hears how far an evaluation is, and wants it to end once `part` has come so far."""

    def __init__(self, part: str = "", done: int = 0) -> None:
        self.part, self.done, self.lines, self.asked = part, done, list[tuple[str, int, int]](), False

    def __call__(self, part: str, done: int, total: int) -> None:
        self.lines.append((part, done, total))
        self.asked |= part == self.part and done >= self.done

    def cancelled(self) -> bool:
        return self.asked


def cut(run: Run, chosen: Settings, part: str, done: int = 0) -> dict[str, Any]:
    told = Told(part, done)
    return evaluate_run(run, chosen, progress=told, cancelled=told.cancelled)


# -- what is found ---------------------------------------------------------------------------------


def test_the_evidence_always_is_and_only_the_parts_asked_for(vae: Run) -> None:
    found = evaluate_run(vae, settings())
    evidence = found["evidence"]
    assert evidence["elbo"] == pytest.approx(evidence["reconstruction"]["image"] - sum(evidence["kl"]["z"]))
    assert evidence["elbo"] != vae.summary()["test"]["elbo"], "other noise: the seed is that of the settings"
    assert evidence["elbo"] == pytest.approx(vae.summary()["test"]["elbo"], rel=0.02)
    assert not set(PARTS) & found.keys()
    assert (found["partial"], found["missing"], found["not_applicable"]) == (False, {}, {})
    assert (found["split"], found["seed"], found["likelihood_name"], found["step"]) == ("test", 0, "bernoulli", 6)
    assert found["observations"] == evidence["observations"] == 250
    assert (found["has_kl"], found["exact"]) == (True, False)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_same_settings_find_the_same(vae: Run) -> None:
    chosen = settings("likelihood", "naive")
    one, again, other = (evaluate_run(vae, settings("likelihood", "naive", seed=seed)) for seed in (0, 0, 1))
    assert one["settings"] == chosen.model_dump(mode="json")
    for part in ("evidence", *chosen.parts):
        assert one[part] == again[part] != other[part], part
    assert one["likelihood"]["log_likelihood"] >= one["naive"]["estimates"]["elbo"]
    assert (one["likelihood"]["samples"], one["naive"]["samples"]) == (20, 10)
    assert one["likelihood"]["observations"] == one["naive"]["observations"] == 120


def test_a_split_and_all_its_observations(vae: Run) -> None:
    found = evaluate_run(vae, settings("naive", split="train", observations=0))
    assert found["split"] == "train" and found["naive"]["observations"] == found["observations"] == 200


def test_it_tells_how_far_each_part_is(vae: Run) -> None:
    told = Told()
    evaluate_run(vae, settings("likelihood", "reconstruction"), progress=told)
    assert list(dict.fromkeys(part for part, *_ in told.lines)) == ["evidence", "likelihood", "reconstruction"]
    assert told.lines[-1] == ("reconstruction", 250, 250) and ("likelihood", 120, 120) in told.lines
    assert all(done <= total for _, done, total in told.lines)


# -- cancelled -------------------------------------------------------------------------------------


def test_cancelled_in_the_likelihood_it_is_that_of_the_observations_done(vae: Run) -> None:
    found = cut(vae, settings("likelihood", "naive", "probe", "video", observations=250), "likelihood", 1)
    done = found["likelihood"]["observations"]
    assert 0 < done < 250 and found["partial"] is True
    assert found["missing"] == {"likelihood": f"{250 - done} of 250 observations", "naive": "not begun",
                                "probe": "not begun"}, "and not the futures of clips"
    assert "naive" not in found and "probe" not in found
    whole = evaluate_run(vae, settings("likelihood", observations=done))
    assert found["likelihood"] == whole["likelihood"] and found["evidence"] == whole["evidence"]


def test_cancelled_in_the_naive_estimates_they_are_of_the_observations_done(vae: Run) -> None:
    found = cut(vae, settings("naive", observations=250), "naive", 1)
    assert found["naive"]["observations"] == 100 and found["missing"] == {"naive": "150 of 250 observations"}
    whole = evaluate_run(vae, settings("naive", observations=100))
    assert found["naive"] == whole["naive"]


@pytest.mark.parametrize("part", ["reconstruction", "samples", "probe"])
def test_a_part_that_is_broken_off_leaves_those_before_it(vae: Run, part: str) -> None:
    order = ["likelihood", "reconstruction", *["samples"] * (part == "samples"), "probe"]  # whose classifier takes long
    found = cut(vae, settings(*order), part)
    place = order.index(part)
    assert found["missing"] == {part: "broken off", **dict.fromkeys(order[place + 1:], "not begun")}
    assert [name for name in order if name in found] == order[:place] and found["partial"]


def test_cancelled_before_anything_was_found_there_is_no_result(vae: Run) -> None:
    with pytest.raises(Cancelled):
        evaluate_run(vae, settings(), cancelled=lambda: True)
    found = cut(vae, settings("likelihood"), "likelihood")  # begun, not one observation done
    assert found["missing"] == {"likelihood": "broken off"} and "likelihood" not in found
    assert math.isfinite(found["evidence"]["elbo"])


# -- what does not apply ---------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "more", "reasons"), [
    ("ae", {}, {"likelihood": "no prior, so log p(x) is not defined", "naive": "no prior",
                "samples": "no prior to sample from", "disentanglement": "factors behind this data set are not known"}),
    ("vectors", {}, {"samples": "a classifier of images, and this data set has none",
                     "probe": "this data set has no labels", "disentanglement": "factors"}),
    ("vae", {"split": "train", "samples": 10}, {"probe": "learns from the training split: judge on test or validation",
                                                "disentanglement": "factors"})])
def test_what_has_no_place_says_why(store: Store, monkeypatch: pytest.MonkeyPatch, name: str, more: dict[str, Any],
                                    reasons: dict[str, str]) -> None:
    if name == "vae":
        unjudged = replace(PARTS["samples"], find=lambda _subject: Result())  # no classifier for this
        monkeypatch.setitem(PARTS, "samples", unjudged)
    parts = [part for part in PARTS if part != "cost"]
    told = offer(store.find(name), settings(*parts, **more))
    found = evaluate_run(store.find(name), settings(*parts, **more))
    of_several = [name for name, part in PARTS.items() if several in part.applies]
    reasons = reasons | dict.fromkeys(of_several, "this model has one modality.") | {"video": "no model of clips"}
    assert found["not_applicable"].keys() == reasons.keys()
    for part, words in reasons.items():
        assert words in found["not_applicable"][part] and part not in found
    assert found["partial"] is False, "what does not apply is not missing"
    assert {part: told.not_applicable[part] for part in reasons} == found["not_applicable"], "and is known before"
    assert told.parts == tuple(part for part in parts if part in found)
    assert all(told.took[part] > 0 for part in told.parts) and told.seconds < sum(told.took.values()) < told.at_most
    assert told.share(told.parts[-1], 1) == pytest.approx(1) and told.share("evidence", 0) == 0
    assert set(parts) == {part for part in parts if part in found} | reasons.keys()


def test_what_it_would_do_is_said_by_the_command_and_nothing_done(vae: Run, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[Offer] = [offer(vae, settings("likelihood", "video", importance_samples=k)) for k in (20, 2_000)]
    assert told[1].took["likelihood"] == pytest.approx(100 * told[0].took["likelihood"]), "as many codes"
    assert call(["evaluate", "vae", "--store", str(vae.store_root), "--estimate", "--parts", "likelihood,video",
                 "--json"]) == 0
    [said] = json.loads(capsys.readouterr().out)
    assert said["parts"] == ["likelihood"] and said["not_applicable"] == told[0].not_applicable
    assert 0 < said["seconds"] < said["at_most"] and evaluations(vae) == []


def test_an_error_of_ours_is_no_reason(vae: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_subject: object) -> Result:
        raise ZeroDivisionError

    monkeypatch.setitem(PARTS, "naive", replace(PARTS["naive"], find=broken))
    with pytest.raises(ZeroDivisionError):
        evaluate_run(vae, settings("naive"))


# -- the command -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "words"), [
    (["-k", "0"], ["importance_samples: 0 importance samples estimate nothing", "at least 1", "'likelihood'"]),
    (["--importance-samples", "-3"], ["importance_samples: -3", "at least 1"]),
    (["-k", "100001"], ["importance_samples: 100001 is too large", "at most 100000"]),
    (["--naive-samples", "0"], ["naive_samples: 0 is too small", "at least 1"]),
    (["--limit", "-1"], ["observations: -1 is too small", "at least 0"]),
    (["--samples", "5"], ["samples: 5 is too small", "at least 10"]),
    (["--seed", "-1"], ["seed: -1 is too small", "at least 0"]),
    (["--split", "tset"], ["split: 'tset' is not a choice", "'test'"]),
    (["--parts", "likelihood,hearts"], ["parts.1: 'hearts' is not a choice", "'likelihood'"])])
def test_bad_settings_are_refused_in_words(vae: Run, capsys: pytest.CaptureFixture[str], options: list[str],
                                           words: list[str]) -> None:
    assert call(["evaluate", "vae", "--store", str(vae.path.parents[1]), *options]) == cli.WRONG
    said = capsys.readouterr().err
    assert all(word in said for word in words) and "Traceback" not in said, said
    assert evaluations(vae) == []


def test_it_is_kept_with_its_settings_and_told_with_units(vae: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["evaluate", "vae", "--store", str(vae.path.parents[1]), "--parts", "likelihood,naive", "-k", "20",
                "--limit", "50", "--naive-samples", "10", "--seed", "3"]) == 0
    said = capsys.readouterr()
    [kept] = evaluations(vae)
    assert kept["settings"] == Settings(parts=("likelihood", "naive"), importance_samples=20, observations=50,
                                        naive_samples=10, seed=3).model_dump(mode="json")
    assert f"{kept['likelihood']['log_likelihood']:.3f} nats, 95 %" in said.out
    assert "K = 20" in said.out and "50 observations" in said.out and "M = 10" in said.out
    assert said.err.splitlines()[-1] == f"kept in {vae.path / 'evaluation.json'}"
    assert background.reached(tuple(said.err.splitlines())) == ("naive", 1.0)


def test_interrupted_it_keeps_what_is_done(vae: Run, capsys: pytest.CaptureFixture[str],
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C, when the naive estimates begin."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    line = background.line

    def said(part: str, done: int, total: int) -> str:
        if (part, total) == ("naive", 0):
            signal.raise_signal(signal.SIGINT)
        return line(part, done, total)

    monkeypatch.setattr(background, "line", said)
    ask = ["evaluate", "vae", "--store", str(vae.path.parents[1]), "-k", "20", "--limit", "50", "--parts"]
    assert call([*ask, "likelihood,naive,probe"]) == cli.evaluating.STOPPED
    told = capsys.readouterr().err
    assert "this result is partial. Missing: naive estimates (broken off); linear probe (not begun)." in told
    [kept] = evaluations(vae)
    assert kept["partial"] and kept["likelihood"]["observations"] == 50
    assert kept["missing"] == {"naive": "broken off", "probe": "not begun"}
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_interrupted_before_anything_it_keeps_nothing(vae: Run, capsys: pytest.CaptureFixture[str],
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    line = background.line

    def said(part: str, done: int, total: int) -> str:
        signal.raise_signal(signal.SIGINT)
        monkeypatch.setattr(background, "line", line)  # once
        return line(part, done, total)

    monkeypatch.setattr(background, "line", said)
    monkeypatch.setattr("vaecore.training.validation.EVALUATED_AT_ONCE", 50)  # so that it can end between two
    assert call(["evaluate", "vae", "--store", str(vae.path.parents[1])]) == cli.evaluating.STOPPED
    assert "nothing is kept" in capsys.readouterr().err
    assert evaluations(vae) == []
    shutil.copytree(vae.path, vae.path.with_name("next"))  # ... and what was found of another before is told
    evaluated = cli.evaluating._evaluated

    def once(run: Run, *arguments: Any, **words: Any) -> Any:
        if run.id == "next":
            monkeypatch.setattr(background, "line", said)
        return evaluated(run, *arguments, **words)

    monkeypatch.setattr(cli.evaluating, "_evaluated", once)
    assert call(["evaluate", "vae", "next", "--parts", "none", "--json", "--store", str(vae.path.parents[1])]
                ) == cli.evaluating.STOPPED
    assert [found["run"] for found in json.loads(capsys.readouterr().out)] == ["vae"]


def test_one_that_is_running_is_not_begun_twice(vae: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with background.evaluation(vae).alone():
        assert call(["evaluate", "vae", "--store", str(vae.path.parents[1])]) == cli.WRONG
        with pytest.raises(LabError):
            background.evaluation(vae).start(Settings().words())
    assert "The evaluation of vae is running already: wait, or stop it." in capsys.readouterr().err


def test_a_result_that_cannot_be_written_is_still_told(vae: Run, capsys: pytest.CaptureFixture[str],
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vaecore.evaluate.kept.write_json_atomic", full)
    assert call(["evaluate", "vae", "--store", str(vae.path.parents[1]), "--parts", "none"]) == cli.evaluating.FAILED
    said = capsys.readouterr()
    assert "ELBO" in said.out and "not kept: The disk is full: free some space" in said.err


def test_weights_that_are_no_numbers_are_told_in_words(vae: Run, capsys: pytest.CaptureFixture[str]) -> None:
    from safetensors import safe_open
    from safetensors.torch import save_file

    path = vae.path / "weights.safetensors"
    whole = path.read_bytes()
    with safe_open(path, "pt") as file:
        header, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    try:
        save_file({name: tensor * math.nan for name, tensor in tensors.items()}, path, header)
        assert call(["evaluate", "vae", "--store", str(vae.path.parents[1]), "--parts", "none"]) == cli.WRONG
    finally:
        path.write_bytes(whole)
    assert "gives likelihoods that are not finite" in capsys.readouterr().err.replace("\n", " ")
    assert evaluations(vae) == []


# -- what is refused before a training -------------------------------------------------------------


def refused(capsys: pytest.CaptureFixture[str], root: Path, *changes: str) -> str:
    assert call(["train", "--preset", "vae-digits", "--store", str(root),
                 *(part for change in changes for part in ("--set", change))]) == cli.WRONG
    assert not (root / "runs").exists(), "no run is left behind"
    return capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize("kind", ["mixture", "vamp", "aggregated"])
def test_more_components_than_data_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    said = refused(capsys, tmp_path, f"model.prior.kind={kind}", "model.prior.components=101", "data.train_limit=100")
    assert "model.prior.components: 101 components, but there are 100 training observations. Use at most 100." in said


def test_as_many_components_as_data_are_not(configure: Callable[..., Any]) -> None:
    from vaecore.training.build import check

    config = configure({"data": {"name": "digits", "train_limit": 100}, "training": {"batch_size": 50, "epochs": 100},
                        "model": {"family": "vae", "prior": {"kind": "vamp", "components": 100}}})
    check(config, config.data.load())


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """A table of 60 rows, of which some lack a class or an age, as the configuration of a conditional model."""
    def made(missing: list[int], covariate: str, prior: str = "conditional") -> dict[str, Any]:
        rows = [f"{i},{i % 7},{'' if i in missing else 'ab'[i % 2]},{'NA' if i in missing else i / 10}"
                for i in range(60)]
        path = tmp_path / "own.csv"
        path.write_text("\n".join(["size,weight,kind,age", *rows]))
        kind = "label" if covariate == "kind" else "numbers"
        return {"data": {"name": "table", "path": str(path), "columns": "size,weight", "covariate": covariate,
                         "covariate_kind": kind},
                "model": {"family": "vae", "latent_size": 2, "network": {"kind": "mlp", "hidden": [4]},
                          "likelihood": {"kind": "gaussian"}, "prior": {"kind": prior}},
                "training": {"batch_size": 16, "epochs": 4}}

    return made


@pytest.mark.parametrize("covariate", ["kind", "age"])
def test_a_covariate_that_some_rows_lack_is_refused_where_a_prior_needs_it(
        configure: Callable[..., Any], own: Callable[..., dict[str, Any]], covariate: str) -> None:
    from vaecore.training.build import build

    values = configure(own([3, 20, 40], covariate))
    dataset = values.data.load()
    lacking = {split: [row for row in range(len(part)) if (
        part.labels[row] < 0 if part.labels is not None else math.isnan(part.covariate[row, 0]))]
        for split, part in dataset.splits.items()}
    split, rows = next((split, rows) for split, rows in lacking.items() if rows)
    with pytest.raises(ConfigError, match=rf"^model\.prior\.kind: the covariate is missing for {len(rows)} of "
                       rf"{len(dataset.splits[split])} observations of the {split} split \(rows "
                       rf"{', '.join(map(str, rows))}, counted from 0\)\. .*Fill them in or leave those") as caught:
        build(values, dataset)
    [fault] = caught.value.problems
    assert (fault.field, fault.value) == ("model.prior.kind", "conditional") and "no covariate" in fault.remedy
    for missing, prior in (([], "conditional"), ([3, 20, 40], "standard")):
        config = configure(own(missing, covariate, prior))
        build(config, config.data.load())


def test_a_covariate_that_only_test_rows_lack_is_refused_too(configure: Callable[..., Any],
                                                             own: Callable[..., dict[str, Any]]) -> None:
    from vaecore.training.build import check

    splits = configure(own([], "age")).data.load().splits
    sizes = {split: part.arrays["vector"][:, 0].tolist() for split, part in splits.items()}  # they ascend in the file
    row = sorted(size for part in sizes.values() for size in part).index(sizes["test"][0])
    config = configure(own([row], "age"))
    with pytest.raises(ConfigError, match=r"missing for 1 of 6 observations of the test split \(rows 0, counted"):
        check(config, config.data.load())


def test_the_command_refuses_such_a_table_before_it_makes_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                                own: Callable[..., dict[str, Any]]) -> None:
    path = own([3], "kind")["data"]["path"]
    said = refused(capsys, tmp_path / "store", "data.name=table", f"data.path={path}", "data.covariate=kind",
                   "data.columns=size", "model.network.kind=mlp", "model.likelihood.kind=gaussian",
                   "model.prior.kind=conditional", "training.batch_size=16")
    assert "model.prior.kind: the covariate is missing for 1 of" in said and "counted from 0" in said
