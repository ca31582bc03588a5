"""Data: splits that never move, files that are checked, and no network."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import socket
import struct
import subprocess
import sys
import threading
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vaecore.data import DATASETS, MNIST, DataUnavailable, idx, mnist
from vaecore.data.base import binarise, mapped, shuffled_split
from vaecore.data.digits import Digits
from vaecore.data.fashion_mnist import FashionMNIST
from vaecore.data.gaussian import Gaussian
from vaecore.data.omniglot import Omniglot
from vaecore.data.published import SYSTEM
from vaecore.schema import ConfigError, parse

DIGESTS = {"train": "a2072d0cecec169b", "validation": "76a932a76e141e7f", "test": "674b9000df555a13"}
EMBEDDED: list[Any] = [MNIST(source="embedded"), Digits(), Gaussian()]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        pytest.fail("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any data: `VAECORE_DATA` is an empty folder, and so is the cache."""
    monkeypatch.setenv("VAECORE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(SYSTEM, "fashion-mnist", str(tmp_path / "none"))
    return tmp_path


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(("config", "kind", "shape", "sizes"), [
    (EMBEDDED[0], "image", (1, 28, 28), (4000, 500, 500)), (EMBEDDED[1], "image", (1, 8, 8), (1297, 250, 250)),
    (EMBEDDED[2], "vector", (8,), (5000, 500, 500))], ids=["mnist", "digits", "gaussian"])
def test_splits_are_whole_disjoint_and_the_same_each_time(config: Any, kind: str, shape: tuple[int, ...],
                                                          sizes: tuple[int, ...]) -> None:
    first, second = config.load(), config.load()
    assert first.name == config.name
    rows: list[set[bytes]] = []
    for (name, split), size in zip(first.splits.items(), sizes, strict=True):
        [array], [again] = split.arrays.values(), second.splits[name].arrays.values()
        assert array.shape == (size, *shape) and len(split) == size
        assert array.dtype == (np.uint8 if kind == "image" else np.float32)
        np.testing.assert_array_equal(array, again)
        rows.append({row.tobytes() for row in array})
        if kind == "image":
            assert split.labels is not None and split.labels.shape == (size,)
            assert set(split.labels.tolist()) == set(range(10))
    assert list(first.splits) == ["train", "validation", "test"]
    [modality] = first.modalities.values()
    assert (modality.kind, modality.shape) == (kind, shape)
    assert not rows[0] & rows[1] and not rows[0] & rows[2] and not rows[1] & rows[2]


@pytest.mark.usefixtures("offline", "nowhere")
def test_the_embedded_digits_are_those_of_every_run_before() -> None:
    """Values, order and splits to the bit: shipped checkpoints were trained on them, and their numbers are of them."""
    found = {name: hashlib.sha256(split.arrays["image"].tobytes() + split.labels.tobytes()).hexdigest()[:16]
             for name, split in MNIST(source="embedded").load().splits.items() if split.labels is not None}
    assert found == DIGESTS


def test_a_shuffled_split_is_a_partition_with_its_labels() -> None:
    images = np.arange(100)[:, None]
    parts, labels = shuffled_split(images, np.arange(100), held_out=20)
    assert [len(parts[s]) for s in ("train", "validation", "test")] == [60, 20, 20]
    assert sorted(np.concatenate(list(parts.values())).ravel().tolist()) == list(range(100))
    assert all((parts[s].ravel() == labels[s]).all() for s in parts)
    assert parts["train"].ravel().tolist() != sorted(parts["train"].ravel().tolist())


@pytest.mark.parametrize("config", EMBEDDED[:2], ids=["mnist", "digits"])
def test_labels_belong_to_their_images(config: Any) -> None:
    dataset = config.load()
    flat = {name: split.arrays["image"].reshape(len(split), -1).astype(float) for name, split in dataset.splits.items()}
    labels = {name: split.labels for name, split in dataset.splits.items()}
    means = np.stack([flat["train"][labels["train"] == c].mean(0) for c in range(10)])
    for split in ("validation", "test"):
        nearest = ((flat[split][:, None] - means) ** 2).sum(-1).argmin(1)
        assert (nearest == labels[split]).mean() > 0.7
    ink = dataset.splits["train"].arrays["image"].mean((0, 1)) / 255
    assert ink[ink.shape[0] // 2 - 2: ink.shape[0] // 2 + 2].mean() > 3 * ink[:, :1].mean()  # upright, dark outside


def test_gaussian_vectors_have_their_spectrum() -> None:
    eigenvalues = (4.0, 1.0, 0.25)
    dataset = Gaussian(eigenvalues=eigenvalues, size=100_000).load()
    x = dataset.splits["train"].arrays["vector"].astype(float)
    np.testing.assert_allclose(np.linalg.eigvalsh(x.T @ x / len(x))[::-1], eigenvalues, rtol=0.03)
    assert abs(np.cov(x.T) - np.diag(np.diag(np.cov(x.T)))).max() > 0.1  # rotated
    test = dataset.splits["test"].arrays["vector"].astype(float)  # by the same rotation in every split
    np.testing.assert_allclose(test.T @ test / len(test), x.T @ x / len(x), atol=0.15)
    other = Gaussian(eigenvalues=eigenvalues, data_seed=1, size=100).load().splits["train"].arrays["vector"]
    assert not np.allclose(other, x[:100])
    for bad in ([-1.0, 1.0], [float("nan")], []):
        with pytest.raises(ConfigError, match="eigenvalues"):
            parse(Gaussian, {"eigenvalues": bad})


def test_train_limit_cuts_training_only() -> None:
    whole, cut = Digits().load(), Digits(train_limit=10).load()
    np.testing.assert_array_equal(cut.splits["train"].arrays["image"], whole.splits["train"].arrays["image"][:10])
    assert cut.splits["train"].labels is not None and len(cut.splits["train"].labels) == 10
    assert len(cut.splits["validation"]) == 250


def test_binarisation_has_the_grey_levels_as_its_mean() -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8), 9000)[None].reshape(9000, 256, order="F")
    drawn = binarise(grey, seed=3)
    assert drawn.dtype == np.uint8 and set(np.unique(drawn)) == {0, 255}
    error = drawn.mean(0) / 255 - np.arange(256) / 255
    assert np.abs(error).max() < 5 * 0.5 / np.sqrt(9000)
    assert (drawn[:, 0] == 0).all() and (drawn[:, 255] == 255).all()
    np.testing.assert_array_equal(drawn, binarise(grey, seed=3))
    assert (drawn != binarise(grey, seed=4)).any()
    assert (drawn[:4096] != drawn[4096:8192]).any()  # its parts are drawn apart


def test_kinds_of_pixels() -> None:
    grey, fixed, dynamic = (Digits(pixels=p).load() for p in ("grey", "binary-fixed", "binary-dynamic"))
    for split in ("train", "validation", "test"):
        image = fixed.splits[split].arrays["image"]
        assert set(np.unique(image)) == {0, 255}
        assert image.mean() == pytest.approx(grey.splits[split].arrays["image"].mean(), rel=0.03)
        again = Digits(pixels="binary-fixed").load().splits[split].arrays["image"]
        np.testing.assert_array_equal(image, again)
        other = Digits(pixels="binary-fixed", binarisation_seed=9).load().splits[split].arrays["image"]
        assert (image != other).any()
        np.testing.assert_array_equal(fixed.splits[split].labels, grey.splits[split].labels)
    assert dynamic.dynamic and not fixed.dynamic and not grey.dynamic
    np.testing.assert_array_equal(dynamic.splits["train"].arrays["image"], grey.splits["train"].arrays["image"])
    assert set(np.unique(dynamic.splits["validation"].arrays["image"])) == {0, 255}


# -- files -----------------------------------------------------------------------------------------


def idx_bytes(array: np.ndarray[Any, Any]) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape) + array.tobytes()


@pytest.fixture
def archive(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with four small idx files that pass for MNIST, as they have its checksums here."""
    folder = nowhere / "data" / "mnist"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    checksums = {}
    for name, count in zip(idx.FILES, (50_010, 50_010, 20, 20), strict=True):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = np.zeros((count, 28, 28), np.uint8)
        images[:, 3, 5] = labels
        images[:, 0, 0] = generator.integers(0, 255, count)
        raw = idx_bytes(labels if "labels" in name else images)
        checksums[name] = hashlib.sha256(raw).hexdigest()
        (folder / f"{name}.gz").write_bytes(gzip.compress(raw, 1))
    monkeypatch.setattr(mnist, "CHECKSUMS", checksums)
    return folder


@pytest.mark.usefixtures("archive", "offline")
def test_idx_files_are_read_and_mapped(nowhere: Path) -> None:
    config = MNIST()
    assert config.resolve().source == "full"
    dataset = config.load()
    assert [len(split) for split in dataset.splits.values()] == [50_000, 10, 20]
    for name, split in dataset.splits.items():
        assert split.labels is not None
        np.testing.assert_array_equal(split.arrays["image"][:, 0, 3, 5], split.labels)
        first = 50_000 if name == "validation" else 0
        np.testing.assert_array_equal(split.labels, (first + np.arange(len(split))) % 10)
    assert isinstance(dataset.splits["train"].arrays["image"], np.memmap)
    assert isinstance(dataset.splits["validation"].arrays["image"], np.memmap)
    cached = sorted((nowhere / "cache" / "arrays").iterdir())
    assert len(cached) == 1 and cached[0].suffix == ".npy"  # the small ones are not kept
    import torch

    with warnings.catch_warnings():  # torch wants arrays it may write to
        warnings.simplefilter("error")
        for split in dataset.splits.values():
            torch.from_numpy(split.arrays["image"])
    before = cached[0].read_bytes()
    dataset.splits["train"].arrays["image"][0] = 9  # copy-on-write: nothing reaches the file
    assert cached[0].read_bytes() == before


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("place", ["mnist", "MNIST/raw", "mnist/MNIST/raw"])
@pytest.mark.parametrize("name", ["{}", "dotted", "{}.gz"])
def test_unpacked_idx_files_and_torchvisions_folder_are_found(archive: Path, place: str, name: str) -> None:
    data = archive.parent
    packed = {file: (archive / f"{file}.gz").read_bytes() for file in idx.FILES}
    for file in idx.FILES:
        (archive / f"{file}.gz").unlink()
    (data / place).mkdir(parents=True, exist_ok=True)
    for file, content in packed.items():
        called = file.replace("-idx", ".idx") if name == "dotted" else name.format(file)
        (data / place / called).write_bytes(content if name.endswith(".gz") else gzip.decompress(content))
    assert MNIST().resolve().source == "full"
    dataset = MNIST().load()
    assert [len(split) for split in dataset.splits.values()] == [50_000, 10, 20]
    test = dataset.splits["test"]
    assert test.labels is not None and test.labels.tolist() == [*range(10)] * 2
    np.testing.assert_array_equal(test.arrays["image"][:, 0, 3, 5], test.labels)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("config", [MNIST(source="full"), FashionMNIST()], ids=["mnist", "fashion-mnist"])
def test_what_is_missing_of_idx_files_is_named(nowhere: Path, config: MNIST | FashionMNIST,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SYSTEM, "fashion-mnist", str(nowhere / "debian"))
    with pytest.raises(DataUnavailable) as caught:
        config.load()
    assert f"{', '.join(idx.FILES)} (or the same with .gz) into {config.name}/" in str(caught.value)


@pytest.mark.parametrize("file", [idx.FILES[1], idx.FILES[3]])
def test_one_changed_label_is_not_the_published_file(archive: Path, file: str) -> None:
    path = archive / f"{file}.gz"
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[-1] = (raw[-1] + 1) % 10
    path.write_bytes(gzip.compress(bytes(raw)))
    with pytest.raises(DataUnavailable, match=rf"{file}\.gz in .*mnist is not the published file: its checksum"):
        MNIST(source="full").load()


@pytest.mark.parametrize("damage", ["flipped", "truncated", "other", "not gzip", "empty", "bomb"])
def test_a_corrupted_file_is_named_with_a_remedy(archive: Path, damage: str) -> None:
    path = archive / f"{idx.FILES[2]}.gz"
    data = path.read_bytes()
    match damage:
        case "flipped":
            raw = bytearray(gzip.decompress(data))
            raw[500] ^= 1
            path.write_bytes(gzip.compress(bytes(raw)))
        case "truncated":
            path.write_bytes(data[:-50])
        case "other":
            path.write_bytes((archive / f"{idx.FILES[3]}.gz").read_bytes())
        case "not gzip":
            path.write_bytes(gzip.decompress(data))
        case "empty":
            path.write_bytes(gzip.compress(b""))
        case "bomb":
            path.write_bytes(gzip.compress(bytes(70 * 2**20), 1))
    with pytest.raises(DataUnavailable, match=rf"{idx.FILES[2]}\.gz in .*mnist.*Delete it and fetch it again"):
        MNIST(source="full").load()


@pytest.mark.parametrize("keep", [0, 60, 5000])
def test_a_cached_array_cut_by_a_power_failure_is_built_anew(nowhere: Path, keep: int) -> None:
    made = np.arange(10_000, dtype=np.int64)
    mapped("key", lambda: made, at_least=0)
    path = nowhere / "cache" / "arrays" / "key.npy"
    path.write_bytes(path.read_bytes()[:keep])
    np.testing.assert_array_equal(mapped("key", lambda: made, at_least=0), made)
    np.testing.assert_array_equal(mapped("key", lambda: pytest.fail("built again"), at_least=0), made)


def test_threads_that_build_one_cached_array_at_once_each_get_it_whole(nowhere: Path) -> None:
    """In a process of its own: writing over a file that is mapped ends a process, or changes the array."""
    script = """
import sys, threading, time, zlib
import numpy as np
from vaecore.data.base import mapped

size, found = 4 << 20, []

def build():
    made = np.arange(size, dtype=np.uint32)
    turn = together.wait()  # all have found nothing in the cache
    time.sleep(turn * attempt * 0.001)  # so that each begins to write while another does
    return made

def one():
    array = mapped(f"stress-{attempt}", build, at_least=0)
    for _ in range(3):
        found.append(zlib.crc32(array))

want = zlib.crc32(np.arange(size, dtype=np.uint32))
sys.setswitchinterval(1e-5)
for attempt in range(30):
    together = threading.Barrier(6)
    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
assert found == [want] * (30 * 6 * 3), f"{sum(f != want for f in found)} wrong, {30 * 6 * 3 - len(found)} missing"
"""
    done = subprocess.run([sys.executable, "-c", script], env=os.environ, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    assert not list((nowhere / "cache" / "arrays").glob("*.tmp*")), "nothing is left behind"


@pytest.mark.usefixtures("nowhere")
def test_threads_of_one_process_write_to_files_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made, together, names = np.arange(1000), threading.Barrier(4, timeout=30), []
    save = np.save

    def saved(file: Any, array: Any, **kept: Any) -> None:
        names.append(file.name)
        together.wait()  # all files are open
        save(file, array, **kept)

    monkeypatch.setattr(np, "save", saved)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: mapped("key", lambda: made, at_least=0), range(4)))
    assert len(set(names)) == 4
    assert all(np.array_equal(array, made) for array in found)


def test_a_cache_that_cannot_be_written_costs_memory_only(nowhere: Path) -> None:
    (nowhere / "cache").write_text("a file where the folder should be")
    made = np.arange(10)
    np.testing.assert_array_equal(mapped("key", lambda: made, at_least=0), made)


@pytest.mark.usefixtures("nowhere", "offline")
def test_data_that_are_not_there() -> None:
    assert MNIST().resolve().source == "embedded"
    with pytest.raises(DataUnavailable, match=r"VAECORE_DATA.*source=embedded"):
        MNIST(source="full").load()
    with pytest.raises(DataUnavailable, match=r"VAECORE_DATA"):
        Omniglot().load()
    with pytest.raises(DataUnavailable, match=r"dataset-fashion-mnist"):
        FashionMNIST().load()


def omniglot(nowhere: Path, **arrays: Any) -> Path:
    path = nowhere / "data" / "omniglot" / "omniglot28.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 40
    values = {"x": np.arange(count, dtype=np.uint8)[:, None, None] * np.ones((28, 28), np.uint8),
              "alphabet": np.arange(count), "random_split": (np.arange(count) >= 30).astype(int), **arrays}
    np.savez_compressed(path, **values)
    return path


def test_omniglot_is_read(nowhere: Path) -> None:
    omniglot(nowhere)
    dataset = Omniglot().load()
    assert [len(split) for split in dataset.splits.values()] == [27, 3, 10]
    for split in dataset.splits.values():
        assert split.arrays["image"].shape[1:] == (1, 28, 28)
        np.testing.assert_array_equal(split.arrays["image"][:, 0, 0, 0], split.labels)
    assert set(np.asarray(dataset.splits["test"].labels)) == set(range(30, 40))


def test_broken_omniglot_files_are_refused(nowhere: Path) -> None:
    path = omniglot(nowhere)
    good = path.read_bytes()
    middle = bytearray(good)
    for place in range(200, 260):
        middle[place] ^= 0xFF
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (2**45, 28, 28)})
    huge, liar, bomb = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(huge, "w") as members:
        members.writestr("x.npy", header.getvalue())
    with zipfile.ZipFile(liar, "w") as members:
        members.writestr("x", b"not an array")
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("x.npy", bytes(65 * 2**20))
    for content in (b"", good[:100], good[:-40], bytes(middle), huge.getvalue(), liar.getvalue(), bomb.getvalue()):
        path.write_bytes(content)
        with pytest.raises(DataUnavailable, match=r"omniglot28\.npz (cannot be read.*Fetch it again|declares)"):
            Omniglot().load()
    for bad in ({"x": np.zeros((40, 20, 20), np.uint8)}, {"x": np.zeros((40, 28, 28))}, {"alphabet": np.arange(39)},
                {"random_split": np.zeros(3)}, {"x": np.array([{}], object)}):
        omniglot(nowhere, **bad)
        with pytest.raises(DataUnavailable, match="cannot be read"):
            Omniglot().load()


@pytest.mark.skipif(not Path(SYSTEM["fashion-mnist"]).is_dir(),
                    reason="Debian's dataset-fashion-mnist is not installed")
@pytest.mark.usefixtures("offline")
def test_fashion_mnist_of_debian(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAECORE_DATA", raising=False)
    dataset = FashionMNIST().load()
    assert [len(split) for split in dataset.splits.values()] == [50_000, 10_000, 10_000]
    train, test = dataset.splits["train"], dataset.splits["test"]
    assert train.labels is not None and test.labels is not None
    means = np.stack([train.arrays["image"][:5000][train.labels[:5000] == c].mean(0).ravel() for c in range(10)])
    flat = test.arrays["image"][:500].reshape(500, -1)
    assert (((flat[:, None] - means) ** 2).sum(-1).argmin(1) == test.labels[:500]).mean() > 0.6


def test_every_data_set_says_what_it_is() -> None:
    assert {"mnist", "fashion-mnist", "omniglot", "digits", "gaussian"} <= set(DATASETS)
    for name, config in DATASETS.items():
        assert config().name == name and config.__doc__
    assert os.environ["VAECORE_CACHE"] != str(Path.home() / ".cache" / "vaecore")


@pytest.mark.parametrize("name", DATASETS)
def test_looking_for_a_copy_says_what_loading_it_would(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                       ) -> None:
    monkeypatch.delenv("VAECORE_DATA", raising=False)
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path))
    monkeypatch.setitem(SYSTEM, "fashion-mnist", str(tmp_path))
    config = DATASETS[name]()
    try:
        assert config.here()
    except DataUnavailable as error:
        with pytest.raises(DataUnavailable) as caught:
            config.load()
        assert str(caught.value) == str(error)
        return
    assert name not in {"omniglot", "captions", "digit-views", "omics", "filmed", "characters", "table", "clips",
                        "images", "fashion-mnist", "sentences"}, "it is not here"
    assert not list(tmp_path.rglob("*.npy")), "looking makes nothing"
