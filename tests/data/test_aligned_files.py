"""Modalities of one's own: what an archive or a folder means, and everything that is refused."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vaecore.data import DATASETS, SPLITS, DataUnavailable
from vaecore.data.own import aligned
from vaecore.data.own import members as aligned_files
from vaecore.data.own.aligned import Aligned
from vaecore.data.text import words
from vaecore.schema import ConfigError, parse

COUNT = 60
GENERATOR = np.random.default_rng(0)
VECTOR = GENERATOR.normal(5, 3, (COUNT, 4))
PICTURE = GENERATOR.integers(0, 256, (COUNT, 6, 5), dtype=np.uint8)
CLASSES = np.arange(COUNT) % 3 + 7
LINES = [f"Der Hund Nummer {number % 7} läuft." for number in range(COUNT)]


def archive(path: Path, **arrays: Any) -> Aligned:
    np.savez_compressed(path / "own.npz", **arrays)
    return Aligned(path=str(path / "own.npz"))


def refused(config: Aligned, *said: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config.load()
    [fault] = caught.value.problems
    assert fault.field == "data.path" and fault.remedy.endswith(".") and fault.value
    for part in said:
        assert part in str(fault), str(fault)
    return str(fault)


def test_an_archive_is_shuffled_and_split(tmp_path: Path) -> None:
    config = archive(tmp_path, vector=VECTOR, picture=PICTURE, kind=CLASSES, labels=CLASSES)
    dataset = config.load()
    assert DATASETS["aligned"] is Aligned and dataset.name == "aligned"
    assert dataset.source == "own.npz: 48 / 6 / 6 samples of kind, picture, vector"
    assert {name: (m.kind, m.shape) for name, m in dataset.modalities.items()} == {
        "kind": ("label", (3,)), "picture": ("image", (1, 6, 5)), "vector": ("vector", (4,))}
    again = config.load()
    order = np.random.default_rng(0).permutation(COUNT)
    for split, rows in zip(SPLITS, np.split(order, [48, 54]), strict=True):
        part = dataset.splits[split]
        assert part.observed is None and part.labels is not None
        np.testing.assert_array_equal(part.arrays["picture"][:, 0], PICTURE[rows])
        np.testing.assert_array_equal(part.labels, CLASSES[rows] - 7)
        np.testing.assert_array_equal(part.arrays["kind"].argmax(1), part.labels)
        train = VECTOR[order[:48]]
        np.testing.assert_allclose(part.arrays["vector"], (VECTOR[rows] - train.mean(0)) / train.std(0), atol=1e-5)
        for name, array in part.arrays.items():
            np.testing.assert_array_equal(array, again.splits[split].arrays[name])
    raw = config.model_copy(update={"standardise": False, "held_out": 0.25, "split_seed": 1}).load()
    assert [len(raw.splits[split]) for split in SPLITS] == [30, 15, 15]
    np.testing.assert_array_equal(raw.splits["train"].arrays["vector"],
                                  VECTOR[np.random.default_rng(1).permutation(COUNT)[:30]].astype(np.float32))


def test_a_folder_has_a_file_for_each_modality(tmp_path: Path) -> None:
    colour = GENERATOR.random((COUNT, 4, 4, 3))
    np.save(tmp_path / "colour.npy", colour)
    (tmp_path / "gene.csv").write_text("a,b\n" + "".join(f"{a},{b}\n" for a, b in VECTOR[:, :2]))
    (tmp_path / "words.txt").write_bytes("\r\n".join(LINES).encode())
    np.save(tmp_path / "labels.npy", CLASSES.astype(np.uint8))
    (tmp_path / ".hidden").write_text("ignored")
    dataset = Aligned(path=str(tmp_path), least_count=1, standardise=False).load()
    assert list(dataset.modalities) == ["colour", "gene", "words"]
    order = np.random.default_rng(0).permutation(COUNT)
    train, text = dataset.splits["train"], dataset.modalities["words"]
    np.testing.assert_array_equal(train.arrays["colour"], np.rint(255 * np.moveaxis(colour, 3, 1)[order[:48]]))
    np.testing.assert_allclose(train.arrays["gene"], VECTOR[order[:48], :2], rtol=1e-6)
    assert text.kind == "text" and text.shape == (7,)
    assert [words(row, text.vocabulary) for row in train.arrays["words"]] == [LINES[i].lower() for i in order[:48]]
    (tmp_path / "labels.npy").unlink()
    (tmp_path / "labels.csv").write_text("class\n" + "".join(f"{c if c != 8 else 'NA'}\n" for c in CLASSES))
    labels = Aligned(path=str(tmp_path), least_count=1).load().splits["test"].labels
    np.testing.assert_array_equal(labels, np.array([0, -1, 1])[CLASSES[order[54:]] - 7])


@pytest.mark.parametrize(("shape", "dtype", "stored"), [
    ((COUNT, 3, 8, 9), np.uint8, (3, 8, 9)), ((COUNT, 8, 9, 1), np.uint8, (1, 8, 9)),
    ((COUNT, 8, 9), np.float16, (1, 8, 9)), ((COUNT, 3, 3, 3), np.float64, (3, 3, 3)),
    ((COUNT, 1, 8, 3), np.uint8, (1, 8, 3))])
def test_shapes_of_images(tmp_path: Path, shape: tuple[int, ...], dtype: Any, stored: tuple[int, ...]) -> None:
    image = np.ones(shape, dtype)
    dataset = archive(tmp_path, image=image, vector=VECTOR.astype(">f4")).load()
    assert dataset.modalities["image"].shape == stored and dataset.splits["train"].arrays["image"].dtype == np.uint8
    assert (dataset.splits["train"].arrays["image"] == (1 if dtype == np.uint8 else 255)).all()
    import torch

    for array in dataset.splits["train"].arrays.values():
        torch.from_numpy(array)  # in this machine's order of bytes


def test_what_is_not_observed_says_so_itself(tmp_path: Path) -> None:
    vector, picture, kind = VECTOR.copy(), PICTURE / 255, CLASSES.copy()
    vector[:20], picture[10:30], kind[15] = np.nan, np.nan, -1
    np.save(tmp_path / "vector.npy", vector)
    np.save(tmp_path / "picture.npy", picture)
    np.save(tmp_path / "kind.npy", kind)
    (tmp_path / "line.txt").write_text("\n".join(["", " ", *LINES[2:]]) + "\n", encoding="utf-8")
    dataset = Aligned(path=str(tmp_path), least_count=1).load()
    order = np.random.default_rng(0).permutation(COUNT)
    has = np.ones((COUNT, 4), bool)  # kind, line, picture, vector
    has[15, 0], has[:2, 1], has[10:30, 2], has[:20, 3] = False, False, False, False
    for split, rows in zip(SPLITS, np.split(order, [48, 54]), strict=True):
        part = dataset.splits[split]
        np.testing.assert_array_equal(has[rows], np.ones_like(has[rows]) if part.observed is None else part.observed)
        for m, array in enumerate(part.arrays.values()):
            assert not array[~has[rows][:, m]].any() and np.isfinite(array).all()
    train = dataset.splits["train"].arrays["vector"][has[order[:48], 3]]
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-6)  # by the rows that have it
    np.testing.assert_allclose(train.std(0), 1, atol=1e-5)


@pytest.mark.parametrize("dtype", [bool, np.int64, np.float64])
def test_a_mask_says_who_has_what(tmp_path: Path, dtype: Any) -> None:
    mask = np.ones((COUNT, 2), bool)
    mask[::3, 0], mask[1::3, 1] = False, False
    vector = np.where(mask[:, 1:], VECTOR, np.inf)  # whatever stands there is not read
    config = archive(tmp_path, picture=PICTURE, vector=vector, mask=mask.astype(dtype))
    dataset = config.load()
    order = np.random.default_rng(0).permutation(COUNT)
    np.testing.assert_array_equal(dataset.splits["train"].observed, mask[order[:48]])
    assert list(dataset.modalities) == ["picture", "vector"]
    train = dataset.splits["train"]
    assert not train.arrays["picture"][~mask[order[:48], 0]].any() and np.isfinite(train.arrays["vector"]).all()
    fewer = parse(Aligned, {"path": config.path, "missing": {"kind": "pairing", "paired": 0.5}}).load()
    for row, seen in zip(fewer.splits["train"].observed, *[fewer.splits["train"].arrays["vector"]], strict=True):
        assert row.any() and (row[1] or not seen.any())
    np.testing.assert_array_equal(fewer.splits["test"].observed, dataset.splits["test"].observed)


def test_vocabulary_and_means_are_of_what_is_trained_on(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VECTOR)
    (tmp_path / "b.txt").write_text("\n".join(f"wort{row}" for row in range(COUNT)))
    dataset = Aligned(path=str(tmp_path), least_count=1, train_limit=8).load()
    assert len(dataset.splits["train"]) == 8 and len(dataset.modalities["b"].vocabulary) == 4 + 8
    np.testing.assert_allclose(dataset.splits["train"].arrays["a"].mean(0), 0, atol=1e-6)
    with pytest.raises(ConfigError, match=r"data\.least_count: no word occurs 2 times .* of 'b\.txt'"):
        Aligned(path=str(tmp_path)).load()


def test_a_run_remembers_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    archive(tmp_path, a=VECTOR, b=CLASSES)
    config = Aligned(path="own.npz").resolve()
    assert config.path == str(tmp_path / "own.npz")
    assert config.digest == hashlib.sha256((tmp_path / "own.npz").read_bytes()).hexdigest()
    assert config.resolve() == config and len(config.load().splits["train"]) == 48
    archive(tmp_path, a=VECTOR + 1, b=CLASSES)
    assert "has changed since this run was made" in refused(config, "own.npz", "data.digest")
    folder = tmp_path / "folder"
    folder.mkdir()
    np.save(folder / "a.npy", VECTOR)
    np.save(folder / "b.npy", CLASSES)
    config = Aligned(path="folder").resolve()
    assert config.path == str(folder) and len(config.load().splits["train"]) == 48
    (folder / "b.npy").rename(folder / "c.npy")
    assert "has changed" in refused(config)
    with pytest.raises(ConfigError, match="digest"):
        parse(Aligned, {"digest": "abc"})
    assert Aligned().resolve() == Aligned() and Aligned(path="none").resolve() == Aligned(path="none")
    with pytest.raises(DataUnavailable, match=r"Give data\.path, an \.npz"):
        Aligned().load()


# -- what is refused -------------------------------------------------------------------------------


def holed(rows: Any, value: float = np.nan) -> Any:
    x = VECTOR.copy()
    x[rows] = value
    return x


MASK = np.ones((COUNT, 2))
LEAVES = MASK.copy()
LEAVES[33] = 0
GAP = MASK.copy()
GAP[:, 1] = 0


@pytest.mark.parametrize(("arrays", "said"), [
    ({"a": VECTOR}, ["has 1 modality: a", "Give 2 to 16"]),
    ({"labels": CLASSES, "mask": MASK}, ["has 0 modalities", "Give 2 to 16"]),
    ({f"m{i}": VECTOR for i in range(17)}, ["has 17 modalities", "2 to 16"]),
    ({f"m{i}": VECTOR for i in range(40)}, ["has 40 arrays"]),
    ({"a": VECTOR, "b": VECTOR[:59]}, ["'b'", "has 59 samples, but 'a' has 60"]),
    ({"a": VECTOR, "b": VECTOR, "labels": CLASSES[1:]}, ["'labels'", "has 59 samples, but 'a' has 60"]),
    ({"a": VECTOR[:9], "b": VECTOR[:9]}, ["'a'", "has 9 samples", "at least 10"]),
    ({"a": VECTOR, "b": np.array([{}] * COUNT, object)}, ["'b'", "pickle", "never loaded", ".txt file"]),
    ({"a": VECTOR, "b": np.array(LINES)}, ["'b'", "is <U", ".txt file in a folder"]),
    ({"a": VECTOR, "b": VECTOR * 1j}, ["'b'", "is complex128 of shape (60, 4)"]),
    ({"a": VECTOR, "b": np.zeros(COUNT, [("x", "f4")])}, ["'b'", "of shape (60,)"]),
    ({"a": VECTOR, "b": VECTOR[:, 0]}, ["'b'", "is float64 of shape (60,)", "of one number (N, 1)"]),
    ({"a": VECTOR, "b": np.float64(3)}, ["'b'", "of shape ()"]),
    ({"a": VECTOR, "b": np.zeros((COUNT, 0))}, ["'b'", "is empty"]),
    ({"a": VECTOR, "b": np.zeros((COUNT, 2, 2, 2, 2))}, ["'b'", "of shape (60, 2, 2, 2, 2)"]),
    ({"a": VECTOR, "b": np.zeros((COUNT, 2, 5, 5))}, ["'b'", "1 or 3 channels"]),
    ({"a": VECTOR, "b": np.zeros((COUNT, 300, 2), np.uint8)}, ["'b'", "at most 256 pixels"]),
    ({"a": VECTOR, "b": PICTURE.astype(int)}, ["'b'", "is int64 of shape (60, 6, 5)", "uint8"]),
    ({"a": VECTOR, "b": PICTURE.astype(float)}, ["'b'", "in sample 0", "between 0 and 1", "divide them by 255"]),
    ({"a": VECTOR, "b": holed((7, 2))}, ["'b'", "has nan in sample 7", "NaN throughout"]),
    ({"a": VECTOR, "b": holed((7, 2), np.inf)}, ["'b'", "has inf in sample 7"]),
    ({"a": VECTOR, "b": holed((7, 2), 1e300)}, ["'b'", "has 1e+300 in sample 7"]),
    ({"a": VECTOR, "b": holed(7), "mask": MASK}, ["'b'", "nothing in sample 7", "the mask calls observed", "put 0"]),
    ({"a": VECTOR, "b": holed((7, 1)), "mask": MASK}, ["'b'", "has nan in sample 7", "mask calls observed"]),
    ({"a": holed(7), "b": holed(7)}, ["has sample 7", "without any modality"]),
    ({"a": VECTOR, "b": VECTOR, "mask": LEAVES}, ["'mask'", "leaves sample 33", "without any modality"]),
    ({"a": VECTOR, "b": VECTOR, "mask": MASK[:, :1]}, ["'mask'", "(60, 1), not (60, 2)", "in this order: a, b"]),
    ({"a": VECTOR, "b": VECTOR, "mask": MASK * 2}, ["'mask'", "other entries than 0 and 1"]),
    ({"a": VECTOR, "b": VECTOR, "mask": MASK * np.nan}, ["'mask'", "other entries than 0 and 1"]),
    ({"a": VECTOR, "b": VECTOR, "mask": GAP}, ["'b'", "not observed in any training sample"]),
    ({"a": VECTOR, "b": holed(slice(None))}, ["'b'", "not observed in any training sample"]),
    ({"a": VECTOR, "b": np.arange(COUNT) - 5}, ["'b'", "has a label -5"]),
    ({"a": VECTOR, "b": np.full(COUNT, -1)}, ["'b'", "has 0 different labels"]),
    ({"a": np.zeros((300, 1)), "b": np.arange(300)}, ["'b'", "has 300 different labels"]),
    ({"a": VECTOR, "b": VECTOR, "labels": VECTOR[:, 0]}, ["'labels'", "is float64", "whole numbers"]),
    ({"a": VECTOR, "covariate": VECTOR}, ["'covariate'", "means something else", "another name"]),
    ({"a": VECTOR, "Observed": VECTOR}, ["'Observed'", "another name"]),
    ({"a": VECTOR, "MASK": MASK}, ["'MASK'", "another name"]),
    ({"a": VECTOR, "b.c": VECTOR}, ["'b.c'", "a name that cannot be shown", "40 letters"]),
    ({"a": VECTOR, "b" * 41: VECTOR}, ["a name that cannot be shown"])])
def test_arrays_that_are_no_modalities(tmp_path: Path, arrays: dict[str, Any], said: list[str]) -> None:
    refused(archive(tmp_path, **arrays), "own.npz", *said)


def npy(shape: tuple[int, ...], descr: str = "<f8", data: bytes = b"") -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
    return header.getvalue() + data


def zipped(method: int = zipfile.ZIP_DEFLATED, **entries: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as file:
        for name, content in entries.items():
            file.writestr(name.replace("_", "."), content)
    return data.getvalue()


GOOD = npy((COUNT, 4), data=VECTOR.tobytes())
BAD_FILES: dict[str, tuple[Callable[[], bytes], list[str]]] = {
    "empty": (lambda: b"", ["is empty"]),
    "text": (lambda: b"a,b\n1,2\n" * 40, ["is no .npz that can be read"]),
    "npy": (lambda: GOOD, ["is no .npz that can be read", "numpy.savez"]),
    "cut": (lambda: zipped(a_npy=GOOD, b_npy=GOOD)[:-40], ["is no .npz that can be read"]),
    "flipped": (lambda: zipped(zipfile.ZIP_STORED, a_npy=GOOD).replace(VECTOR.tobytes()[:8], b"\1" * 8), ["own.npz"]),
    "other member": (lambda: zipped(a_npy=GOOD, readme=b"hello"), ["has 'readme' in it, which is no array"]),
    "no array": (lambda: zipped(a_npy=GOOD, b_npy=b"hello"), ["'b'", "is no array that can be read"]),
    "short": (lambda: zipped(a_npy=GOOD, b_npy=GOOD[:-8]), ["'b'", "is no array that can be read", "1912"]),
    "huge": (lambda: zipped(a_npy=GOOD, b_npy=npy((2**45, 3))), ["'b'", "declares to be", "35184372088832"]),
    "negative": (lambda: zipped(a_npy=GOOD, b_npy=npy((-1, 3), data=bytes(24))), ["'b'"]),
    "pickle": (lambda: zipped(a_npy=GOOD, b_npy=npy((COUNT,), "|O", b"cos\nsystem\n(S'true'\ntR.")), ["'b'", "pickle"]),
    "bomb": (lambda: zipped(a_npy=GOOD, b_npy=bytes(2**20 + 1)), ["declares", "bytes of arrays", "Use at most"])}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", BAD_FILES)
def test_archives_that_are_none(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, said = BAD_FILES[kind]
    monkeypatch.setattr(aligned_files, "MAX_ARRAYS_BYTES", 2**20)
    monkeypatch.setattr("pickle.loads", lambda *_: pytest.fail("unpickled"))
    monkeypatch.setattr("pickle.load", lambda *_, **__: pytest.fail("unpickled"))
    (tmp_path / "own.npz").write_bytes(make())
    refused(Aligned(path=str(tmp_path / "own.npz")), "own.npz", *said)


def test_two_arrays_of_one_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "own.npz", "w") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("a.npy", GOOD)
        file.writestr("a.npy", GOOD)
    refused(Aligned(path=str(tmp_path / "own.npz")), "has two arrays 'a'")


def test_what_would_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = archive(tmp_path, a=VECTOR, b=CLASSES)
    monkeypatch.setattr(aligned, "MAX_ARRAYS_BYTES", 8_000)
    config.load()
    np.save(tmp_path / "a.npy", VECTOR)
    (tmp_path / "b.txt").write_text("ein hund\n" * COUNT)
    (tmp_path / "own.npz").unlink()
    folder = Aligned(path=str(tmp_path))
    refused(folder, "would take 10,800 bytes in memory", "at most 8,000")  # 60 x (4 x 4 + 41 x 4)
    folder.model_copy(update={"longest": 5}).load()
    monkeypatch.setattr(aligned_files, "MAX_ARRAYS_BYTES", 1_000)
    refused(folder, "files of more than 1,000 bytes")


@pytest.mark.parametrize(("files", "said"), [
    ({}, ["is an empty folder", "one .npy, .csv or .txt"]),
    ({".hidden": b"x"}, ["is an empty folder"]),
    ({"a.npy": GOOD}, ["has 1 modality: a"]),
    ({"a.npy": GOOD, "b.png": b"x"}, ["'b.png' in it", "Move it elsewhere"]),
    ({"a.npy": GOOD, "b\nc.npy": GOOD}, [r"'b\nc.npy' in it"]),
    ({"a.npy": GOOD, "a.csv": b"x\n" + b"1\n" * COUNT}, ["has both 'a.csv' and 'a.npy'"]),
    ({"a.npy": GOOD, "b.txt": "Büsche\n".encode("latin-1") * COUNT}, ["b.txt' is not UTF-8", "line 1"]),
    ({"a.npy": GOOD, "b.txt": b"a b\n" * 59}, ["'b.txt'", "has 59 samples, but 'a.npy' has 60"]),
    ({"a.npy": GOOD, "b.txt": b"a b\n" * 61}, ["'b.txt'", "has 61 samples, but 'a.npy' has 60"]),
    ({"a.npy": GOOD, "b.txt": b"a " * 6_000 + b"\n" + b"a b\n" * 59}, ["b.txt' has 12,000 characters in line 1"]),
    ({"a.npy": GOOD, "b.txt": b""}, ["b.txt' is empty"]),
    ({"a.npy": GOOD, "b.txt": b"\n" * COUNT}, ["'b.txt'", "not observed in any training sample"]),
    ({"a.npy": GOOD, "b.csv": b"1,2\n" * 61}, ["b.csv' has only numbers in its first line"]),
    ({"a.npy": GOOD, "b.csv": b"y\n" + b"word\n" * COUNT}, ["'b.csv'", "no column of numbers", "'y': 'word' in every"]),
    ({"a.npy": GOOD, "b.csv": b"x,y\n" + b"1,2\n" * 9}, ["b.csv' has 9 rows"]),
    ({"a.npy": GOOD, "b.npy": b"hello"}, ["'b.npy'", "is no array that can be read"]),
    ({"a.npy": GOOD, "b.npy": npy((2**45,))}, ["'b.npy'", "declares to be"]),
    ({"a.npy": GOOD, "b.npy": GOOD, "labels.txt": b"cat\n" * COUNT}, ["'labels.txt'", "whole numbers"]),
    ({"a.npy": GOOD, "b.npy": GOOD, "mask.txt": b"1 1\n" * COUNT}, ["'mask.txt'", "not (60, 2)"]),
    ({"a.npy": GOOD, "observed.npy": GOOD}, ["'observed.npy'", "means something else"]),
    ({f"m{i}.npy": GOOD for i in range(19)}, ["has 19 files"])])
def test_folders_that_are_no_data(tmp_path: Path, files: dict[str, bytes], said: list[str]) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    refused(Aligned(path=str(folder)), "own", *said)


@pytest.mark.skipif(os.name == "nt", reason="pipes and devices of POSIX")
@pytest.mark.parametrize("kind", ["missing", "pipe", "device", "0 byte", "long", "no home", "large", "folder inside",
                                  "pipe inside"])
def test_paths_that_hold_nothing(tmp_path: Path, kind: str) -> None:
    path, said = str(tmp_path / "own.npz"), "cannot be read"
    match kind:
        case "missing":
            said = "is not there. Give the path of a .npz file or folder"
        case "pipe":
            os.mkfifo(path)
            said = "is a device or a pipe"
        case "device":
            path, said = "/dev/zero", "is a device or a pipe"
        case "0 byte":
            path += "\0"
        case "long":
            path += "x" * 5000
        case "no home":
            path = "~nobody-has-this-name/own"
        case "large":
            with Path(path).open("wb") as file:
                file.truncate(50_000_001)
            said = "has 50,000,001 bytes"
        case "folder inside" | "pipe inside":
            (tmp_path / "own").mkdir()
            inside = tmp_path / "own" / "a.npy"
            path = str(inside.parent)
            if kind == "folder inside":
                inside.mkdir()
            else:
                os.mkfifo(inside)
            said = "a.npy' is a " + ("folder" if kind == "folder inside" else "device or a pipe")
    config = Aligned(path=path)
    assert config.resolve() == config  # nothing is said before the data is wanted
    refused(config, said)


def test_the_same_number_is_the_same_class_in_a_label_and_in_the_labels(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(1, 5, size=200)
    digit = np.where(labels == 1, -1, labels)  # not observed for one class
    np.savez(tmp_path / "mine.npz", digit=digit, x=generator.normal(size=(200, 3)), labels=labels)
    dataset = Aligned(path=str(tmp_path / "mine.npz")).load()
    train = dataset.splits["train"]
    assert train.labels is not None and train.observed is not None
    there = train.observed[:, list(train.arrays).index("digit")]
    np.testing.assert_array_equal(train.arrays["digit"][there].argmax(1), train.labels[there])
