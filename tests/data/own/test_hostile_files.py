"""Files that claim one thing and hold another: refused in words, in bounded time and memory, or left out by name."""

from __future__ import annotations

import csv
import io
import os
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import vaecore
from vaecore.data import npz
from vaecore.data.own.images import Images
from vaecore.data.own.pictures import folder
from vaecore.data.own.table import Table
from vaecore.data.own.text import TextFile
from vaecore.schema import ConfigError

SOME = np.random.default_rng(0).integers(0, 256, (10, 8, 8), np.uint8)


def png(level: int) -> bytes:
    data = io.BytesIO()
    Image.fromarray(SOME[level]).save(data, "PNG")
    return data.getvalue()


def array(values: np.ndarray) -> bytes:
    data = io.BytesIO()
    np.save(data, values)
    return data.getvalue()


def refused(path: Path, match: str, name: str = "images") -> None:
    with pytest.raises(ConfigError, match=match) as caught:
        vaecore.bring(path, name)
    assert all(each.remedy and str(path) in each.message for each in caught.value.problems)


# -- zips ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packing", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_members_packed_so_that_no_bound_holds_are_left_out(tmp_path: Path, packing: int,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for level in range(6):
            archive.writestr(f"{level}.png", png(level))
        archive.writestr("bomb.png", png(7), packing)
    opened = zipfile.ZipFile.open
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda self, info, *rest: pytest.fail("unpacked") if getattr(
        info, "compress_type", 0) == packing else opened(self, info, *rest))
    dataset = vaecore.bring(path).dataset
    assert sum(dataset.size(split) for split in dataset.splits) == 6
    assert dataset.left_out == ("1 file: bomb.png it is packed in another way than a plain zip's: pack it again, "
                                "stored or deflated",)


@pytest.mark.parametrize("name", ["images", "aligned", "clips"])
def test_arrays_packed_so_that_no_bound_holds_are_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("images.npy", array(SOME))
    refused(tmp_path / "a.npz", r"'images\.npy' is packed in another way than a plain zip's", name)


@pytest.mark.parametrize("declared", [None, 3])
def test_the_members_of_a_zip_are_counted_whatever_it_declares(tmp_path: Path, declared: int | None,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for number in range(3000):
            archive.writestr(f"{number}.npy", b"")
    raw = bytearray(data.getvalue())
    if declared:
        end = raw.rfind(b"PK\5\6")
        raw[end + 8:end + 12] = struct.pack("<HH", declared, declared)
    assert npz.counted(io.BytesIO(raw)) == 3000
    (tmp_path / "a.npz").write_bytes(raw)
    (tmp_path / "a.zip").write_bytes(raw)
    monkeypatch.setattr(folder, "MAX_ENTRIES", 2000)
    monkeypatch.setattr(zipfile.ZipFile, "__init__", lambda *_, **__: pytest.fail("listed"))
    assert npz.declared(tmp_path / "a.npz") is None
    refused(tmp_path / "a.zip", r"a\.zip' has 3,000 files in it\.")
    for name in ("images", "aligned", "clips"):
        refused(tmp_path / "a.npz", r"a\.npz' has 3,000 arrays\.", name)


def test_members_of_a_zip_with_another_zip_behind_a_comment_are_counted() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a", b"")
        archive.comment = b"x" * 60_000
    assert npz.counted(data) == 1 and data.tell() == 0
    assert npz.counted(io.BytesIO(b"none")) == 0 == npz.counted(io.BytesIO())


# -- arrays and pictures ---------------------------------------------------------------------------


def test_an_array_of_negative_length_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, SOME)
    path.write_bytes(path.read_bytes().replace(b"(10, 8, 8), }", b"(10, -8, 8),}"))
    refused(path, r"no array that can be read \(it declares the shape \(10, -8, 8\)\)")


def test_numbers_with_which_nothing_can_be_computed_are_named(tmp_path: Path) -> None:
    values = SOME.astype(np.float64)
    values[3] *= 1e300
    np.save(tmp_path / "a.npy", values)
    pages = [Image.fromarray(page.astype(np.float32)) for page in SOME]
    pages[2] = Image.fromarray(np.where(SOME[2] > 9, np.nan, 1).astype(np.float32))
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        array = vaecore.bring(tmp_path / "a.npy", "images").dataset
        stack = vaecore.bring(tmp_path / "a.tif").dataset
    assert array.left_out == ("1 picture: picture 3 (the first is 0) holds numbers beyond 1e+30: divide them",)
    assert stack.left_out == ("1 picture: a.tif, page 3 holds numbers that are not finite: correct it",)


def test_labels_of_an_idx_file_that_are_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, *SOME.shape) + SOME.tobytes())
    (tmp_path / "a-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 4_000_000_000) + bytes(10))
    refused(tmp_path / "a-images-idx3-ubyte", r"'a-labels-idx1-ubyte' in .* declares 4,000,000,000 labels")


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_a_single_picture_is_answered_as_one(tmp_path: Path, ending: str) -> None:
    Image.fromarray(SOME[0]).save(tmp_path / f"a{ending}")
    with pytest.raises(ConfigError, match=f"a{ending}' is a single image") as caught:
        vaecore.bring(tmp_path / f"a{ending}")
    assert "folder" in caught.value.problems[0].remedy


def test_a_link_in_a_circle_does_not_hide_the_pictures_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                                 ) -> None:
    for name in ("one.png", "other.png"):
        (tmp_path / name).symlink_to({"one.png": "other.png"}.get(name, "one.png"))
    for level in range(6):
        (tmp_path / "sub").mkdir(exist_ok=True)
        (tmp_path / "sub" / f"{level}.png").write_bytes(png(level))
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def closed(place: str | Path = ".") -> Any:
        if str(place).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(place)

    monkeypatch.setattr(os, "scandir", closed)
    dataset = vaecore.bring(tmp_path).dataset
    assert dataset.left_out[0] == ("3 files: closed it cannot be read (Permission denied); one.png a link to nowhere, "
                                   "or in a circle; other.png a link to nowhere, or in a circle")


# -- Parquet ---------------------------------------------------------------------------------------


def table(path: Path, **columns: object) -> Path:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"a": list(range(20)), **columns}), path, compression="zstd")
    return path


def test_pages_that_unpack_to_more_than_the_footer_claims_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                                      ) -> None:
    path = table(tmp_path / "a.parquet", t=["x" * 11_000_000 + str(row) for row in range(20)])
    parquet = pytest.importorskip("pyarrow.parquet")
    group = parquet.read_metadata(path).row_group(0)
    data, lied = path.read_bytes(), 0
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    for size in {group.column(1).total_uncompressed_size, group.total_byte_size}:
        told = varint(2 * size)
        lied += data.count(told, start)
        data = data[:start] + data[start:].replace(told, b"\x80" * (len(told) - 1) + b"\x01")
    path.write_bytes(data)
    assert lied and parquet.read_metadata(path).row_group(0).total_byte_size < 200_000_000
    monkeypatch.setattr(parquet.ParquetFile, "read", lambda *_, **__: pytest.fail("unpacked"))
    refused(path, r"has pages that unpack to 2\d\d,\d+,\d+ bytes or more, though its end claims fewer", "table")


def varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def test_cells_of_parquet_that_are_no_text_and_no_day_are_refused_by_column(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    offsets = arrow.py_buffer(np.arange(21, dtype=np.int32))
    text = arrow.Array.from_buffers(arrow.string(), 20, [None, offsets, arrow.py_buffer(b"\xff" * 20)])
    for column in (text, arrow.array([9 * 10**14] * 20, arrow.timestamp("ms")),
                   arrow.array([5] * 20, arrow.timestamp("s", "Mars/Olympus"))):
        refused(table(tmp_path / "a.parquet", when=column), r"has a cell in column 'when' that cannot be read", "table")


def test_columns_of_parquet_that_are_no_cells_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = table(tmp_path / "a.parquet", pairs=[[1, 2], [3]] * 10)
    refused(path, "has columns with several values in a cell: 'pairs'", "table")
    table(path, blob=arrow.array([b"x" * 1000] * 20), b=[0.5] * 20)
    read, asked = parquet.ParquetFile.read, []
    monkeypatch.setattr(parquet.ParquetFile, "read", lambda self, columns=None, **rest: asked.append(columns) or read(
        self, columns, **rest))
    dataset = Table(path=str(path)).load()
    assert asked == [["a", "b"]] and dataset.done[0] == "columns of bytes passed over: 'blob'"
    assert dataset.modalities["vector"].columns == ("a", "b")


@pytest.mark.parametrize(("name", "most"), [("texts.csv", "MAX_ROWS"), ("texts.tsv", "MAX_CELLS"), ("lines.txt", "")])
def test_rows_of_a_byte_are_bounded_as_they_are_read(name: str, most: str, tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty megabytes of them took four gigabytes in the server's process."""
    monkeypatch.setattr("vaecore.data.own.file.MAX_LINES", 100)
    if most:
        monkeypatch.setattr(f"vaecore.data.own.tables.contents.{most}", 100)
    read = 0

    def counted(*args: Any, **more: Any) -> Any:
        nonlocal read
        for row in reader(*args, **more):
            read += 1
            yield row

    reader = csv.reader
    monkeypatch.setattr(csv, "reader", counted)
    (tmp_path / name).write_text("text\n" + "ab\n" * 5_000)
    with pytest.raises(ConfigError, match=r"(rows of 1 columns|5,001 lines).*Use at most"):
        TextFile(path=str(tmp_path / name)).load()
    assert read < 300, "what is too much is not read to its end"


def test_a_table_beside_pictures_is_bounded_as_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(12):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(tmp_path / f"{number:02d}.png")
    (tmp_path / "labels.csv").write_text("name,label\n" + "00.png,a\n" * 500)
    monkeypatch.setattr("vaecore.data.own.tables.contents.MAX_CELLS", 100)
    with pytest.raises(ConfigError, match=r"labels\.csv.*has more than 50 rows of 2 columns"):
        Images(path=str(tmp_path)).load()
