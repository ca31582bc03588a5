"""Forty mice in two blocks, and ten: every linear method fits them on all rows, with their columns' names."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages import demo
from vaecore.data.own.aligned import Aligned
from vaecore.data.own.table import Table
from vaecore.explore import Checkpoint
from vaecore.explore.crossmodal import CrossModal
from vaecore.modalities import Vector
from vaecore.schema import ConfigError
from vaecore.store import Store
from vaecore.training import train

DIETS = ("coconut", "fish", "linseed", "reference", "sunflower")
GENES = tuple(f"Gene{place}" for place in range(120))
FATS = tuple(f"C{14 + place}:{place % 4} [%]" for place in range(21))


def mice(folder: Path, count: int = 40) -> Path:
    """Two blocks that share two causes, a diet each; and `one.csv`, both blocks in one table, beside the folder."""
    generator = np.random.default_rng(0)
    causes = generator.normal(size=(count, 2)) + np.stack([np.arange(count) % 5 - 2, np.zeros(count)], 1)
    genes = causes @ generator.normal(size=(2, 120)) + generator.normal(size=(count, 120)) / 2 - 1
    fats = 4 * causes @ generator.normal(size=(2, 21)) + generator.normal(size=(count, 21)) + 50
    names = [f"m{row:02}" for row in range(count)]
    diets = [DIETS[row % 5] for row in range(count)]
    folder.mkdir()

    def write(path: Path, columns: dict[str, Any]) -> None:
        rows = zip(*columns.values(), strict=True)
        path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]))

    blocks = [dict(zip(each, np.round(x, 3).T.tolist(), strict=True)) for each, x in ((GENES, genes), (FATS, fats))]
    write(folder / "genes.csv", {"mouse": names, **blocks[0]})
    write(folder / "lipids.csv", {"mouse": names, **blocks[1]})
    write(folder / "labels.csv", {"mouse": names, "diet": diets})
    write(folder.parent / "one.csv", {"mouse": names, "diet": diets, **blocks[0], **blocks[1]})
    return folder


@pytest.mark.parametrize("count", [40, 10])
@pytest.mark.parametrize("family", ["cca", "jive", "multiblock-pls"])
def test_two_blocks_are_fitted_whole(tmp_path: Path, configure: Callable[..., Any], family: str, count: int) -> None:
    data = {"name": "aligned", "path": str(mice(tmp_path / "mice", count)), "held_out": 0}
    run = Store(tmp_path / "store").create(configure({"data": data, "model": {"family": family}}), "mice")
    train(run.path, demo.Unwatched())
    found = CrossModal.load(run)
    assert found.in_sample and found.count == count and found.known == DIETS
    assert found.labels is not None and sorted(found.labels.tolist()) == sorted(row % 5 for row in range(count))
    assert found.modalities["genes"].columns == GENES and found.modalities["lipids"].columns == FATS
    lipids = found.modalities["lipids"]
    assert isinstance(lipids, Vector)
    assert np.abs(lipids.in_units(np.zeros(21)) - 50).max() < 25  # per cent
    latent = next(iter(found.loadings()))
    assert {*found.strongest(latent, 0)} == {"genes", "lipids"}


@pytest.mark.parametrize("family", ["pca", "ica"])
def test_one_table_is_fitted_whole(tmp_path: Path, configure: Callable[..., Any], family: str) -> None:
    mice(tmp_path / "mice")
    data = {"name": "table", "path": str(tmp_path / "one.csv"), "covariate": "diet", "held_out": 0}
    run = Store(tmp_path / "store").create(configure({"data": data, "model": {"family": family, "latent_size": 2}}),
                                           "mice")
    train(run.path, demo.Unwatched())
    found = Checkpoint.load(run)
    assert found.in_sample and len(found.examples) == 40 and found.known == DIETS
    assert found.vector is not None and found.vector.columns == (*GENES, *FATS)
    # Of a linear model a unit of its code changes the columns by its loadings, wherever it is.
    loading = found.moves(0)
    np.testing.assert_allclose(found.moves(0, found.encode([3])[0]), loading, atol=1e-4 * np.abs(loading).max())
    step = found.numbers(np.stack([found.scale()[0], found.scale()[0]]) + np.array([[0, 0], [1, 0]]) *
                         found.scale()[1])
    np.testing.assert_allclose(step[1] - step[0], loading, atol=1e-4 * np.abs(loading).max())


def test_a_fit_on_all_rows_is_for_methods_in_closed_form(tmp_path: Path, configure: Callable[..., Any]) -> None:
    mice(tmp_path / "mice")
    data = {"name": "table", "path": str(tmp_path / "one.csv"), "held_out": 0}
    run = Store(tmp_path / "store").create(configure({
        "data": data, "model": {"family": "vae", "likelihood": {"kind": "gaussian"}}, "training": {"batch_size": 8}}))
    with pytest.raises(ConfigError, match=r"data\.held_out: .* learns step by step"):
        train(run.path, demo.Unwatched())


def test_rows_in_another_order_are_refused(tmp_path: Path) -> None:
    folder = mice(tmp_path / "mice")
    head, *rows = (folder / "lipids.csv").read_text().splitlines()
    (folder / "lipids.csv").write_text("\n".join([head, *rows[:7], rows[8], rows[7], *rows[9:]]))
    with pytest.raises(ConfigError, match=r"'lipids\.csv' .* has 'm08' in sample 7 .* column 'mouse', but 'genes\.csv' "
                                          r"has 'm07' there\. Put the rows of all files into the same order"):
        Aligned(path=str(folder)).load()


@pytest.mark.parametrize(("gaps", "seen", "said"), [
    ("mean", 40, "2 gaps filled with the mean of the training samples"),
    ("missing", 38, "2 samples with a gap taken as not observed")])
def test_gaps_of_a_block(tmp_path: Path, gaps: str, seen: int, said: str) -> None:
    folder = mice(tmp_path / "mice")
    rows = [line.split(",") for line in (folder / "lipids.csv").read_text().splitlines()]
    rows[5][3] = rows[9][4] = "NA"
    (folder / "lipids.csv").write_text("\n".join(map(",".join, rows)))
    with pytest.raises(ConfigError, match=r"'lipids\.csv' .* has nan in sample 4 .*or choose data\.gaps"):
        Aligned(path=str(folder)).load()
    dataset = Aligned(path=str(folder), gaps=gaps, held_out=0).load()
    assert any(said in each for each in dataset.done)
    train_ = dataset.splits["train"]
    assert seen == (40 if train_.observed is None else train_.observed[:, 1].sum())
    place = np.flatnonzero(np.random.default_rng(0).permutation(40) == 4)[0]
    assert train_.arrays["lipids"][place, 2] == pytest.approx(0, abs=1e-6)
    assert "'genes.csv': column 'mouse': different in every row" in dataset.left_out[0]


def test_a_fit_on_some_rows_is_never_called_in_sample(tmp_path: Path) -> None:
    """Evaluated were 40, of which 20 had been learned from."""
    folder = mice(tmp_path / "mice")
    for data in (Table(path=str(tmp_path / "one.csv"), held_out=0), Aligned(path=str(folder), held_out=0)):
        with pytest.raises(ConfigError, match=r"data\.train_limit: .* would be 20 of 40\. Use 0, or hold out a share"):
            data.model_copy(update={"train_limit": 20}).load()
        assert data.model_copy(update={"train_limit": 40}).load().in_sample


def test_the_pages_show_all_rows_with_names_and_units(tmp_path: Path, configure: Callable[..., Any],
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    blocks = configure({"data": {"name": "aligned", "path": str(mice(tmp_path / "mice")), "held_out": 0},
                        "model": {"family": "cca"}})
    one = configure({"data": {"name": "table", "path": str(tmp_path / "one.csv"), "covariate": "diet", "held_out": 0},
                     "model": {"family": "pca", "latent_size": 3}})
    for name, config in (("blocks", blocks), ("one", one)):
        train(store.create(config, name).path, demo.Unwatched())
    monkeypatch.setenv("VAECORE_STORE", str(store.root))
    at = demo.turned_to(AppTest.from_file(str(demo.APP), default_timeout=60), "traverse")
    at.query_params["run"], at.query_params["view"] = "one", "Columns"
    at.run()
    assert not at.exception
    shown = " ".join(element.proto.body for element in at.get("html"))
    assert any(f'title="{name}: ' in shown for name in FATS) and "standard deviations" in shown
    at.query_params["view"] = "Rows"
    at.run()
    assert not at.exception
    assert any("All 40 rows, on which the model was fitted: in-sample" in caption.value for caption in at.caption)
    at = demo.turned_to(AppTest.from_file(str(demo.APP), default_timeout=60), "cross_modal")
    at.query_params["run"] = "blocks"
    at.run()
    assert not at.exception
    shown = " ".join(element.proto.body for element in at.get("html"))
    assert "in the file&#x27;s units" in shown or "in the file's units" in shown


def test_blocks_may_be_tables_of_any_kind_with_words_in_them(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (tmp_path / "own").mkdir()
    rows = range(12)
    packed = gzip.compress(b"sex\tage\n" + "".join(f"{'fm'[row % 2]}\t{row}\n" for row in rows).encode())
    (tmp_path / "own" / "clinic.tsv.gz").write_bytes(packed)
    days = [None if row == 3 else f"2024-01-{row + 1:02}" for row in rows]
    parquet.write_table(arrow.table({"gene": [float(row) for row in rows], "when": days}),
                        tmp_path / "own" / "omics.parquet")
    assert Aligned.recognises(tmp_path / "own")
    dataset = Aligned(path=str(tmp_path / "own"), standardise=False, gaps="missing").load()
    assert {name: modality.columns for name, modality in dataset.modalities.items()} == {
        "clinic": ("sex = f", "sex = m", "age"), "omics": ("gene", "when [days since 2024-01-01]")}
    order = np.random.default_rng(0).permutation(12)[:10]
    train_ = dataset.splits["train"]
    np.testing.assert_array_equal(train_.arrays["clinic"], np.stack([order % 2 == 0, order % 2 == 1, order], 1))
    assert train_.observed is None or train_.observed[:, 1].tolist() == (order != 3).tolist()
    np.testing.assert_array_equal(train_.arrays["omics"], np.where(order[:, None] == 3, 0, np.stack([order, order], 1)))
