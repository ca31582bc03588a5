"""Each model of a stack takes the steps that it takes alone, and nothing that befalls another one reaches it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.runs import small
from vaecore.config import RunConfig
from vaecore.schema import parse
from vaecore.training.build import build
from vaecore.training.course import Course
from vaecore.training.feed import Splits
from vaecore.training.stacked import Stack, Unstackable, groups, tried
from vaecore.training.stacked.alike import FREE, MOST_STACKED

STEPS, MEMBERS = 50, 3
CPU = torch.device("cpu")
DIGITS: dict[str, Any] = {"data": {"name": "digits", "train_limit": 256}}
# Smooth networks: at a kink of ReLU two orders of summing may go two ways.
MLP = {"kind": "mlp", "hidden": [16], "activation": "tanh"}

FAMILIES: dict[str, dict[str, Any]] = {
    "vae, clipped": small({"network": MLP}, clip_norm=1.0),
    "vae, free bits, adamw": small({"network": MLP, "n_samples": 2}, kl={"kind": "free-bits", "nats": 0.2},
                                   optimizer="adamw", weight_decay=0.1),
    "vae, capacity, pixels drawn anew": {**small({"network": MLP}, kl={"kind": "capacity", "nats": 3.0}),
                                         "data": {"name": "digits", "train_limit": 256, "pixels": "binary-dynamic"}},
    "vae of a learned variance": small({"network": MLP, "likelihood": {"kind": "gaussian-learned"}}),
    "vae of the optimal variance": small({"network": MLP, "likelihood": {"kind": "gaussian-optimal"}}),
    "vae, a mixture as prior": small({"network": MLP, "prior": {"kind": "mixture", "components": 3}}),
    "vae, a distance of samples": small({"network": MLP, "divergence": {"kind": "mmd"}}),
    "vae, weighed codes": small({"network": MLP, "bound": {"kind": "iwae", "samples": 3}}),
    "linear, sgd": {**small({"network": {"kind": "linear"}, "likelihood": {"kind": "gaussian"}}, optimizer="sgd",
                            learning_rate=1e-4), "data": {"name": "gaussian"}},
    "autoencoder": {**small(), "model": {"family": "ae", "network": MLP, "latent_size": 4}},
    "made": {**small(), "model": {"family": "made", "hidden": [32]}},
}


def configs(values: dict[str, Any], count: int = MEMBERS) -> list[RunConfig]:
    """Seeds that have a learning rate, a beta and a number of the KL's cost each."""
    found = []
    for seed in range(count):
        training = {**values["training"], "epochs": 20, "threads": 1, "device": "cpu",
                    "learning_rate": values["training"].get("learning_rate", 1e-3) * (1 + seed),
                    "beta": {"kind": "linear", "start": 0.1 * seed, "fraction": 0.5,
                             "end": 1.0 if "bound" in values["model"] else 1.0 + seed}}
        if "kl" in training:
            training["kl"] = {**training["kl"], "nats": training["kl"]["nats"] * (1 + seed)}
        found.append(parse(RunConfig, {**values, "seed": seed, "training": training}))
    return found


def courses(given: list[RunConfig], device: str = "cpu") -> list[Course]:
    splits = Splits(given[0].data.load(), torch.device(device))
    found = [Course(each, build(each, splits.dataset), splits["train"], splits.device) for each in given]
    for course in found:
        generator = torch.Generator().manual_seed(course.config.seed)
        course.model.begin(lambda n, g=generator: splits["train"].at(  # type: ignore[misc]
            torch.randperm(len(splits["train"]), generator=g)[:n]))
    return found


def stacked(given: list[RunConfig], steps: int = STEPS, device: str = "cpu", **options: Any) -> list[Course]:
    found = courses(given, device)
    stack = Stack(found, **options)
    for step in range(steps):
        stack.update(dict.fromkeys(range(len(found)), step))
        for course in found:
            if step % 7 == 6:  # what is logged is asked elsewhere
                course.pending.clear()
    return found


def alone(given: list[RunConfig], steps: int = STEPS, device: str = "cpu") -> list[Course]:
    found = courses(given, device)
    for course in found:
        for step in range(steps):
            course.update(step)
            if step % 7 == 6:
                course.pending.clear()
    return found


def apart(one: Course, other: Course) -> float:
    """How far two models lie apart in any number, the moments of their optimizers included."""
    def numbers(course: Course) -> list[Tensor]:
        assert course.trainer.optimizer is not None
        states = course.trainer.optimizer.state_dict()["state"].values()
        return [*course.model.state_dict().values(), *(t for state in states for t in state.values() if t is not None)]

    return max(float((a - b).abs().max()) for a, b in zip(numbers(one), numbers(other), strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_member_is_the_run_alone(family: str) -> None:
    given = configs(FAMILIES[family])
    for one, other in zip(stacked(given), alone(given), strict=True):
        assert apart(one, other) < 1e-5
        assert torch.equal(one.generator.get_state(), other.generator.get_state())
        assert [row[0] for row in one.pending] == [row[0] for row in other.pending] == [49]
        assert one.pending == other.pending  # step, beta, rate
        assert torch.allclose(one.log[0], other.log[0], rtol=1e-4, atol=1e-5)


def test_gradients_are_summed_over_models_and_not_averaged() -> None:
    given = configs(FAMILIES["linear, sgd"])
    [start] = courses(given[1:2])
    before = {name: tensor.detach().clone() for name, tensor in start.model.named_parameters()}
    start.update(0)
    moved = dict(stacked(given, 1)[1].model.named_parameters())
    for name, tensor in start.model.named_parameters():
        own = tensor - before[name]
        assert torch.allclose(moved[name] - before[name], own, rtol=1e-3, atol=1e-7), name
        assert not torch.allclose((moved[name] - before[name]) / MEMBERS, own, rtol=1e-3, atol=1e-7), name


def test_each_may_have_data_of_its_own() -> None:
    given = [parse(RunConfig, {**FAMILIES["linear, sgd"], "seed": seed,
                               "data": {"name": "gaussian", "data_seed": seed}}) for seed in range(MEMBERS)]
    found, own = ([Course(each, build(each, data := each.data.load()), Splits(data, CPU)["train"], CPU)
                   for each in given] for _ in range(2))
    stack = Stack(found)
    for step in range(7):
        stack.update(dict.fromkeys(range(MEMBERS), step))
        for course in own:
            course.update(step)
    assert all(apart(*pair) < 1e-5 for pair in zip(found, own, strict=True))


@pytest.mark.parametrize("change", [0.1, float("nan")])
def test_another_member_leaves_the_bits_of_the_others(change: float) -> None:
    given = configs(FAMILIES["vae, clipped"])
    plain, found = stacked(given), courses(given)
    stack = Stack(found)
    with torch.no_grad():
        next(found[1].model.parameters()).add_(change)
    for step in range(STEPS):
        stack.update(dict.fromkeys(range(MEMBERS), step))
        for course in found:
            if step % 7 == 6:
                course.pending.clear()
    assert not apart(found[1], plain[1]) < 1e-3
    for place in (0, 2):
        assert apart(found[place], plain[place]) == 0


def test_each_gradient_is_cut_to_its_own_length() -> None:
    given = configs(FAMILIES["vae, clipped"])
    loose = [given[0], given[1].model_copy(update={"training": given[1].training.model_copy(
        update={"clip_norm": 0.0})}), *given[2:]]
    cut, free, own = stacked(given), stacked(loose), alone(loose)
    assert apart(cut[1], free[1]) > 1e-4
    assert apart(free[1], own[1]) < 1e-5
    for place in (0, 2):
        assert apart(cut[place], free[place]) == 0


@pytest.mark.parametrize("family", ["vae, clipped", "vae of the optimal variance"])  # the latter has buffers that move
def test_who_has_ended_stays_as_it_is(family: str) -> None:
    given = configs(FAMILIES[family])
    whole, found = stacked(given, 20), courses(given)
    stack = Stack(found)
    for step in range(20):
        stack.update({place: step for place in range(MEMBERS) if place != 2 or step < 10})
        for course in found:
            if step % 7 == 6:
                course.pending.clear()
    assert apart(found[2], stacked(given, 10)[2]) == 0
    for place in (0, 1):
        assert apart(found[place], whole[place]) == 0


def test_a_stack_goes_on_as_a_smaller_one() -> None:
    given = configs(FAMILIES["vae, clipped"])
    found, own = stacked(given, 14), alone(given, 28)
    rest = Stack(found[1:])
    for step in range(14, 28):
        rest.update({0: step, 1: step})
        for course in found:
            if step % 7 == 6:
                course.pending.clear()
    assert apart(found[1], own[1]) < 1e-5
    assert apart(found[2], own[2]) < 1e-5


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "closed form": ({**DIGITS, "model": {"family": "pca"}}, "is solved in closed form"),
    "turns": (small(inference={"kind": "aggressive"}), "takes turns of its own"),
    "critic": (small({"prior": {"kind": "implicit"}}), "learns by a loss of its own"),
    "chains": ({**small(), "model": {"family": "rbm", "hidden": 16}}, "draws from probabilities"),
    "large": (small({"network": {"kind": "mlp", "hidden": [1000, 1000]}}), "would not be faster"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_stacked_is_said_in_words(why: str) -> None:
    values, words = REFUSED[why]
    given = [parse(RunConfig, {**values, "seed": seed}) for seed in (0, 1)]
    with pytest.raises(Unstackable, match=words):
        Stack(courses(given))
    assert words in tried(given).why


def test_what_torch_refuses_is_said_in_our_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own words are the cause, which is told in the log alone."""
    def refused(_: Stack) -> None:
        raise RuntimeError("vmap: aten::add_(self, *extra_args) is not possible")

    monkeypatch.setattr(Stack, "_traced", refused)
    with pytest.raises(Unstackable, match="VAE with these choices cannot be computed for several") as said:
        Stack(courses(configs(FAMILIES["vae of the optimal variance"])))
    assert "vmap" not in str(said.value) and "vmap" in str(said.value.__cause__)


def test_a_stacked_loss_that_is_not_the_own_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a family that keeps a number of its seed in Python: the rest of the stack would train with that of one."""
    from vaecore.models.single.vae import VAE

    true = VAE.objective

    def odd(self: VAE, batch: Any, generator: Any = None) -> Any:
        found = true(self, batch, generator)
        return type(found)([(self.own_weight, found.elbos[0][1])])  # type: ignore[attr-defined]

    given = configs(FAMILIES["vae of the optimal variance"])
    found = courses(given)
    for place, course in enumerate(found):
        course.model.own_weight = 1.0 + place  # type: ignore[assignment]
    before = [{name: tensor.clone() for name, tensor in course.model.state_dict().items()} for course in found]
    monkeypatch.setattr(VAE, "objective", odd)
    with pytest.raises(Unstackable, match="is not the same: a loss of"):
        Stack(found)
    for course, kept in zip(found, before, strict=True):  # the variance that was found while it was tried is forgotten
        assert all(torch.equal(tensor, kept[name]) for name, tensor in course.model.state_dict().items())


def test_configurations_are_alike_in_all_that_a_step_computes() -> None:
    base = parse(RunConfig, small())

    def other(**training: Any) -> RunConfig:
        return parse(RunConfig, small(**training))

    free = {"seed": base.model_copy(update={"seed": 5}), "rate": other(learning_rate=0.5), "epochs": other(epochs=9),
            "beta": other(beta={"kind": "cyclical"}), "patience": other(patience=3)}
    held = {"batch": other(batch_size=32), "optimizer": other(optimizer="sgd"), "bits": other(kl={"kind": "free-bits"}),
            "latent": parse(RunConfig, small({"latent_size": 5})),
            "noise": parse(RunConfig, small({"likelihood": {"kind": "gaussian", "sigma": 0.5}})),
            "data": parse(RunConfig, {**small(), "data": {"name": "digits", "train_limit": 128}})}
    drawn = [parse(RunConfig, {**small(), "data": {"name": "gaussian", "data_seed": seed}}) for seed in (0, 1)]
    assert groups(dict(enumerate(drawn))) == [[0, 1]]
    assert groups({"base": base, **free}) == [["base", *free]]
    for name, config in held.items():
        assert groups({"base": base, name: config}) == [["base"], [name]]
    bits = [other(kl={"kind": "free-bits", "nats": nats}) for nats in (0.1, 0.5)]
    assert groups(dict(enumerate(bits))) == [[0, 1]]
    many = groups({seed: base.model_copy(update={"seed": seed}) for seed in range(150)})
    assert [len(part) for part in many] == [50, 50, 50]
    assert max(map(len, many)) <= MOST_STACKED
    seeds = {seed: base.model_copy(update={"seed": seed}) for seed in range(32)}
    assert [len(part) for part in groups(seeds, processes=4)] == [8] * 4
    assert [len(part) for part in groups({seed: seeds[seed] for seed in range(9)}, processes=4)] == [9]
    # Whoever adds a field to a training decides here whether the objective reads it.
    assert set(type(base.training).model_fields) - FREE == {
        "batch_size", "kl", "inference", "optimizer", "device", "precision", "graphs", "threads", "pace"}


def test_a_trial_leaves_no_trace_and_measures() -> None:
    given = configs(FAMILIES["vae, clipped"])
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    trial = tried(given, budget=0.05)
    assert trial.stacked
    assert 0 < trial.seconds < 60
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert tried(given[:1]).why == "there is one alone"
    assert "differ in what their steps read" in tried([given[0], parse(RunConfig, small({"latent_size": 5}))]).why
