"""The loop: its signs, its schedules, its lines, and that a kill at any moment changes nothing."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from vaecore.schema import ConfigError
from vaecore.store import STEP_COLUMNS, Metrics, Run
from vaecore.training import loop, train, validation
from vaecore.training.checkpoints import load_model
from vaecore.training.feed import Feed
from vaecore.training.loop import TrainingFailed
from vaecore.training.rates import ConstantRate, CosineRate, StepRate
from vaecore.training.schedules import ConstantBeta, LinearBeta
from vaecore.training.validation import evaluate

CPU = torch.device("cpu")
TIMES = ("seconds", "samples_per_second", "evaluation_seconds")
SMALL: dict[str, Any] = {
    "data": {"name": "digits", "train_limit": 256},
    "model": {"family": "vae", "latent_size": 4, "network": {"kind": "mlp", "hidden": [16]}},
    "training": {"epochs": 3, "batch_size": 64}}
Start = Callable[..., Path]
Make = Callable[..., Any]


def small(model: dict[str, Any] | None = None, **training: Any) -> dict[str, Any]:
    return {**SMALL, "model": {**SMALL["model"], **(model or {})}, "training": {**SMALL["training"], **training}}


def read(folder: Path) -> Metrics:
    metrics = Metrics(folder / "metrics.jsonl")
    metrics.update()
    return metrics


# -- a kill at any moment --------------------------------------------------------------------------

# One process imports torch once and forks an attempt after another; it never computes anything itself.
KILLER = textwrap.dedent("""
    import json, os, random, signal, sys, time
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    import sklearn.datasets
    import torch._dynamo  # what every optimizer imports at its first step
    from vaecore import files
    from vaecore.training import loop, train

    class Watch:
        def __init__(self, pause): self.pause = pause
        def stop_requested(self): return False
        def progress(self, step, total, epoch): time.sleep(self.pause)

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    def attempt(folder, pause=0.0, die_at_sync=0, delay=None):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                count = 0
                def counted(descriptor):
                    nonlocal count
                    count += 1
                    if count == die_at_sync: die()  # before or after a rename; a kill spares what was not synced
                files.os.fsync = counted
                code = 0 if train(Path(folder), Watch(pause)) == "finished" else 3
            except BaseException:
                import traceback
                traceback.print_exc()
            finally:
                os._exit(code)
        if delay is not None:
            end = time.monotonic() + delay
            while time.monotonic() < end:
                if os.waitpid(pid, os.WNOHANG)[0]: return None
                time.sleep(0.002)
            os.kill(pid, signal.SIGKILL)
        return os.waitpid(pid, 0)[1]

    def position(folder):
        path = Path(folder) / "checkpoint.safetensors"
        if not path.exists(): return -1
        from safetensors import safe_open
        with safe_open(path, "np") as file: return json.loads(file.metadata()["vaecore"])["step"]

    whole, broken, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
    random.seed(seed)
    assert attempt(whole) == 0
    deaths = []
    for number in (1, 8, 13, 14, 15, 16, 17):  # while saving
        status = attempt(broken, die_at_sync=number)
        assert status is not None and os.WTERMSIG(status) == signal.SIGKILL, (number, status)
        deaths.append(position(broken))
    for _ in range(3):  # and at any moment
        if attempt(broken, pause=0.01, delay=random.uniform(0.3, 0.9)) is None: break
        deaths.append(position(broken))
    assert attempt(broken) == 0
    print("DEATHS", json.dumps(deaths))
""")


@pytest.mark.parametrize("model", [
    {"network": {"kind": "conv", "channels": [4, 8], "dense": 16}, "likelihood": {"kind": "gaussian-learned"}},
    {"network": {"kind": "mlp", "hidden": [16]}, "n_samples": 2}], ids=["conv", "mlp"])
def test_killed_and_resumed_ends_with_the_same_bits(start: Start, model: dict[str, Any]) -> None:
    conv = model["network"]["kind"] == "conv"
    values = small(model, epochs=5, batch_size=32, evaluate_every=0.4, clip_norm=5.0, rate={"kind": "cosine"},
                   keep="last" if conv else "best", optimizer="adamw" if conv else "adam", weight_decay=0.01)
    values["data"] = {"name": "digits", "train_limit": 256, "pixels": "grey" if conv else "binary-dynamic"}
    whole, broken = start(values, name="whole", train=False), start(values, name="broken", train=False)
    done = subprocess.run([sys.executable, "-c", KILLER, str(whole), str(broken), "7"], capture_output=True, text=True,
                          timeout=200, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    deaths = json.loads(done.stdout.split("DEATHS", 1)[1])
    assert deaths[0] == -1  # before there was anything to resume from
    assert len({step for step in deaths if 0 < step < 40}) >= 3, deaths  # at several places on the way
    for name in ("checkpoint.safetensors", "weights.safetensors", "examples.safetensors"):
        expected, found = load_file(whole / name), load_file(broken / name)
        assert expected.keys() == found.keys()
        for key, tensor in expected.items():
            assert tensor.dtype == found[key].dtype
            assert torch.equal(tensor, found[key]), f"{name}: {key}"
    assert any(key.startswith("optimizer.") for key in load_file(whole / "checkpoint.safetensors"))
    assert timeless(whole) == timeless(broken)
    assert len(timeless(whole)) == 40 + 1 + 14  # steps, the evaluation before them, one in three, and the last
    assert not list(broken.glob("*.tmp*"))


def timeless(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in TIMES} for line in lines]


def test_stopped_and_resumed_is_the_same_run(start: Start, watch: Any) -> None:
    whole = start(small(), name="whole")
    parts = start(small(), name="parts", control=watch(stop_at=5))
    assert read(parts).steps["step"] == [0, 1, 2, 3, 4]
    again = watch()
    assert train(parts, again) == "finished"
    assert [step for step, _, _ in again.told] == list(range(6, 13))
    assert again.told[-1] == (12, 12, 3.0)
    assert timeless(whole) == timeless(parts)
    expected, found = load_file(whole / "weights.safetensors"), load_file(parts / "weights.safetensors")
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_lines_after_the_checkpoint_are_gone_at_once(start: Start, watch: Any) -> None:
    """What a killed attempt had written beyond its checkpoint must not stand behind what the next one writes."""
    folder = start(small(), control=watch(stop_at=5))
    whole = (folder / "metrics.jsonl").read_bytes()
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(whole * 3 + b'{"kind": "st')
    train(folder, watch(stop_at=6))
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["kind"] == "step"] == [0, 1, 2, 3, 4, 5]
    assert (folder / "metrics.jsonl").read_bytes().startswith(whole)


def test_lost_metrics_do_not_become_nul_bytes(start: Start, watch: Any) -> None:
    folder = start(small(), control=watch(stop_at=5))
    lines = (folder / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:20])  # as a power cut leaves it
    train(folder, watch())
    text = (folder / "metrics.jsonl").read_bytes()
    assert b"\0" not in text
    assert [json.loads(line)["step"] for line in text.splitlines()][-1] == 12  # every line can be read


# -- one step --------------------------------------------------------------------------------------


def test_loss_is_beta_times_kl_minus_reconstruction(trainer: Make) -> None:
    made, _ = trainer(small(beta={"kind": "constant", "value": 3.0}))
    evidence = made.model.elbo(made.feed.batch(made._indices(0), torch.Generator().manual_seed(0)),
                               torch.Generator().manual_seed(0))
    made.step(0)
    [line] = made.flush()
    assert line["loss"] == pytest.approx(3 * line["kl"] - line["reconstruction"], rel=1e-5)
    assert line["neg_elbo"] == pytest.approx(line["kl"] - line["reconstruction"], rel=1e-6)
    assert line["reconstruction"] == pytest.approx(evidence.total_reconstruction().mean().item(), rel=1e-5)
    assert line["kl"] == pytest.approx(evidence.total_kl().mean().item(), rel=1e-5)
    assert line["kl"] > 0 > line["reconstruction"]


def test_a_step_is_one_adam_step_down_the_loss(trainer: Make) -> None:
    """Against Adam's first step worked out by hand: every weight moves by the rate against its gradient's sign."""
    made, _ = trainer(small(beta={"kind": "constant", "value": 2.0}, learning_rate=0.01))
    before = [p.detach().clone() for p in made.model.parameters()]
    x = made.feed.batch(made._indices(0), torch.Generator())
    generator = torch.Generator().manual_seed(0)  # as the trainer's, whose seed is 0
    evidence = made.model.elbo(x, generator)
    gradients = torch.autograd.grad(2 * evidence.kl["z"].sum(1).mean() - evidence.reconstruction["image"].mean(),
                                    list(made.model.parameters()))
    made.step(0)
    for old, new, gradient in zip(before, made.model.parameters(), gradients, strict=True):
        torch.testing.assert_close(new.detach(), old - 0.01 * gradient / (gradient.abs() + 1e-8), atol=2e-5, rtol=0)
    norm = torch.cat([g.flatten() for g in gradients]).norm()
    assert made.flush()[0]["grad_norm"] == pytest.approx(norm.item(), rel=1e-4)


def test_clipping_happens_after_the_backward_pass_and_before_the_step(trainer: Make) -> None:
    made, _ = trainer(small(clip_norm=0.5))
    seen: list[float] = []
    update = made.optimizer.step

    def look(*args: Any) -> Any:
        seen.append(torch.cat([p.grad.flatten() for p in made.parameters]).norm().item())
        return update(*args)

    made.optimizer.step = look
    for step in range(4):
        made.step(step)
    lines = made.flush()
    assert all(line["grad_norm"] > 0.5 for line in lines)  # the log holds the length before
    assert seen == pytest.approx([0.5] * 4, rel=1e-3)


def test_beta_and_rate_of_the_schedule_reach_the_step(trainer: Make) -> None:
    made, _ = trainer(small(beta={"kind": "linear", "fraction": 0.5}, rate={"kind": "step", "factor": 0.1, "drops": 1},
                            learning_rate=0.01), run=False)
    rates = []
    for step in range(made.total):
        made.step(step)
        rates.append(made.optimizer.param_groups[0]["lr"])
    lines = made.flush()
    assert [line["beta"] for line in lines] == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6] + [1] * 6)
    assert rates == pytest.approx([0.01] * 6 + [0.001] * 6)
    assert [line["rate"] for line in lines] == pytest.approx(rates)
    assert lines[0]["loss"] == pytest.approx(-lines[0]["reconstruction"])  # beta is 0 there


def test_penalties_are_added(trainer: Make) -> None:
    made, _ = trainer({**small(), "model": {"family": "linear-ae", "latent_size": 3, "l2": 2.0}})
    squares = sum(p.square().sum().item() for p in made.parameters if p.ndim == 2)
    made.step(0)
    [line] = made.flush()
    assert line["loss"] == pytest.approx(-line["reconstruction"] + squares, rel=1e-5)
    assert line["kl"] == 0


# -- schedules -------------------------------------------------------------------------------------


def test_linear_beta_at_its_corners() -> None:
    ramp = LinearBeta(start=0.5, end=2.5, fraction=0.1)
    assert ramp(0, 1000) == 0.5
    assert ramp(50, 1000) == pytest.approx(1.5)
    assert ramp(99, 1000) < 2.5
    assert ramp(100, 1000) == ramp(101, 1000) == ramp(999, 1000) == ramp.final() == 2.5
    whole = LinearBeta(fraction=1)
    assert whole(0, 10) == 0
    assert whole(9, 10) == pytest.approx(0.9)
    assert whole(10, 10) == 1  # where the last evaluation stands
    assert LinearBeta()(0, 1) == 0
    assert ConstantBeta(value=4)(0, 10) == ConstantBeta(value=4)(9, 10) == ConstantBeta(value=4).final() == 4


@pytest.mark.parametrize(("start", "end"), [(0.03, 0.3), (0.03, 0.41), (0.1, 0.7), (3.0, 0.1)])
def test_linear_beta_ends_exactly_at_its_end(start: float, end: float) -> None:
    """Patience runs once beta equals its final value: rounding must not keep it just beside."""
    assert LinearBeta(start=start, end=end)(900, 1000) == end


def test_rates_at_their_corners() -> None:
    assert ConstantRate()(0, 10) == ConstantRate()(9, 10) == 1
    plain = CosineRate(warmup=0, final=0.1)
    assert plain(0, 1000) == 1
    assert plain(500, 1000) == pytest.approx(0.55)
    assert plain(1000, 1000) == pytest.approx(0.1)
    warm = CosineRate(warmup=0.1, final=0)
    assert 0 < warm(0, 1000) < 0.02
    assert warm(99, 1000) < 1
    assert warm(100, 1000) == 1
    rising, falling = [warm(s, 1000) for s in range(101)], [warm(s, 1000) for s in range(100, 1000)]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    assert 0 < falling[-1] < 1e-4
    steps = StepRate(factor=0.5, drops=2)
    assert [steps(s, 9) for s in range(9)] == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert steps(0, 0) == 1


# -- the data of a step ----------------------------------------------------------------------------


def test_order_is_a_pure_function_of_seed_and_epoch(trainer: Make) -> None:
    made, dataset = trainer(small())
    feed, twin = made.feed, Feed(dataset, "train", CPU)
    orders = {(seed, epoch): feed.order(seed, epoch).tolist() for seed in (0, 1) for epoch in (0, 1, 2)}
    torch.manual_seed(99)
    assert all(twin.order(*key).tolist() == order for key, order in reversed(orders.items()))
    assert all(sorted(order) == list(range(256)) for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) == 6


def test_an_epoch_visits_every_observation_once(trainer: Make) -> None:
    made, _ = trainer(small())
    for epoch in range(2):
        visited = torch.cat([made._indices(epoch * 4 + index) for index in range(4)])
        assert sorted(visited.tolist()) == list(range(256))


def test_dynamic_pixels_differ_between_visits_but_not_between_runs(trainer: Make) -> None:
    values = {**small(), "data": {"name": "digits", "train_limit": 256, "pixels": "binary-dynamic"}}
    made, dataset = trainer(values)
    index = torch.arange(256)
    visits = [made.feed.batch(index, made.generator)["image"] for _ in range(200)]
    again = [trainer(values)[0].feed.batch(index, torch.Generator().manual_seed(0))["image"] for _ in range(2)]
    assert not torch.equal(visits[0], visits[1])
    assert torch.equal(again[0], again[1]) and torch.equal(again[0], visits[0])
    assert set(torch.stack(visits).unique().tolist()) == {0.0, 1.0}
    grey = made.feed.all()["image"]
    assert (torch.stack(visits).mean(0) - grey).abs().max() < 5 * 0.5 / math.sqrt(200)
    assert (torch.stack(visits).mean() - grey.mean()).abs() < 0.002
    validation = Feed(dataset, "validation", CPU)
    once, twice = (torch.cat([batch["image"] for batch in validation.in_order(100)]) for _ in range(2))
    assert torch.equal(once, twice)
    assert set(once.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(validation.batch(torch.arange(250), made.generator)["image"], once)


# -- evaluation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [
    {"family": "ae", "latent_size": 3, "network": {"kind": "mlp", "hidden": [16]}},
    {"family": "vae", "latent_size": 3, "network": {"kind": "mlp", "hidden": [16]},
     "likelihood": {"kind": "gaussian-learned"}}], ids=["ae", "vae"])
def test_evaluation_is_an_exact_mean_whatever_the_batches(trainer: Make, monkeypatch: pytest.MonkeyPatch,
                                                          family: dict[str, Any]) -> None:
    made, dataset = trainer({**small(), "model": family}, run=True)
    feed = Feed(dataset, "validation", CPU)
    x = feed.all()["image"]
    found = []
    for size in (250, 100, 7):  # 250 observations: the last batches hold 250, 50 and 5
        monkeypatch.setattr(validation, "BATCH", size)
        found.append(evaluate(made.model, feed, seed=3))
    with torch.no_grad():
        code = made.model.encode({"image": x})["z"]
        p = made.model.decode({"z": code.mean})["image"]
        mse = (p.mean - x).double().square().mean().item()
        log_prob = p.log_prob(x).double().mean().item()
    for result in found:
        assert result.observations == 250
        assert result.mse["image"] == pytest.approx(mse, rel=1e-5)
        assert result.code_mean["z"] == pytest.approx(code.mean.double().mean(0).tolist(), rel=1e-4, abs=1e-6)
        variances = code.mean.double().var(0, unbiased=False)
        assert result.code_variance["z"] == pytest.approx(variances.tolist(), rel=1e-4)
        assert result.active == int((variances > 0.01).sum())
        if family["family"] == "ae":
            assert result.elbo == result.reconstruction["image"] == pytest.approx(log_prob, rel=1e-5)
            assert result.kl == {}
        else:
            kl = 0.5 * (code.mean**2 + code.logvar.exp() - code.logvar - 1).double().mean(0)
            assert result.kl["z"] == pytest.approx(kl.tolist(), rel=1e-4)
            assert result.elbo == pytest.approx(result.reconstruction["image"] - kl.sum().item(), rel=1e-5)


def test_evaluation_draws_the_same_noise_each_time(trainer: Make) -> None:
    made, dataset = trainer(small(), run=True)
    feed = Feed(dataset, "validation", CPU)
    state = torch.random.get_rng_state()
    first = evaluate(made.model, feed, seed=5)
    torch.rand(3)
    made.generator.manual_seed(77)
    assert evaluate(made.model, feed, seed=5) == first
    assert evaluate(made.model, feed, seed=6).elbo != first.elbo
    torch.random.set_rng_state(state)


def test_active_counts_dimensions_whose_code_moves(trainer: Make) -> None:
    made, dataset = trainer(small({"network": {"kind": "linear"}}))
    feed = Feed(dataset, "validation", CPU)
    x = feed.all()["image"].flatten(1)
    head = made.model.encoder[1]
    with torch.no_grad():
        head.weight.zero_()
        head.weight[0, 20] = 0.0101**0.5 / x[:, 20].std(unbiased=False)
        head.weight[1, 20] = 0.0099**0.5 / x[:, 20].std(unbiased=False)
        head.bias[2] = 5.0  # far from the prior's mean, and constant: not active
    assert evaluate(made.model, feed, seed=0).active == 1


# -- a whole run -----------------------------------------------------------------------------------


def test_metrics_have_one_whole_line_a_step(start: Start) -> None:
    folder = start(small(epochs=30))
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["kind"] == "step"]
    assert [line["step"] for line in steps] == list(range(120))
    assert all(set(line) == {"kind", *STEP_COLUMNS} for line in steps)
    evaluations = [line for line in lines if line["kind"] == "evaluation"]
    assert [line["step"] for line in evaluations] == list(range(0, 121, 4))
    assert [line["epoch"] for line in evaluations] == list(range(31))
    assert all(len(line["kl"]["z"]) == 4 and line["observations"] == 250 for line in evaluations)
    assert evaluations[-1]["elbo"] > evaluations[0]["elbo"] + 5  # it learns
    for line in evaluations:
        assert line["elbo"] == pytest.approx(line["reconstruction"]["image"] - sum(line["kl"]["z"]), rel=1e-6)
    assert Run(folder).summary()["test"]["observations"] == 250


def scoring(found: validation.Evaluation, elbo: float) -> validation.Evaluation:
    """The same evaluation with this ELBO, all of it reconstruction."""
    return replace(found, elbo=elbo, reconstruction={"image": elbo}, kl={})


def test_the_best_is_judged_at_the_final_beta() -> None:
    found = validation.Evaluation(-70.0, {"a": -20.0, "b": -40.0}, {"z": [7.0, 3.0]}, {}, {}, {}, 1)
    assert (found.objective(0.0), found.objective(1.0), found.objective(4.0)) == (-60.0, found.elbo, -100.0)


def test_keep_best_keeps_the_best(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted = iter([-50.0, -40.0, -30.0, -35.0, -45.0])
    true, kept = validation.evaluate, {}

    def fake(model: Any, feed: Any, seed: int) -> Any:
        found = true(model, feed, seed)
        elbo = next(scripted, None)
        if elbo is None:
            return found
        kept[elbo] = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        return scoring(found, elbo)

    monkeypatch.setattr(loop, "evaluate", fake)
    folder = start(small(epochs=4, keep="best"))
    weights = load_file(folder / "weights.safetensors")
    assert all(torch.equal(weights[name], tensor) for name, tensor in kept[-30.0].items())
    last = load_file(folder / "checkpoint.safetensors")
    assert all(torch.equal(last[f"model.{name}"], tensor) for name, tensor in kept[-45.0].items())


def test_keep_last_keeps_the_last(start: Start) -> None:
    folder = start(small(keep="last"))
    weights, last = load_file(folder / "weights.safetensors"), load_file(folder / "checkpoint.safetensors")
    assert all(torch.equal(tensor, last[f"model.{name}"]) for name, tensor in weights.items())


def test_patience_counts_only_once_beta_has_arrived(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first evaluation is the best: with a ramp over half of 20 epochs, three more after it end the run."""
    true, count = validation.evaluate, iter(range(10_000))
    monkeypatch.setattr(loop, "evaluate", lambda *arguments: scoring(true(*arguments), -100.0 - next(count)))
    ramp = {"kind": "linear", "start": 0.03, "end": 0.3, "fraction": 0.5}
    folder = start(small(epochs=20, patience=3, beta=ramp), name="ramp")
    assert read(folder).evaluations[-1]["epoch"] == 12  # of 10, 11 and 12
    assert read(start(small(epochs=20, patience=3, beta={"kind": "constant"}), name="constant")
                ).evaluations[-1]["epoch"] == 3
    assert read(start(small(epochs=6, patience=0), name="never")).evaluations[-1]["epoch"] == 6
    before = (folder / "metrics.jsonl").read_bytes()
    assert train(folder, type("Never", (), {"stop_requested": lambda _: False, "progress": print})()) == "finished"
    assert (folder / "metrics.jsonl").read_bytes() == before  # resuming it trains no further


def test_pca_needs_no_step(start: Start, watch: Any) -> None:
    control = watch()
    folder = start({"data": {"name": "digits"}, "model": {"family": "pca", "latent_size": 5}}, control=control)
    assert control.told == []
    summary = Run(folder).summary()
    assert summary["total_steps"] == 0
    assert 0 < summary["test"]["mse"]["image"] < 0.05
    [evaluation] = read(folder).evaluations
    assert evaluation["elbo"] == pytest.approx(summary["validation"]["elbo"])
    components = load_model(folder).state_dict()["components"]
    torch.testing.assert_close(components @ components.T, torch.eye(5), atol=1e-5, rtol=0)
    assert train(folder, control) == "finished"


# -- numbers that are not finite -------------------------------------------------------------------


@pytest.mark.parametrize(("term", "word"), [("reconstruction", "reconstruction"), ("kl", "KL")])
def test_a_nan_stops_the_run_and_names_step_and_term(start: Start, monkeypatch: pytest.MonkeyPatch, watch: Any,
                                                     term: str, word: str) -> None:
    from vaecore.models.base import Evidence
    from vaecore.models.vae import VariationalAutoEncoder

    true, calls = VariationalAutoEncoder.elbo, iter(range(10_000))

    def poisoned(self: Any, batch: Any, generator: Any = None) -> Evidence:
        found = true(self, batch, generator)
        if not self.training or next(calls) != 6:
            return found
        parts = {"reconstruction": dict(found.reconstruction), "kl": dict(found.kl)}
        parts[term] = {name: value * math.nan for name, value in parts[term].items()}
        return Evidence(**parts)

    folder = start(small(), train=False)
    with monkeypatch.context() as patch:
        patch.setattr(VariationalAutoEncoder, "elbo", poisoned)
        with pytest.raises(TrainingFailed, match=rf"step 6 the {word} .*learning_rate"):
            train(folder, watch())
    for name in ("weights.safetensors", "checkpoint.safetensors"):
        assert all(tensor.isfinite().all() for tensor in load_file(folder / name).values())
    load_model(folder)
    assert json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["step"] == 4
    assert train(folder, watch()) == "finished"  # from the good checkpoint, now that the cause is gone
    assert read(folder).steps["step"] == list(range(12))


def test_a_rate_too_large_fails_rather_than_keeps_nonsense(start: Start, watch: Any) -> None:
    values = small({"network": {"kind": "linear"}, "likelihood": {"kind": "gaussian", "sigma": 0.01}},
                   epochs=4000, learning_rate=10.0, evaluate_every=100)
    values["data"] = {"name": "gaussian", "size": 64, "eigenvalues": [1e30, 1e30]}
    folder = start(values, train=False)
    with pytest.raises(TrainingFailed, match="step"):
        train(folder, watch())
    for path in folder.glob("*.safetensors"):
        if path.name != "examples.safetensors":
            assert all(tensor.isfinite().all() for tensor in load_file(path).values())
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)


def test_a_batch_larger_than_the_data_is_refused(start: Start, watch: Any) -> None:
    folder = start(small(batch_size=257), train=False)
    with pytest.raises(ConfigError, match=r"training\.batch_size: 257 .* 256 .*at most 256"):
        train(folder, watch())
    assert {path.name for path in folder.iterdir()} == {"config.json"}


@pytest.mark.parametrize(("data", "likelihood", "words"), [
    ({"name": "digits", "pixels": "binary-fixed"}, "discretised-logistic", "black and white.*bernoulli"),
    ({"name": "digits", "pixels": "binary-dynamic"}, "discretised-logistic", "black and white.*bernoulli"),
    ({"name": "gaussian"}, "bernoulli", "vectors.*gaussian"),
    ({"name": "gaussian"}, "discretised-logistic", "vectors.*gaussian")])
def test_likelihoods_that_do_not_fit_the_data_are_refused(start: Start, data: dict[str, Any], likelihood: str,
                                                          words: str) -> None:
    values = {**small({"network": {"kind": "linear"}, "likelihood": {"kind": likelihood}}), "data": data}
    with pytest.raises(ConfigError, match=rf"model\.likelihood\.kind: .*{words}"):
        start(values)
