"""Cross-modal: what is generated from every subset, who is how certain, exchanged codes, and what is refused."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from vaecore.config import RunConfig
from vaecore.data import OBSERVED, Modality
from vaecore.explore.crossmodal import CrossModal
from vaecore.explore.generated import Generated
from vaecore.explore.generating import drawn_codes
from vaecore.explore.given import digest
from vaecore.explore.pictures import crossed
from vaecore.modalities import SPECIALS
from vaecore.schema import parse
from vaecore.store import Store
from vaecore.training.checkpoints import WEIGHTS, BrokenCheckpoint, load_model, save_weights

IMAGE, COLOUR, LABEL = Modality("image", (1, 6, 5)), Modality("image", (3, 6, 5)), Modality("label", (4,))
TEXT, NUMBERS = Modality("text", (5,), (*SPECIALS, "a", "cat", "runs")), Modality("vector", (3,))
TWO, THREE = {"image": IMAGE, "label": LABEL}, {"image": IMAGE, "label": LABEL, "numbers": NUMBERS}
FOUR = {"image": IMAGE, "label": LABEL, "text": TEXT, "numbers": NUMBERS}
N = 12
NETWORKS = {"image": {"kind": "mlp", "hidden": [8]}, "vector": {"kind": "mlp", "hidden": [8]},
            "text": {"embedding": 4, "hidden": 6}}
SHARED = {"family": "multimodal-vae", "latent_size": 3, "networks": NETWORKS}
FAMILIES: dict[str, dict[str, Any]] = {
    "product": SHARED, "quotient": {**SHARED, "posterior": {"kind": "product", "quotient": "posterior"}},
    "joint": {**SHARED, "posterior": {"kind": "joint"}}, "mixture": {**SHARED, "posterior": {"kind": "mixture"}},
    "mixture-of-products": {**SHARED, "posterior": {"kind": "mixture-of-products"}},
    "dmvae": {"family": "dmvae", "shared_size": 3, "private_size": 2, "networks": NETWORKS},
    "separate": {"family": "separate-vaes", "latent_size": 3, "networks": NETWORKS},
    "concatenated": {"family": "concatenated-vae", "latent_size": 3, "joined": {"kind": "mlp", "hidden": [8]}}}
Open = Callable[..., CrossModal]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """A checkpoint of a family with random weights, far from trained, and random test samples."""

    def make(family: str, modalities: dict[str, Modality] = FOUR, *, data: dict[str, Any] | None = None,
             observed: torch.Tensor | None = None) -> CrossModal:
        config = parse(RunConfig, {"data": data or {"name": "halves", "images": "digits"}, "model": FAMILIES[family]})
        run = Store(tmp_path / "trained").create(config)
        torch.manual_seed(0)
        model = config.model.build(modalities)
        for parameter in model.parameters():
            parameter.data.mul_(2)  # so that codes and observations differ
        save_weights(run.path / WEIGHTS, model, config, 0)
        draw = torch.Generator().manual_seed(1)
        tokens = torch.tensor([[4, 5, 2, 0, 0], [4, 5, 6, 2, 0], [5, 2, 0, 0, 0]], dtype=torch.int32)
        labels = torch.arange(N) % 4
        made = {"image": torch.randint(256, (N, *modalities["image"].shape), generator=draw, dtype=torch.uint8),
                "label": torch.eye(4)[labels], "text": tokens[torch.arange(N) % 3],
                "numbers": torch.randn(N, 3, generator=draw)}
        tensors = {name: made[name] for name in modalities} | {"labels": labels}
        save_file(tensors | ({} if observed is None else {OBSERVED: observed}), run.path / "examples.safetensors")
        return CrossModal.load(run)

    return make


def subsets(names: list[str]) -> list[tuple[str, ...]]:
    return [some for size in range(len(names)) for some in itertools.combinations(names, size)]


def same(a: Generated, b: Generated) -> bool:
    return a.sentences == b.sentences and np.array_equal(a.values, b.values)


# -- generating ------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_subset_generates_the_rest(opened: Open, family: str) -> None:
    model = opened(family, THREE if family == "concatenated" else FOUR)
    for some in subsets(list(model.modalities)):
        given = {name: model.sample(name, 2) for name in some}
        wanted = [name for name in model.modalities if name not in some]
        made = model.generate(given, wanted, 7, seed=3)
        assert list(made) == wanted
        for name, one in made.items():
            assert (one.modality, len(one)) == (model.modalities[name], 7)
            if name == "image":
                assert one.values.shape == (7, 6, 5) and one.values.dtype == np.uint8
            elif name == "label":
                assert one.values.shape == (7, 4) and np.allclose(one.values.sum(1), 1) and one.classes.shape == (7,)
            elif name == "numbers":
                assert one.values.shape == (7, 3) and one.images.shape == (7, 1, 3)
            else:
                assert all(set(sentence.split()) <= {"a", "cat", "runs"} for sentence in one.sentences)
        again, other = model.generate(given, wanted, 7, seed=3), model.generate(given, wanted, 7, seed=4)
        assert all(same(made[name], again[name]) for name in wanted)
        assert not all(same(made[name], other[name]) for name in wanted)


def test_the_seed_decides_and_the_global_generator_does_not(opened: Open) -> None:
    model = opened("mixture", TWO)
    torch.manual_seed(1)
    first = model.generate({}, ["image"], 5)["image"]
    torch.manual_seed(2)
    assert same(first, model.generate({}, ["image"], 5)["image"])


@pytest.mark.parametrize("family", ["product", "joint", "dmvae", "separate"])
def test_temperature_0_is_the_mean(opened: Open, family: str) -> None:
    model = opened(family)
    given = {"image": model.sample("image", 1), "text": model.sample("text", 1)}
    made = model.generate(given, ["label", "numbers"], 3, temperature=0.0)
    with torch.inference_mode():
        z = {latent: q.mean for latent, q in model.model.encode(given).items()}
        expected = model.model.decode(z)
    for name in ("label", "numbers"):
        np.testing.assert_allclose(made[name].values, expected[name].mean.expand(3, -1).numpy(), rtol=1e-4, atol=1e-6)
    prior = model.generate({}, ["numbers"], 2, temperature=0.0)["numbers"]
    np.testing.assert_allclose(prior.values[0], prior.values[1])


@pytest.mark.parametrize("family", ["product", "mixture", "dmvae", "joint"])
def test_means_are_those_of_the_posterior(opened: Open, family: str) -> None:
    model = opened(family)
    given = {"image": model.sample("image", 1), "text": model.sample("text", 1)}
    with torch.inference_mode():
        expected = {latent: q.mean[0].numpy() for latent, q in model.model.encode(given).items()}
    found = model.means(given)
    assert list(found) == list(model.model.latents)
    for latent, mean in found.items():
        np.testing.assert_allclose(mean, expected[latent], rtol=1e-6)
    with pytest.raises(ValueError, match="nothing is given: give at least one of image, label, text, numbers"):
        model.means({})


def test_codes_follow_the_posterior_and_the_temperature_its_spread(opened: Open) -> None:
    model = opened("product", TWO)
    given = {"label": model.label("label", 2)}
    q = model.model.encode(given)["z"]
    for temperature in (0.5, 1.0):
        z = drawn_codes(model.model, given, 20_000, temperature, torch.Generator().manual_seed(0))["z"]
        torch.testing.assert_close(z.mean(0), q.mean[0], atol=0.03, rtol=0)
        torch.testing.assert_close(z.std(0), temperature * (0.5 * q.logvar[0]).exp(), atol=0.02, rtol=0.02)


def test_a_mixture_is_drawn_from_what_is_given_alone(opened: Open) -> None:
    model = opened("mixture", THREE)
    given = {name: model.sample(name, 0) for name in ("image", "label")}
    z = drawn_codes(model.model, given, 4_000, 0.0, torch.Generator().manual_seed(0))["z"]
    found, counts = torch.unique(z, dim=0, return_counts=True)
    means = torch.stack([part.mean[0] for part in model.model.encode(given)["z"].components[:2]])
    assert len(found) == 2 and counts.min() > 1_800
    assert all(any(torch.allclose(row, mean) for mean in means) for row in found)


def test_one_at_a_time_is_given_with_or_without_a_batch_axis(opened: Open) -> None:
    model = opened("product", TWO)
    made = [model.generate({"label": x}, ["image"], 2)["image"] for x in (torch.eye(4)[1], torch.eye(4)[1:2])]
    assert same(*made)


def test_many_are_decoded_in_parts(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened("dmvae")
    whole = model.generate({}, list(FOUR), 11)
    monkeypatch.setattr(type(model.model), "at_once", lambda *_: 3)
    parts = model.generate({}, list(FOUR), 11)
    assert all(len(parts[name]) == 11 for name in FOUR)
    np.testing.assert_allclose(parts["numbers"].values, whole["numbers"].values, rtol=1e-4, atol=1e-5)
    assert parts["text"].sentences == whole["text"].sentences


@pytest.mark.parametrize(("given", "predict", "count", "temperature", "said"), [
    ({"sound": torch.zeros(1)}, ["image"], 4, 1.0, "no modality 'sound'.*It has image, label"),
    ({}, ["sound"], 4, 1.0, "no modality 'sound'"),
    ({}, [], 4, 1.0, "Nothing is given and nothing is to be generated. Set at least one of image, label"),
    ({"label": torch.eye(4)[:1]}, [], 4, 1.0, "Nothing is to be generated"),
    ({"label": torch.eye(4)[:1]}, ["label"], 4, 1.0, "label is given, so it is not to be generated"),
    ({"label": torch.eye(4)}, ["image"], 4, 1.0, r"label: what is given has shape \(4, 4\). Give one observation"),
    ({"image": torch.zeros(1, 6, 6)}, ["label"], 4, 1.0, r"image: what is given has shape .* \(1, 6, 5\)"),
    ({"image": torch.full((1, 6, 5), 200.0)}, ["label"], 4, 1.0, "image: pixels lie between 0 and 1"),
    ({"image": torch.full((1, 6, 5), torch.nan)}, ["label"], 4, 1.0, "image: it holds numbers that are not finite"),
    ({"label": torch.ones(4)}, ["image"], 4, 1.0, "label: a label is a row of 0 with a single 1"),
    ({"numbers": torch.full((3,), 1e9)}, ["image"], 4, 1.0, "numbers: numbers lie within 1,000,000"),
    ({"text": torch.tensor([4, 99, 2, 0, 0])}, ["image"], 4, 1.0, "text: word numbers are whole, from 0 to 6"),
    ({"text": torch.tensor([2, 0, 0, 0, 0])}, ["image"], 4, 1.0, "text: there is no word in it"),
    ({}, ["image"], 0, 1.0, "0 cannot be generated"), ({}, ["image"], 10**9, 1.0, "Ask for 1 to 400"),
    ({}, ["image"], 4, -1.0, "temperature of -1.0"), ({}, ["image"], 4, float("nan"), "temperature of nan")])
def test_what_does_not_fit_is_refused_in_words(opened: Open, given: dict[str, torch.Tensor], predict: list[str],
                                               count: int, temperature: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        opened("product").generate(given, predict, count, temperature)


def test_all_given_leaves_nothing_to_generate(opened: Open) -> None:
    model = opened("product", TWO)
    with pytest.raises(ValueError, match="Everything is given"):
        model.generate({name: model.sample(name, 0) for name in TWO}, [])


# -- certainty -------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["product", "quotient", "dmvae"])
def test_a_product_of_experts_is_the_closed_form(opened: Open, family: str) -> None:
    """1/s^2 = 1 + sum 1/s_m^2 and m/s^2 = sum m_m/s_m^2; and that is what the model itself says."""
    model = opened(family)
    latent = "shared" if family == "dmvae" else "z"
    for some in subsets(list(model.modalities))[1:]:
        given = {name: model.sample(name, 3) for name in some}
        found = model.experts(given)
        assert found is not None and (found.latent, found.rule) == (latent, "product")
        assert [part.name for part in found.parts] == [name for name in model.modalities if name in some]
        precision = 1 + sum(part.std ** -2 for part in found.parts)
        mean = sum(part.mean * part.std ** -2 for part in found.parts) / precision
        np.testing.assert_allclose(found.posterior.std, precision ** -0.5, rtol=1e-4)
        np.testing.assert_allclose(found.posterior.mean, mean, rtol=1e-3, atol=1e-4)
        q = model.model.encode(given)[latent]
        np.testing.assert_allclose(found.posterior.mean, q.mean[0].detach().numpy(), rtol=1e-5, atol=1e-6)
        for dimension in range(3):
            sums = found.certainty(dimension)
            assert sums.pop("product") == pytest.approx(sum(sums.values()), rel=1e-4)
        widths = found.posterior.std[found.order]
        assert (np.diff(widths) >= 0).all(), "the dimension that is narrowed most comes first"


@pytest.mark.parametrize("family", ["product", "mixture", "mixture-of-products", "joint", "dmvae"])
def test_curves_are_densities(opened: Open, family: str) -> None:
    model = opened(family)
    found = model.experts({name: model.sample(name, 0) for name in ("image", "label")})
    assert found is not None
    for dimension in range(3):
        curves = found.curves(dimension)
        assert (np.diff(curves.z) > 0).all()
        assert np.trapezoid(curves.posterior, curves.z) == pytest.approx(1, abs=0.02)
        assert np.trapezoid(curves.prior, curves.z) == pytest.approx(1, abs=0.02)


def test_a_mixture_is_the_mean_of_its_parts(opened: Open) -> None:
    model = opened("mixture-of-products", THREE)
    found = model.experts({name: model.sample(name, 0) for name in ("image", "label")})
    assert found is not None and found.rule == "mixture"
    assert {part.name for part in found.parts} == {"image", "label", "image + label"}
    assert [part.weight for part in found.parts] == pytest.approx([1 / 3] * 3)
    curves = found.curves(1)
    np.testing.assert_allclose(curves.posterior, sum(curves.parts.values()) / 3)
    first = np.trapezoid(curves.posterior * curves.z, curves.z)
    assert found.posterior.mean[1] == pytest.approx(first, abs=0.02)
    assert found.posterior.std[1] == pytest.approx(
        np.sqrt(np.trapezoid(curves.posterior * (curves.z - first) ** 2, curves.z)), rel=0.05)


def test_what_has_no_experts_says_so(opened: Open) -> None:
    model = opened("joint", TWO)
    found = model.experts({"label": model.sample("label", 0)})
    assert found is not None and (found.rule, found.parts) == ("network", ())
    assert opened("separate").experts({}) is None
    nothing = opened("product").experts({})
    assert nothing is not None and (nothing.rule, nothing.parts) == ("prior", ())
    np.testing.assert_array_equal(nothing.curves(0).prior, nothing.curves(0).posterior)


# -- shared and private ----------------------------------------------------------------------------


def test_swap_takes_the_shared_code_from_the_row_and_the_private_one_from_the_column(opened: Open) -> None:
    model = opened("dmvae")
    rows, columns = [0, 3], [1, 2, 5]
    for given in (None, ["label"]):
        images = model.swap("image", rows, columns, given)
        assert images.shape == (2, 3, 6, 5) and images.dtype == np.uint8
        for r, c in itertools.product(range(2), range(3)):
            told = {name: model.sample(name, rows[r]) for name in given or FOUR}
            with torch.inference_mode():
                z = {latent: q.mean for latent, q in model.model.encode(told).items()}
                z["private image"] = model.model.encode({"image": model.sample("image", columns[c])})[
                    "private image"].mean
                expected = model.model.decode(z, predict=["image"])["image"].mean[0, 0]
            assert np.abs(images[r, c] - 255 * expected.numpy()).max() <= 0.51


def test_a_traversal_moves_one_dimension_and_holds_the_rest(opened: Open) -> None:
    model = opened("dmvae")
    with torch.inference_mode():
        z = {latent: q.mean for latent, q in model.model.encode({n: model.sample(n, 4) for n in FOUR}).items()}
    for latent, moved in (("private image", model.traverse_private), ("shared", model.traverse_shared)):
        found = moved("image", 4, [-2.0, 0.0, 2.0])
        assert found.images.shape == (len(found.dimensions), 3, 6, 5)
        assert sorted(found.dimensions) == list(range(model.model.latents[latent]))
        for row, dimension in enumerate(found.dimensions):
            code = {name: x.clone() for name, x in z.items()}
            code[latent][0, dimension] = 2.0
            expected = 255 * model.model.decode(code)["image"].mean[0, 0].detach().numpy()
            assert np.abs(found.images[row, 2] - expected).max() <= 0.51
    assert len(model.traverse_shared("image", 4, [0.0], most=1).dimensions) == 1


@pytest.mark.parametrize(("family", "name", "said"), [
    ("product", "image", "does not tell what is shared"), ("separate", "image", "does not tell what is shared"),
    ("dmvae", "label", "label has no private code. Choose one that has: image, text, numbers"),
    ("dmvae", "text", "text is a text, of which there is no picture"), ("dmvae", "sound", "no modality 'sound'")])
def test_swaps_that_make_no_sense_are_refused(opened: Open, family: str, name: str, said: str) -> None:
    model = opened(family)
    with pytest.raises(ValueError, match=said):
        model.swap(name, [0], [1])
    with pytest.raises(ValueError, match=said):
        model.traverse_private(name, 0, [0.0])


@pytest.mark.parametrize(("rows", "columns"), [([], [0]), ([0] * 30, [0] * 30), ([99], [0]), ([-1], [0])])
def test_rows_and_columns_are_bounded(opened: Open, rows: list[int], columns: list[int]) -> None:
    with pytest.raises(ValueError, match=r"Choose"):
        opened("dmvae").swap("image", rows, columns)


def test_varied_samples_are_of_many_classes(opened: Open) -> None:
    model = opened("dmvae")
    assert model.labels is not None
    for seed in range(3):
        assert sorted(model.labels[model.varied(4, seed)]) == [0, 1, 2, 3]
    assert model.varied(6, 1) == model.varied(6, 1) and len(set(model.varied(N))) == N


def test_a_crossed_sheet_has_every_picture_at_its_place() -> None:
    body = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1).repeat(4, 2).repeat(5, 3) + 10
    sheet = crossed(body, np.full((2, 4, 5), 100, np.uint8), np.full((3, 4, 5), 200, np.uint8), gap=1, apart=2)
    assert sheet.shape == (4 + 2 + 4 + 1 + 4, 5 + 2 + 3 * 5 + 2, 4)
    assert sheet[0, 0, 3] == 0 and sheet[0, 7, 0] == 200 and sheet[6, 0, 0] == 100
    assert [int(sheet[6 + 5 * r, 7 + 6 * c, 0]) for r in range(2) for c in range(3)] == list(range(10, 16))


# -- giving ----------------------------------------------------------------------------------------


def test_typing_a_class_or_a_sentence(opened: Open) -> None:
    model = opened("product")
    assert model.typed("label", " 2 ").value.tolist() == [[0, 0, 1, 0]]
    read = model.typed("text", "A CAT <unk> zebra runs away")
    assert read.value.tolist() == [[4, 5, 3, 3, 2]] and read.reading is not None
    assert read.reading.unknown == ("<unk>", "zebra") and read.reading.left_out == ("runs", "away")
    assert model.generate({"text": read.value}, ["label"], 2)["label"].values.shape == (2, 4)
    assert model.typed("text", model.sentence("text", 1)).value.tolist() == model.sample("text", 1).tolist()


@pytest.mark.parametrize(("name", "text", "said"), [
    ("label", "4", "'4' is no class. Type one of 0, 1, 2, 3"), ("label", "", "is no class"),
    ("label", "-1", "no class"), ("label", "²", "no class"), ("label", "9" * 900, "no class"),
    ("text", "  ", "text: there is no word here"),
    ("text", "a" * 2000, "2,000 characters"), ("image", "7", "image is an image and cannot be typed. Draw or upload"),
    ("numbers", "7", "Choose a test sample"), ("sound", "7", "no modality")])
def test_what_cannot_be_typed(opened: Open, name: str, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        opened("product").typed(name, text)


def test_clothes_have_names(opened: Open) -> None:
    ten = {"image": IMAGE, "label": Modality("label", (10,))}
    config = {"name": "image-label", "images": "fashion-mnist"}
    with pytest.raises(BrokenCheckpoint, match="'label' has shape"):  # the samples here have four classes
        opened("product", ten, data=config)
    assert opened("product", TWO, data=config).class_names("label") == ["0", "1", "2", "3"]


def test_pictures_are_checked(opened: Open) -> None:
    model = opened("product", {"image": COLOUR, "label": LABEL})
    drawing = np.zeros((6, 5), np.uint8)
    with pytest.raises(ValueError, match="image: the picture is blank"):
        model.picture("image", drawing)
    drawing[2:4] = 255
    found = model.picture("image", drawing)
    assert found.shape == (1, 3, 6, 5) and float(found.max()) == 1 and model.check({"image": found})
    for wrong in (drawing.astype(float), drawing[:5], np.zeros((2, 6, 5), np.uint8), np.zeros(30, np.uint8)):
        with pytest.raises(ValueError, match=r"does not fit\. Give uint8 of shape"):
            model.picture("image", wrong)
    clear = opened("product", {"image": Modality("image", (4, 6, 5)), "label": LABEL})
    assert clear.picture("image", drawing)[0, 3].eq(1).all()  # what is drawn is opaque
    for part in (slice(3), slice(3, 4)):  # black ink on a clear ground is no blank picture
        written = np.zeros((4, 6, 5), np.uint8)
        written[part, 2:4] = 255
        torch.testing.assert_close(clear.picture("image", written)[0], torch.from_numpy(written) / 255)
    with pytest.raises(ValueError, match="image: the picture is blank"):
        clear.picture("image", np.stack([*np.zeros((3, 6, 5), np.uint8), np.full((6, 5), 255, np.uint8)]))
    with pytest.raises(ValueError, match=r"label is a label and cannot be drawn\. Choose or type a class"):
        model.picture("label", drawing)


def test_what_a_sample_lacks_is_not_given(opened: Open) -> None:
    observed = torch.ones(N, 2, dtype=torch.bool)
    observed[1, 0] = False
    model = opened("product", TWO, observed=observed)
    assert not model.has("image", 1) and model.has("image", 0) and 1 not in model.varied(N)
    with pytest.raises(ValueError, match="test sample 1 has none"):
        model.sample("image", 1)
    with pytest.raises(ValueError, match="no test sample 12"):
        model.sample("image", N)
    with torch.inference_mode():
        alone = model.model.encode({"label": model.sample("label", 1)})["z"].mean
    np.testing.assert_allclose(model.scores()["z"][1], alone[0].numpy(), rtol=1e-4, atol=1e-6)


def test_a_digest_tells_what_is_given_apart() -> None:
    a, b = torch.zeros(1, 2), torch.zeros(2, 1)
    assert digest({"x": a, "y": b}) == digest({"y": b, "x": a})
    assert len({digest({"x": a}), digest({"x": b}), digest({"y": a}), digest({"x": a + 1}), digest({})}) == 5


# -- opening ---------------------------------------------------------------------------------------


def test_a_model_of_one_modality_is_opened_elsewhere(tmp_path: Path) -> None:
    config = parse(RunConfig, {"data": {"name": "digits"}, "model": {"family": "ae", "latent_size": 2}})
    run = Store(tmp_path).create(config)
    save_weights(run.path / WEIGHTS, config.model.build({"image": Modality("image", (1, 8, 8))}), config, 0)
    with pytest.raises(BrokenCheckpoint, match=r"is a model of images .* Wanted is a model of several modalities"):
        CrossModal.load(run)


@pytest.mark.parametrize(("name", "value"), [
    ("image", torch.zeros(N, 1, 6, 6)), ("image", torch.full((N, 1, 6, 5), torch.inf)), ("label", torch.zeros(3, 4)),
    ("text", torch.full((N, 5), 99)), ("text", torch.zeros(N, 5)), ("text", torch.full((N, 5), -1)), ("image", None),
    ("image", torch.tensor(0.5))])
def test_samples_that_lie_are_refused(opened: Open, name: str, value: torch.Tensor | None) -> None:
    run = opened("product").run
    path = run.path / "examples.safetensors"
    tensors = {key: x for key, x in load_file(path).items() if key != name or value is not None}
    save_file(tensors | ({} if value is None else {name: value}), path)
    with pytest.raises(BrokenCheckpoint, match=r"examples\.safetensors"):
        CrossModal.load(run)


def test_labels_and_masks_that_do_not_fit_are_left_out(opened: Open) -> None:
    run = opened("product", TWO).run
    path = run.path / "examples.safetensors"
    save_file(load_file(path) | {"labels": torch.zeros(3), OBSERVED: torch.ones(N, 5)}, path)
    model = CrossModal.load(run)
    assert model.labels is None and model.observed is None and len(model.varied(3)) == 3


def test_weights_that_are_not_finite_are_refused(opened: Open) -> None:
    run = opened("product", TWO).run
    model = load_model(run.path)
    next(iter(model.parameters())).data.fill_(torch.nan)
    save_weights(run.path / WEIGHTS, model, run.config(), 0)
    with pytest.raises(BrokenCheckpoint, match="not finite"):
        CrossModal.load(run)


# -- linear methods --------------------------------------------------------------------------------


def test_a_linear_method_has_one_code_loadings_and_shares(tmp_path: Path) -> None:
    config = parse(RunConfig, {"data": {"name": "halves", "images": "digits"}, "model": {
        "family": "jive", "ranks": {"kind": "fixed", "joint": 2, "individual": 1}}})
    run = Store(tmp_path).create(config)
    draw = torch.Generator().manual_seed(0)
    common = torch.randn(40, 2, generator=draw)
    blocks = {"a": common @ torch.randn(2, 6, generator=draw) + 0.1 * torch.randn(40, 6, generator=draw),
              "b": common @ torch.randn(2, 5, generator=draw) + 0.1 * torch.randn(40, 5, generator=draw)}
    fitted = config.model.build({name: Modality("vector", x.shape[1:]) for name, x in blocks.items()})
    fitted.fit(blocks)
    save_weights(run.path / WEIGHTS, fitted, config, 0)
    save_file(blocks, run.path / "examples.safetensors")
    model = CrossModal.load(run)
    assert model.linear and not model.draws and not model.has_prior and model.experts({}) is None
    assert (model.shared, model.private) == ("joint", {"a": "individual a", "b": "individual b"})
    made = model.generate({"a": model.sample("a", 3)}, ["b"], 2, seed=1)["b"].values
    np.testing.assert_array_equal(made[0], made[1])
    np.testing.assert_allclose(made[0], blocks["b"][3].numpy(), atol=0.6)
    loadings = model.loadings()
    assert {name: x.shape for name, x in loadings["joint"].items()} == {"a": (6, 2), "b": (5, 2)}
    assert list(loadings["individual a"]) == ["a"], "a latent says nothing of what it has nothing to do with"
    [(feature, value), *_] = model.strongest("joint", 0, 3)["a"]
    assert abs(value) == np.abs(loadings["joint"]["a"][:, 0]).max() == abs(loadings["joint"]["a"][feature, 0])
    shares = model.explained()
    assert all(sum(parts.values()) == pytest.approx(1, abs=1e-6) and parts["joint"] > 0.8 for parts in shares.values())
    moved = model.traverse_private("a", 0, [-1.0, 1.0]).images
    assert moved.shape == (1, 2, 1, 6) and (moved[0, 0] != moved[0, 1]).any()
    with pytest.raises(ValueError, match="no prior to draw from: give at least one of a, b"):
        model.generate({}, ["a"])


# -- directions


@pytest.mark.parametrize(("family", "latent"), [("product", "z"), ("dmvae", "shared"), ("dmvae", "image")])
def test_directions_of_each_modality_are_those_of_its_own_jacobian(opened: Open, family: str, latent: str) -> None:
    found = opened(family, THREE)
    [latent] = [name for name in found.model.latents if latent in name]
    mean = {name: torch.from_numpy(z.mean(0)).float() for name, z in found.scores().items()}
    for modality in THREE:
        def picture(z: torch.Tensor, modality: str = modality) -> torch.Tensor:
            return found.model.decode({name: (z if name == latent else other)[None] for name, other in mean.items()
                                       })[modality].mean.flatten()

        wanted = torch.func.jacrev(picture)(mean[latent]).detach().double()
        local = found.directions(latent, [modality])
        _, values, rows = torch.linalg.svd(wanted, full_matrices=False)
        np.testing.assert_allclose(local.values, values.numpy(), rtol=1e-3, atol=1e-6)
        if float(values[-1]) > 1e-3:
            np.testing.assert_allclose(np.abs((local.vectors[:2] * rows[:2].numpy()).sum(1)), 1, atol=1e-2)
        assert (values.max() == 0) == (family == "dmvae" and latent != "shared" and modality != "image"), modality
    whole = found.directions(latent)
    assert whole.values[0] >= local.values[0] - 1e-6
    moved = found.directions(latent, ["image"], {latent: np.full(found.model.latents[latent], 0.7, np.float32)})
    assert np.abs(moved.values - found.directions(latent, ["image"]).values).max() > 1e-4


def test_a_text_has_no_directions_and_a_latent_must_be_there(opened: Open) -> None:
    found = opened("product")
    assert len(found.directions("z").values) == 3, "of all but the text"
    with pytest.raises(ValueError, match="text is a text"):
        found.directions("z", ["text"])
    with pytest.raises(ValueError, match="no latent 'w'"):
        found.directions("w")
    with pytest.raises(ValueError, match="no modality 'sound'"):
        found.directions("z", ["sound"])
