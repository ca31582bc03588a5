"""One description of a run: both ways through JSON and YAML, and errors that name field, value and remedy."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaecore.config import RunConfig, changed, differences, from_file, from_text, preset
from vaecore.data import Digits
from vaecore.models import AEConfig, PCAConfig, VAEConfig
from vaecore.named import presets
from vaecore.nets import ConvConfig, LinearConfig, MLPConfig, ResConvConfig
from vaecore.schedules.beta import ConstantBeta, LinearBeta
from vaecore.schema import ConfigError, Problem, parse, title_at


def problems(values: Any) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as error:
        parse(RunConfig, values)
    assert all(p.field and p.message and str(p) in str(error.value) for p in error.value.problems)
    return error.value.problems


def test_every_preset_loads_and_goes_both_ways() -> None:
    named = presets()
    assert {"vae-mnist", "ae-mnist", "pca-mnist"} <= named.keys()
    for name, said in named.items():
        config = preset(name)
        assert len(said) > 20 and not said.startswith("#")
        assert from_text(config.to_json()) == config == from_text(config.to_yaml())
        assert parse(RunConfig, json.loads(config.to_json())) == config
    with pytest.raises(ConfigError, match=r"no preset is called 'vae'.*vae-mnist"):
        preset("vae")
    with pytest.raises(ConfigError):
        preset("../presets/vae-mnist")


def test_the_lectures_first_comparison_is_of_one_likelihood() -> None:
    """PCA, autoencoder and VAE of the same grey digits, with codes of one size, scored alike: their nats compare."""
    pca, ae, vae = (preset(name) for name in ("pca-mnist", "ae-mnist", "vae-gaussian-mnist"))
    assert pca.data == ae.data == vae.data and pca.data.pixels == "grey"  # type: ignore[union-attr]
    for config in (ae, vae):
        assert config.model.scored_by() == pca.model.scored_by() == "gaussian-learned"
        assert config.model.latent_size == pca.model.latent_size  # type: ignore[union-attr]
    assert ae.model.network == vae.model.network  # type: ignore[union-attr]
    assert (ae.training.epochs, ae.training.learning_rate) == (vae.training.epochs, vae.training.learning_rate)


network = st.one_of(
    st.builds(LinearConfig),
    st.builds(MLPConfig, hidden=st.lists(st.integers(1, 8192), min_size=1, max_size=4).map(tuple)),
    st.builds(ConvConfig, channels=st.lists(st.integers(1, 64), min_size=1, max_size=4).map(tuple)),
    st.builds(ResConvConfig, blocks=st.integers(1, 8)))
beta = st.one_of(st.builds(ConstantBeta, value=st.floats(0, 1e4)),
                 st.builds(LinearBeta, start=st.floats(0, 1e4), fraction=st.floats(1e-9, 1)))
model = st.one_of(st.builds(VAEConfig, network=network, latent_size=st.integers(1, 4096)),
                  st.builds(AEConfig, network=network), st.builds(PCAConfig))


@settings(deadline=None, max_examples=60)
@given(model=model, beta=beta, rate=st.floats(1e-12, 10), seed=st.integers(0, 2**31 - 1))
def test_any_configuration_goes_both_ways(model: Any, beta: Any, rate: float, seed: int) -> None:
    config = RunConfig(model=model, seed=seed, training={"beta": beta.model_dump(), "learning_rate": rate})
    assert from_text(config.to_json()) == config
    assert from_text(config.to_yaml()) == config


@pytest.mark.parametrize(("values", "field", "value", "words"), [
    ({"training": {"epoch": 5}}, "training.epoch", 5, ["unknown field", "5", "Did you mean 'epochs'?"]),
    ({"zzz": 5}, "zzz", 5, ["unknown field", "Known fields", "training"]),
    ({"model": {"family": "vae", "latent_sise": 3}}, "model.latent_sise", 3, ["Did you mean 'latent_size'?"]),
    ({"model": {"family": "vae", "network": {"kind": "mlp", "hiden": [1]}}}, "model.network.hiden", [1],
     ["Did you mean 'hidden'?"]),
    ({"model": {"family": "vae", "latent_size": 0}}, "model.latent_size", 0, ["0 is too small", "at least 1"]),
    ({"model": {"family": "pca", "latent_size": 5000}}, "model.latent_size", 5000,
     ["5000 is too large", "at most 4096"]),
    ({"model": {"family": "vea"}}, "model.family", "vea", ["'vea' is not a choice", "Did you mean 'vae'?"]),
    ({"model": {"latent_size": 3}}, "model.family", None, ["missing", "family"]),
    ({"model": {"family": "vae", "network": {"kind": "cnn"}}}, "model.network.kind", "cnn", ["conv", "mlp"]),
    ({"data": {"name": "mnits"}}, "data.name", "mnits", ["Did you mean 'mnist'?"]),
    ({"data": {"name": "mnist", "pixels": "gray"}}, "data.pixels", "gray", ["not a choice", "grey"]),
    ({"training": {"epochs": 1.5}}, "training.epochs", 1.5, ["not a whole number"]),
    ({"training": {"learning_rate": "fast"}}, "training.learning_rate", "fast", ["'fast' is not a number"]),
    ({"training": {"learning_rate": 0}}, "training.learning_rate", 0, ["more than 0"]),
    ({"training": {"learning_rate": float("nan")}}, "training.learning_rate", None, []),
    ({"training": {"beta": {"kind": "linear", "fraction": 2}}}, "training.beta.fraction", 2, ["at most 1"]),
    ({"model": {"family": "ae", "network": {"kind": "mlp", "hidden": []}}}, "model.network.hidden", [], ["at least 1"]),
    ({"model": {"family": "ae", "network": {"kind": "mlp", "hidden": 400}}}, "model.network.hidden", 400,
     ["not a list"]),
    ({"training": 5}, "training", 5, ["name: value"]), ({"seed": -1}, "seed", -1, ["at least 0"])])
def test_errors_name_field_value_and_remedy(values: Any, field: str, value: Any, words: list[str]) -> None:
    [problem] = problems(values)
    assert problem.field == field
    if value is not None:
        assert problem.value == value
    for word in words:
        assert word in str(problem), str(problem)


def test_every_fault_is_reported_at_once() -> None:
    found = problems({"seed": -1, "training": {"epochs": 0}, "model": {"family": "vae", "latent_size": 0}})
    assert [p.field for p in found] == ["model.latent_size", "training.epochs", "seed"]


@pytest.mark.parametrize("text", ["", "- a", "7", "{", "a: [", "\t", "a: 2026-99-99", "[" * 20_000, "x" * 1_000_001,
                                  "!!python/object/apply:os.system [true]", "\0"], ids=range(11))
def test_text_that_is_no_configuration(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        from_text(text)
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        from_file(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\xff")
    for name in ("latin.yaml", "gone.yaml", "."):
        with pytest.raises(ConfigError, match="cannot be read"):
            from_file(tmp_path / name)


# -- changing --------------------------------------------------------------------------------------


def test_changed_sets_fields() -> None:
    start = preset("vae-mnist")
    config = changed(start, ["training.epochs=5", "training.learning_rate=1e-4", "seed=7",
                             "model.network.channels=[8, 16, 32]", "data.pixels=binary-dynamic"])
    assert (config.training.epochs, config.training.learning_rate, config.seed) == (5, 1e-4, 7)
    assert config.model.network.channels == (8, 16, 32)
    assert config.data.pixels == "binary-dynamic"
    assert start == preset("vae-mnist")  # the one given is not touched
    assert changed(start, ["training.epochs=010"]).training.epochs == 10  # which YAML 1.1 has as eight
    with pytest.raises(ConfigError, match="'1:30' is not a whole number"):  # ... and as ninety
        changed(start, ["training.epochs=1:30"])
    assert from_text("data: {name: digits}\nmodel: {family: pca}\nseed: 012").seed == 12
    assert changed(start, []) == start


def test_another_member_of_a_union_keeps_what_both_have() -> None:
    start = changed(preset("vae-mnist"), ["model.latent_size=7", "model.network.activation=tanh", "model.n_samples=3"])
    config = changed(start, ["model.family=ae"])
    assert isinstance(config.model, AEConfig) and config.model.latent_size == 7
    assert config.model.network == start.model.network and config.model.likelihood == start.model.likelihood
    config = changed(start, ["model.network.kind=mlp", "model.network.hidden=[30]"])
    assert config.model.network == MLPConfig(hidden=(30,), activation="tanh")
    config = changed(start, ["data.train_limit=50", "data.name=digits"])
    assert config.data == Digits(train_limit=50)
    assert isinstance(changed(start, ["model.family=pca"]).model, PCAConfig)
    back = changed(start, ["training.beta.kind=constant", "training.beta.value=4"])
    assert back.training.beta == ConstantBeta(value=4)


@pytest.mark.parametrize(("setting", "words"), [
    ("training.epochs", "has no value"), ("=5", "has no value"), ("training.epoch=5", "Did you mean 'epochs'"),
    ("trainning.epochs=5", "no field 'trainning'"), ("seed.x=5", "no field 'seed'"),
    ("model.family=gan", "not a choice"),
    ("model.family=[vae]", "family"), ("model.family={a: 1}", "family"), ("training.epochs=0", "too small"),
    ("training.epochs=", "training.epochs"), ("training=5", "training"), ("model=", "model"),
    ("seed=2026-99-99", "seed"), ("training.epochs=[", "cannot be read"), ("training..epochs=3", "training"),
    ("model.network.kind.x=3", "kind"), ("seed=" + "[" * 5000, "seed")])
def test_settings_that_cannot_be_used(setting: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        changed(RunConfig(), [setting])
    assert words in str(error.value)


def test_differences_are_the_fields_that_differ() -> None:
    a = RunConfig()
    b = changed(a, ["training.epochs=7", "model.network.kind=mlp"])
    found = differences([a, b, a])
    assert found["training.epochs"] == [20, 7, 20]
    assert found["model.network.kind"] == ["conv", "mlp", "conv"]
    assert found["model.network.hidden"] == [None, [400], None]
    assert found["model.network.channels"] == [[32, 64], None, [32, 64]]
    assert set(found) == {"training.epochs", "model.network.kind", "model.network.hidden", "model.network.channels",
                          "model.network.dense"}
    assert differences([a, a.model_dump(mode="json")]) == {}
    assert differences([]) == differences([a]) == {}


def test_resolving_leaves_nothing_to_the_machine() -> None:
    config = preset("vae-mnist")
    assert config.data.source == "auto"
    resolved = config.resolve()
    assert resolved.data.source in ("embedded", "full")
    assert resolved.resolve() == resolved


def test_every_field_is_described() -> None:
    def walk(model: Any, seen: set[Any]) -> None:
        for name, info in model.model_fields.items():
            if name in ("family", "kind", "name"):
                continue
            assert info.description and info.description[-1] in ".)", f"{model.__name__}.{name}"
            from vaecore.schema import tagged

            for member in tagged(info).values():
                if member not in seen:
                    assert member.__doc__, member
                    walk(member, seen | {member})

    from vaecore.config import Training

    walk(RunConfig, set())
    walk(Training, set())


@pytest.mark.parametrize("path, title", [
    ("data", "Data"), ("data.name", "Data set"), ("model.family", "Family"), ("training.beta.kind", "Beta schedule"),
    ("training.beta", "Beta"), ("training.kl.kind", "KL cost"), ("training.rate.kind", "Rate schedule"),
    ("training.inference.kind", "Inference"), ("model.networks.image.kind", "Image network"),
    ("model.networks.vector.kind", "Label and vector network"), ("model.networks.text.word_keep", "Text: words kept"),
    ("training.batch_size", "Batch size"), ("model.network.hidden", "Hidden"), ("model.nothing.known", "Known"),
])
def test_what_a_field_is_called_stands_in_its_declaration(path: str, title: str) -> None:
    assert title_at(RunConfig, path) == title


def test_aliases_are_refused() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in pairwise("abcdefghijklmnopqrstuvwxyz"))
    with pytest.raises(ConfigError, match="aliases"):
        from_text(bomb)


@pytest.mark.parametrize(("typed", "meant"), [
    ("2020", "2020"), ("'2020'", "2020"), ('"2020"', "2020"), ("1e3", "1e3"), ("yes", "yes"), ("", ""), ("''", ""),
    ("007", "007"), ("a, b: c", "a, b: c"), ("[x]", "[x]"), ('"a, b",c', '"a, b",c'), ("null", "null")])
def test_b08b_a_text_field_takes_what_was_typed(typed: str, meant: str) -> None:
    config = changed(preset("vae-mnist"), ["data.name=table", f"data.covariate={typed}"])
    assert getattr(config.data, "covariate", None) == meant


def test_b08b_a_path_with_a_hash_and_quoted_text(tmp_path: Path) -> None:
    path = tmp_path / "scores #2.csv"
    path.write_text("a,b,2020\n" + "\n".join(f"{row},{-row},{row % 2}" for row in range(40)), encoding="utf-8")
    config = changed(preset("vae-mnist"), ["data.name=table", f"data.path={path}", "data.covariate=2020"])
    found = config.data.load()
    assert found.classes == ("0", "1") and found.modalities["vector"].columns == ("a", "b")
    for typed in ("training.epochs='5 more'", "training.learning_rate=abc"):
        with pytest.raises(ConfigError):
            changed(preset("vae-mnist"), [typed])
    assert changed(preset("vae-mnist"), ["training.learning_rate=1e-3"]).training.learning_rate == 1e-3


def test_seeds_are_those_from_its_own_on_as_far_as_there_are_any() -> None:
    assert [each.seed for each in RunConfig(seed=7).seeded(3)] == [7, 8, 9]
    last = 2**31 - 1
    assert [each.seed for each in RunConfig(seed=last - 1).seeded(2)] == [last - 1, last]
    with pytest.raises(ConfigError, match=r"seed: the last seed is 2,147,483,647, so there are no 3 from this one on"):
        RunConfig(seed=last - 1).seeded(3)
