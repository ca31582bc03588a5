"""One door: what lies at a path is recognised, read, said before anything trains; what cannot be read says why."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import vaecore
from vaecore.data.own import given
from vaecore.data.own.door import bring, possible, recognised
from vaecore.data.own.given import written
from vaecore.schema import ConfigError


def names(kinds: list[Any]) -> list[str]:
    return [kind.model_fields["name"].default for kind in kinds]


def a_table(folder: Path, rows: int = 40) -> Path:
    lines = ["height,weight,kind", *(f"{row},{row * 2.5},{'ab'[row % 2]}" for row in range(rows))]
    (folder / "mice.csv").write_text("\n".join(lines))
    return folder / "mice.csv"


def a_gif(path: Path, frames: int = 20) -> None:
    pictures = [Image.new("RGB", (24, 16), (9 * t, 9 * t, 9 * t)) for t in range(frames)]
    pictures[0].save(path, "GIF", save_all=True, append_images=pictures[1:])


def test_a_table_is_recognised_and_understood(tmp_path: Path) -> None:
    brought = vaecore.bring(a_table(tmp_path), covariate="kind")
    assert brought.config.tag == "table" and len(brought.config.digest) == 64
    assert Path(brought.config.path).is_absolute()
    told = str(brought)
    assert told.startswith("A table of your own: mice.csv: 32 / 4 / 4")
    assert "for training, validation and test: 32 / 4 / 4" in told
    assert "2 classes: a 20, b 20" in told


def test_what_several_kinds_could_be_is_read_as_the_one_that_it_looks_like(tmp_path: Path) -> None:
    def archive(name: str, **arrays: Any) -> Path:
        np.savez(tmp_path / name, **arrays)
        return tmp_path / name

    rng = np.random.default_rng(0)
    two = archive("two.npz", a=rng.random((40, 3)), b=rng.random((40, 2)))
    assert names(recognised(two))[0] == "aligned" and bring(two).dataset.modalities.keys() == {"a", "b"}
    film = archive("film.npz", x=rng.integers(0, 255, (4, 20, 16, 16, 1), dtype=np.uint8))
    assert names(recognised(film))[0] == "clips"
    assert "frames: 5 frames of 16 × 16 pixels" in str(bring(film, frames=5, size=16))
    one = archive("one.npz", x=rng.integers(0, 255, (60, 16, 16, 1), dtype=np.uint8))
    assert {"aligned", "clips"} & set(names(recognised(one))) == set() and "clips" in possible(one)
    assert bring(one, "clips", frames=5, size=16).config.tag == "clips"


def test_a_folder_of_pictures_may_be_one_of_their_classes_too(tmp_path: Path) -> None:
    for name in ("cat/1.png", "dog/2.png", "plain/3.png"):
        (tmp_path / name).parent.mkdir()
        Image.new("L", (8, 8)).save(tmp_path / name)
    assert list(possible(tmp_path)) == ["images", "images-labels"] and names(recognised(tmp_path)) == ["images"]
    assert list(possible(tmp_path / "plain")) == ["images"]  # nothing there tells classes
    (tmp_path / "plain" / "labels.csv").write_text("file,label\n3.png,bird\n")
    assert "images-labels" in possible(tmp_path / "plain")


def test_a_folder_is_recognised_by_what_lies_in_it(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x\n" + "1\n2\n" * 20)
    assert names(recognised(tmp_path)) == ["aligned"]
    (tmp_path / "a.csv").unlink()
    (tmp_path / "b.csv").unlink()
    for name in "abc":
        a_gif(tmp_path / f"{name}.gif")
    assert names(recognised(tmp_path))[0] == "clips"
    (tmp_path / "notes.docx").write_bytes(b"1")
    brought = bring(tmp_path, "clips", size=16, frames=6)
    assert "left out: 1 entry of the folder that is no clip by name: notes.docx" in str(brought)


@pytest.mark.parametrize(("make", "words"), [
    (lambda f: f / "nothing.csv", "is not there"),
    (lambda f: f / "nothing", r"is not there\. Give the path of a file or folder on this machine\.$"),
    (lambda f: f / "\0", "cannot be looked at|is not there"),
    (lambda f: f, "is a folder in which nothing is found that is read here"),
    (lambda f: _file(f / "thesis.pdf"), r"is of no kind that is read here.*A table of your own: \.csv"),
    (lambda f: _file(f / "two.npz"), "no .npz that can be read"),
    (lambda f: _file(f / "film.mp4"), "no film that can be read"),
])
def test_what_cannot_be_read_says_so_for_the_kinds_that_it_could_be(tmp_path: Path, make: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        bring(make(tmp_path))


def _file(path: Path) -> Path:
    path.write_bytes(b"neither this nor that")
    return path


def test_a_kind_or_a_field_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"called 'tables'.*table"):
        bring(a_table(tmp_path), "tables")
    with pytest.raises(ConfigError, match="unknown field"):
        bring(a_table(tmp_path), sice=3)
    with pytest.raises(ConfigError, match=r"'mnist' is not there; a data set that is built in is called so"):
        bring("mnist")
    with pytest.raises(ConfigError) as caught:
        bring("images")
    assert "built in" not in str(caught.value), "images are read from files of one's own"


# -- arrays ----------------------------------------------------------------------------------------


class Items:
    """As a PyTorch data set: a length, and items that are pairs."""

    def __init__(self, x: Any, labels: Any = None) -> None:
        self.x, self.labels = x, labels

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, place: int) -> Any:
        return self.x[place] if self.labels is None else (self.x[place], self.labels[place])


def test_arrays_are_written_once_under_a_name_made_of_them(tmp_path: Path) -> None:
    x, y = np.arange(120, dtype=np.float32).reshape(40, 3), np.arange(40) % 2
    path, name, fields = written((x, y), tmp_path)
    assert (name, fields) == ("table", {"covariate": "label"})
    assert path.read_text().splitlines()[:2] == ["x0,x1,x2,label", "0.0,1.0,2.0,0"]
    before = path.stat().st_mtime_ns
    assert written(Items(x, y), tmp_path)[0] == path and path.stat().st_mtime_ns == before
    assert written(Items(x), tmp_path)[0] != path and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(("value", "name", "members"), [
    (np.zeros((4, 8, 8), np.uint8), "images", {"images"}),
    ((np.zeros((4, 8, 8, 3), np.uint8), [0, 1, 0, 1]), "images", {"images", "labels"}),
    (np.zeros((2, 5, 8, 8, 1), np.uint8), "clips", {"frames"}),
    ({"a": np.zeros((4, 2)), "b": np.zeros((4, 3))}, "aligned", {"a", "b"}),
    (Items(np.zeros((4, 8, 8)), ["x", "y", "x", "y"]), "images", {"images", "labels"}),
])
def test_what_was_given_says_what_it_is(value: Any, name: str, members: set[str], tmp_path: Path) -> None:
    path, found, _ = written(value, tmp_path)
    assert found == name
    with np.load(io.BytesIO(path.read_bytes())) as archive:
        assert set(archive) == members


def test_a_tensor_and_sentences_are_taken(tmp_path: Path) -> None:
    import torch

    path, name, _ = written(torch.ones(3, 2, requires_grad=True), tmp_path)
    assert name == "table" and path.read_text() == "x0,x1\n1.0,1.0\n1.0,1.0\n1.0,1.0\n"
    path, name, _ = written(["a cat\nsleeps", "a dog barks"], tmp_path)
    assert name == "text-file" and path.read_text() == "a cat sleeps\na dog barks\n"


@pytest.mark.parametrize(("value", "words"), [
    (np.zeros(4), r"shape \(4,\) is nothing"), (3, "nothing that is read here|no array"), ({"a": object()}, "no array"),
    ((np.zeros((4, 2)), np.zeros(3)), r"labels of shape \(3,\) do not belong to 4"), (Items([]), "nothing in it"),
    (Items([np.zeros((2, 2)), np.zeros((2, 3))]), r"item 1 has the shape \(2, 3\)"), (lambda: 3, "no array"),
    (np.array([{}], object), "no array of numbers")])
def test_what_is_no_data_is_refused(value: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        written(value, tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_is_given_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given, "MAX_ARRAYS_BYTES", 1_000)
    with pytest.raises(ConfigError, match="too large to be copied"):
        written(np.zeros((40, 8, 8)), tmp_path)
    with pytest.raises(ConfigError, match=r"the first 2 of 40 items have 1,024 bytes"):
        written(Items(np.zeros((40, 8, 8))), tmp_path)


# -- texts with labels -----------------------------------------------------------------------------


def test_a_table_of_texts_and_labels_is_a_text_whose_labels_are_kept(tmp_path: Path) -> None:
    kinds = ("good", "bad", "")
    rows = [f'"the film, number {n}, was {kinds[n % 3] or "long"}",{kinds[n % 3]},{n}' for n in range(60)]
    (tmp_path / "films.csv").write_text("\n".join(["review,sentiment,id", *rows]))
    brought = bring(tmp_path / "films.csv")
    assert brought.config.tag == "text-file" and brought.dataset.classes == ("bad", "good")
    assert brought.dataset.counted() == {"bad": 20, "good": 20}
    assert brought.dataset.left_out == ("column 'id', which holds neither the texts nor the labels",)
    split = brought.dataset.splits["test"]
    vocabulary = brought.dataset.modalities["text"].vocabulary
    assert split.labels is not None and len(split.labels) == len(split) == 6
    for row, label in zip(split.arrays["text"], split.labels, strict=True):
        word = {0: "bad", 1: "good", -1: "long"}[int(label)]
        assert word in [vocabulary[number] for number in row]
    assert str(bring(tmp_path / "films.csv", "table", columns="id", covariate="sentiment").config.tag) == "table"
    few = bring(tmp_path / "films.csv", train_limit=10).dataset.splits["train"]
    assert few.labels is not None and len(few.labels) == len(few) == 10


def test_a_tsv_and_folders_of_texts_have_labels_too(tmp_path: Path) -> None:
    rows = "".join(f"{n % 2}\tone more sentence to read\n" for n in range(40))
    (tmp_path / "a.tsv").write_text(f"label\ttext\n{rows}")
    assert bring(tmp_path / "a.tsv").dataset.counted() == {"0": 20, "1": 20}
    for name in ("news", "poems"):
        (tmp_path / "texts" / name).mkdir(parents=True)
        (tmp_path / "texts" / name / "a.txt").write_text("the sea is wide\n\n" * 12)
        (tmp_path / "texts" / name / "b.txt").write_text("the sea is deep\n" * 8)
        (tmp_path / "texts" / name / "c.txt").write_text("")
    brought = bring(tmp_path / "texts")
    assert brought.config.tag == "text-file" and brought.dataset.counted() == {"news": 20, "poems": 20}
    (tmp_path / "plain.txt").write_text("the sea is wide\n\n" * 30)
    plain = bring(tmp_path / "plain.txt").dataset
    assert plain.counted() == {} and plain.splits["train"].labels is None
    assert (plain.split_by, plain.left_out) == ("by seed 0", ("30 blank lines",))


@pytest.mark.parametrize(("content", "fields", "words"), [
    ("text,label\n" + "a b c d,x\n" * 20, {}, "has 20 sentences"),
    ("text,label\n" + "a b c d,x\n" * 20 + "a, b c,d,x\n", {}, r"4 cells in row 22, but 2 columns"),
    ("text,label\n" + "a b c d,x\n" * 40, {"label": "kind"}, "no column 'kind'.*text, label"),
    ("text,label\n" + "".join(f"a b c d,x{n}\n" for n in range(300)), {}, "300 different labels")])
def test_a_table_of_texts_that_cannot_be_used_says_why(tmp_path: Path, content: str, fields: Any, words: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(ConfigError, match=words):
        bring(tmp_path / "a.csv", "text-file", **fields)


# -- moved -----------------------------------------------------------------------------------------


def _pictures(folder: Path) -> Path:
    for place in range(8):
        (folder / "pics" / "ab"[place % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 8), (place * 20, 0, 0)).save(folder / "pics" / "ab"[place % 2] / f"{place}.png")
    return folder / "pics"


def _clips(folder: Path) -> Path:
    (folder / "clips").mkdir()
    for name in "abc":
        a_gif(folder / "clips" / f"{name}.gif", 50)
    return folder / "clips"


def _texts(folder: Path) -> Path:
    for name in ("news", "poems"):
        (folder / "texts" / name).mkdir(parents=True)
        (folder / "texts" / name / "a.txt").write_text("the sea is wide\n" * 20)
    return folder / "texts"


def _modalities(folder: Path) -> Path:
    (folder / "both").mkdir()
    for name in "ab":
        (folder / "both" / f"{name}.csv").write_text("x\n" + "1\n2\n3\n" * 20)
    return folder / "both"


@pytest.mark.parametrize("make", [a_table, _pictures, _clips, _texts, _modalities])
def test_whatever_was_moved_is_the_same_at_its_new_place_and_nothing_else_is(tmp_path: Path, make: Any) -> None:
    from vaecore.data.identity import gone, identity, moved

    place = make(tmp_path)
    config = bring(place).config
    new = tmp_path / "elsewhere" / place.name
    new.parent.mkdir()
    place.rename(new)
    assert gone(config) == str(place)
    there = moved(config, str(new))
    assert there.path == str(new) and there.digest == config.digest and identity(there) == identity(config)
    assert len(there.load().splits["train"])
    first = next(path for path in sorted([new, *new.rglob("*")]) if path.is_file())
    first.write_bytes(first.read_bytes() + b"\n1,2,3\n")
    with pytest.raises(ConfigError, match=r"is not what this run was made with|cannot be"):
        moved(config, str(new))
