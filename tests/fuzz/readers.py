"""Every reader of bytes from outside: what it is fed spoilt copies of, what it may raise, in which modules it reads.

A new one is a line of `readers`; `test_fuzz.py` finds modules that read and are in none.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.fuzz.spoiling import member
from vaecore.data.base import DataUnavailable
from vaecore.errors import StoreError
from vaecore.files import BrokenFile
from vaecore.schema import ConfigError

ROOT = Path(__file__).parents[2]
GALLERY = ROOT / "trained" / "gallery"
Faults = tuple[type[Exception], ...]
IN_WORDS: Faults = (ConfigError, DataUnavailable)  # of data of one's own


@dataclass(frozen=True)
class Reader:
    """How something is read from `file` in a folder that `prepared` has made, and what it may raise."""

    name: str
    file: str
    seeds: Callable[[], list[bytes]]
    read: Callable[[Path], object]
    refused: Faults = ()
    modules: tuple[str, ...] = ()
    prepared: Callable[[Path], object] = lambda _: None
    share: float = 1.0  # of the cases, where a case takes long


# -- seeds -----------------------------------------------------------------------------------------


def of_run(file: str, *names: str) -> Callable[[], list[bytes]]:
    """That file of shipped runs."""
    return lambda: [(GALLERY / name / file).read_bytes() for name in names or ("vae",)]


def told(*values: Any) -> Callable[[], list[bytes]]:
    """Values as JSON; a text as it is."""
    return lambda: [value.encode() if isinstance(value, str) else json.dumps(value).encode() for value in values]


def pixels(shape: tuple[int, ...] = (12, 8, 8)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def picture(form: str, shape: tuple[int, ...] = (20, 16, 3), **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels(shape)).save(out, form, **options)
    return out.getvalue()


@cache
def pictures() -> list[bytes]:
    return [*(picture(form) for form in ("PNG", "JPEG", "WEBP", "BMP")), picture("PNG", (9, 9)), film_gif()]


def film_gif() -> bytes:
    out = io.BytesIO()
    first, *others = [Image.fromarray(frame) for frame in pixels((12, 16, 16, 3))]
    first.save(out, "GIF", save_all=True, append_images=others, duration=100, loop=0)
    return out.getvalue()


@cache
def films() -> list[bytes]:
    """A short clip as a film."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", 8)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for frame in pixels((12, 32, 32, 3)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    return [out.getvalue()]


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(member(name, zipfile.ZIP_DEFLATED), content)
    return out.getvalue()


def tables() -> list[bytes]:
    rows = [f"{row},{row * 1.5:.2f},{'ab'[row % 2]},{row % 3 == 0},2026-01-{row % 28 + 1:02d}" for row in range(24)]
    comma = "a,b,kind,flag,when\n" + "\n".join(rows)
    return [
        comma.encode(),
        comma.replace(",", "\t").encode(),
        comma.replace(",", ";").replace(".", ",").encode("utf-16"),
        gzip.compress(comma.encode(), mtime=0),
        ('"x ""y"""\n' + "\n".join(f'"{row},5"' for row in range(20))).encode(),
    ]


@cache
def parquet_tables() -> list[bytes]:
    import pyarrow
    from pyarrow import parquet

    found = []
    for compression in ("zstd", "none"):
        out = io.BytesIO()
        parquet.write_table(
            pyarrow.table({"a": list(range(24)), "b": [row / 3 for row in range(24)], "kind": ["x", "y", "z"] * 8}),
            out,
            compression=compression,
        )
        found.append(out.getvalue())
    return found


def idx() -> bytes:
    return struct.pack(">4I", 0x803, 12, 8, 8) + pixels().tobytes()


@cache
def exported() -> list[bytes]:
    """A shipped run as a zip."""
    import tempfile

    from vaecore.sharing import export_run

    with tempfile.TemporaryDirectory() as folder:
        return [export_run("pca", Path(folder) / "pca.zip", store=ROOT / "trained").read_bytes()]


@cache
def evaluation() -> bytes:
    """The evaluation of a shipped run, or what one looks like."""
    found = next(GALLERY.glob("*/evaluation.json"), None)
    return (
        found.read_bytes() if found else b'[{"parts": {"likelihood": {"log_p": -90.1}}, "split": "test", "seed": 0}]'
    )


@cache
def numbers_of_points() -> list[bytes]:
    """Numbers of each observation, as an evaluation keeps them."""
    import tempfile

    from vaecore.evaluate import points

    with tempfile.TemporaryDirectory() as folder:
        kept = points.Points()
        kept.add("elbo", np.linspace(-90, -80, 20))
        points.write(Path(folder) / points.NAME, {"abc": kept})
        return [(Path(folder) / points.NAME).read_bytes()]


@cache
def albums() -> list[bytes]:
    """What a run drew while it learned: what is given, then pictures, a class and a sentence."""
    from vaecore.album import Page, Row, line

    pixels = np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8)
    rows = (Row("samples", "image", pixels), Row("given", "text", words=("a",)))
    return [b"".join(line(Page(step, rows)) for step in (None, 0, 10))]


@cache
def checkpoints() -> list[bytes]:
    """What resuming a small training needs."""
    import tempfile

    from vaecore.training.checkpoints import CHECKPOINT, PROGRESS, save_checkpoint

    with tempfile.TemporaryDirectory() as folder:
        model, optimizer, generator = small()
        progress = {**dict.fromkeys(PROGRESS, 1), "best": 0.5, "seconds": 0.5}
        save_checkpoint(Path(folder), model, {"optimizer": optimizer}, generator, progress)
        return [(Path(folder) / CHECKPOINT).read_bytes()]


@cache
def small() -> tuple[Any, Any, Any]:
    """A small model, its optimizer after no step, and noise."""
    import torch

    from vaecore.config import changed, preset
    from vaecore.training.build import build

    config = changed(preset("vae-digits"), ["model.latent_size=2"])
    model = build(config, config.data.load())
    return model, torch.optim.Adam(model.parameters()), torch.Generator().manual_seed(0)


# -- reading ---------------------------------------------------------------------------------------


def a_run(origin: str = "vae") -> Callable[[Path], object]:
    """A copy of a shipped run to be spoilt, in a store of its own."""
    return lambda folder: shutil.copytree(GALLERY / origin, folder, dirs_exist_ok=True)


def as_run(path: Path) -> object:
    """All that a table and a card tell of a run, of which no file is worth an error."""
    from vaecore import lab, provenance
    from vaecore.evaluate import kept
    from vaecore.library.records import record
    from vaecore.library.tables import facts
    from vaecore.store import Run

    run = Run(path.parent)
    return (
        json.dumps(facts(record(run))).encode(),
        run.title.encode(),
        run.about(),
        run.class_names(),
        kept.evaluations(run),
        kept.results(run),
        provenance.of_run(run),
        lab.status(run.path),
        lab.log(run.path, find="e"),
    )


def owner(path: Path) -> object:
    """Who claimed an attempt, on a disk that machines share."""
    from vaecore.lab import owners

    return owners.abandoned(path.parent, 1, 60.0)


def config(path: Path) -> object:
    from vaecore.store import Run

    return Run(path.parent).config().to_yaml()


def summary(path: Path) -> object:
    from vaecore.store import Run

    return json.dumps(Run(path.parent).summary()).encode()


def log(path: Path) -> object:
    """A log as Monitor, Compare and a sweep read it."""
    from vaecore.comparison import columns, history
    from vaecore.store import Metrics, Run
    from vaecore.sweeps.objective import Curves

    run, metrics = Run(path.parent), Metrics(path)
    metrics.update()
    told = {"run": history.recorded(run, columns.metrics_of(path))}
    return history.panels(told, more=True), history.latent_panels(told), Curves().of(run)


def weights(path: Path) -> object:
    from vaecore.explore.opening import opened
    from vaecore.store import Run
    from vaecore.training.checkpoints import load_model

    load_model(path)
    return opened(Run(path.parent))


def checkpoint(path: Path) -> object:
    from vaecore.training.checkpoints import load_checkpoint

    model, optimizer, generator = small()
    return load_checkpoint(path.parent, model, {"optimizer": optimizer}, generator)


@cache
def examples_of_pca() -> list[bytes]:
    """As they are shipped, deflated, and as a training writes them."""
    from safetensors.torch import save

    from vaecore.examples import read_tensors

    [shipped] = of_run("examples.safetensors", "pca")()
    tensors, notes = read_tensors(ROOT / "trained/gallery/pca/examples.safetensors")
    return [shipped, save(tensors, notes)]


def examples(path: Path) -> object:
    from vaecore.explore.opening import opened
    from vaecore.store import Run

    return Run(path.parent).class_names(), opened(Run(path.parent))


def points_read(path: Path) -> object:
    from vaecore.evaluate import points

    return points.read(path)


def album_read(path: Path) -> object:
    from vaecore import album

    return album.read(path.parent)


def preview(path: Path) -> object:
    from pages.components.previews import small
    from pages.shared import cards
    from vaecore.store import Run

    run = Run(path.parent)
    return small(path, path.stat().st_mtime_ns), cards.preview(run), cards.written(run)


def store_file(path: Path) -> object:
    """What lies in a store beside its runs: kept views, what was brought, the queue of evaluations, sweeps, claims."""
    from vaecore import shelf
    from vaecore.lab import evaluations
    from vaecore.library.views import views
    from vaecore.store import Store

    store = Store(path.parent)
    return views(store), shelf.brought(store), evaluations.items(store), evaluations.at_once(store)


def sweep(path: Path) -> object:
    from vaecore.store import Store
    from vaecore.sweeps import keeping

    return keeping.kept(Store(path.parents[1]), path.stem)


def claim(path: Path) -> object:
    from vaecore.store import Store
    from vaecore.studies import CLAIMS, about, kept

    return about(CLAIMS["C14"], kept(Store(path.parents[1]), "C14")).encode()


def brought(name: str = "", **fields: Any) -> Callable[[Path], object]:
    """Data of one's own, read to the end."""

    def read(path: Path) -> object:
        import vaecore

        return vaecore.bring(path if name != "folder" else path.parent, "" if name == "folder" else name, **fields)

    return read


def zip_of_runs(path: Path) -> object:
    from vaecore.sharing import unpack
    from vaecore.store import Store

    come = unpack(io.BytesIO(path.read_bytes()), Store(path.parent / "store"))
    shutil.rmtree(path.parent / "store")
    return come


def uploaded(path: Path) -> object:
    from vaecore.explore.uploads import from_upload

    return from_upload(path.read_bytes(), (1, 28, 28))


def published(path: Path) -> object:
    """A file of clips as it is published; whoever fetches it by hand may have another."""
    from unittest.mock import patch

    from vaecore.data import filmed, npz

    with patch.object(npz, "located", lambda *_: path):
        return filmed.published(path.name), npz.declared(path)


def header(path: Path) -> object:
    from vaecore.data import idx

    with gzip.open(path) as file:
        return idx.header(file), idx.read(path, hashlib.sha256(gzip.open(path).read()).hexdigest())


def words(path: Path) -> str:
    return path.read_text(errors="replace")


def query(path: Path) -> object:
    from vaecore.library.query import Query
    from vaecore.library.records import records
    from vaecore.store import Store

    return Query.parse(words(path)).of(records(Store(path.parent)))


def yaml_text(path: Path) -> object:
    from vaecore.config import from_file, from_text

    from_file(path)
    return from_text(words(path)).to_yaml()


def setting(path: Path) -> object:
    from vaecore.config import changed, preset

    return changed(preset("vae-digits"), words(path).split("\n")).to_json().encode()


def axis(path: Path) -> object:
    from vaecore.sweeps.points import axis

    return axis("model.latent_size", words(path), whole=True), axis(
        "training.learning_rate", words(path), whole=False
    )


def component(path: Path) -> object:
    """What a browser sends of a lasso, a drawing, a clip, a hand: whatever a websocket can carry."""
    from pages.components import cloud, pad, player
    from pages.shared.hand import numbers

    text = words(path)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    return [
        (
            cloud.chosen(each, 100, 2),
            pad.ink(each),
            numbers(each, 5),
            player.moved(each, [], context=1, length=9, key="a"),
        )
        for each in (value, text)
    ]


def talk(path: Path) -> object:
    """A talk that is read can be written, and read again as the same."""
    from vaecore import talks

    found = talks.from_file(path)
    assert talks.from_text(found.to_yaml()) == found
    talks.recorded(words(path))
    return found


def address(path: Path) -> object:
    """An address of ours, and whatever stands behind its question mark: an answer, and none that is a crash."""
    from urllib.parse import quote, unquote

    from starlette.applications import Starlette

    from pages.components import film_routes, map_routes, networks, previews, same_routes, seen, serve, stage_routes
    from tests.asking import ask

    routes = [
        *serve.routes(),
        *networks.routes(),
        *seen.routes(),
        *map_routes.routes(),
        *previews.routes(),
        *same_routes.routes(),
        *film_routes.routes(),
        *stage_routes.routes(),
    ]
    where, mark, asked = words(path).partition("?")
    answer = ask(
        Starlette(routes=routes),
        "/" + unquote(where).lstrip("/") + mark + quote(asked, safe="=&%,"),
        x_batch="1" + asked[:3].encode("ascii", "replace").decode(),
    )
    assert answer.status < 500, answer
    assert b"root:" not in answer.content, "a file of this machine"
    return answer.status


def escaped(path: Path) -> object:
    """Outside text on its way to a page, a table in each form, and a terminal."""
    from pages.shared.words import escaped
    from vaecore.cli.printing import table
    from vaecore.tables import Column, Table

    text = words(path)
    made = Table([Column("x", text)], [{"x": text}], notes=[text])
    table([{"x": text}], {"x": text})
    for said in (made.csv(), made.markdown(), made.latex(), escaped(text)):
        said.encode("utf-8", "surrogatepass")
    assert "<script" not in made.markdown()
    return escaped(text)


def cookies(path: Path) -> object:
    from starlette.requests import Request

    from pages.shared.access import cookie

    head = [(b"cookie", b"_streamlit_user=" + path.read_bytes().replace(b"\n", b""))]
    return cookie.claims(Request({"type": "http", "headers": head}))


# -- all of them -----------------------------------------------------------------------------------


def _of_run(file: str, seeds: Callable[[], list[bytes]], *modules: str, origin: str = "vae") -> Reader:
    return Reader(f"{file} of a run", file, seeds, as_run, (), modules, a_run(origin))


def readers() -> list[Reader]:
    """All, in the order in which they are told."""
    from vaecore.library.query import QueryError
    from vaecore.training.checkpoints import BrokenCheckpoint

    opened: Faults = (BrokenCheckpoint, ConfigError, StoreError)
    attempt = {"attempt": 1, "pid": 1, "time": 1.0, "started": 1.0, "host": "here", "state": "failed", "detail": "so"}
    kept_view = {"views": [{"name": "a", "query": "elbo>-95", "sort": "-elbo", "columns": ["elbo"]}]}
    swept = {
        "name": "s",
        "base": json.loads((GALLERY / "vae" / "config.json").read_bytes()),
        "seeds": 2,
        "axes": [
            {"kind": "values", "field": "model.latent_size", "values": [2, 4]},
            {"kind": "range", "field": "training.learning_rate", "low": 1e-4, "high": 1e-2},
        ],
    }
    url = [
        "networks/decoder/gallery/vae",
        "previews/gallery/vae?v=1",
        "seen/gallery/none",
        "same/prior/none?n=3&seed=1",
        "map/test/codes/none?v=1",
        "map/test/sprites-0/none",
        "previews/../../etc/passwd",
        "networks/judge/x?of=image",
        "components/x/../../app.py",
        "talks/../../etc/passwd",
        "previews/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    ]
    return [
        Reader(
            "a talk",
            "talk.yaml",
            told(
                "title: a\nscenes:\n- {address: '/traverse?run=gallery/vae&z=1', title: b, line: c, equation: 16}\n",
                (ROOT / "vaecore" / "presets" / "talks" / "lecture.yaml").read_text(),
            ),
            talk,
            (ConfigError,),
            ("vaecore.plain_yaml", "vaecore.talks"),
        ),
        Reader(
            "the owner of an attempt",
            "owner-1.json",
            told({"host": "n1", "machine": "abc", "pid": 7}),
            owner,
            modules=("vaecore.lab.owners",),
        ),
        Reader(
            "config.json",
            "config.json",
            of_run("config.json", "vae", "lagging-basic", "mvae", "svg-lp-mnist"),
            config,
            (ConfigError, StoreError),
            ("vaecore.store", "vaecore.files", "vaecore.schema"),
            a_run(),
        ),
        Reader(
            "summary.json",
            "summary.json",
            of_run("summary.json", "vae", "mvae"),
            summary,
            (StoreError,),
            ("vaecore.store",),
            a_run(),
        ),
        _of_run("config.json", of_run("config.json"), "vaecore.library.records", "vaecore.naming"),
        _of_run("about.json", of_run("about.json", "vae", "lagging-basic"), "vaecore.store"),
        _of_run("summary.json", of_run("summary.json", "vae", "mvae"), "vaecore.library.records"),
        _of_run("evaluation.json", lambda: [evaluation()], "vaecore.evaluate.kept"),
        _of_run(
            "data.json",
            told({"name": "digits", "title": "t", "sizes": {"train": 3}, "facts": ["a"], "digest": "0"}),
            "vaecore.provenance",
        ),
        _of_run(
            "marks.json",
            told({"title": "t", "note": "n", "tags": ["a", "b"], "pinned": True, "archived": False}),
            "vaecore.marks",
        ),
        *(
            _of_run(file, told(attempt), "vaecore.lab.state", "vaecore.lab.control")
            for file in ("launch.json", "exit.json", "heartbeat.json")
        ),
        _of_run(
            "where.json", told({"kind": "here"}, {"kind": "slurm", "partition": "p", "cpus": 2}), "vaecore.lab.where"
        ),
        _of_run("stop", told("1", "now", "7"), "vaecore.lab.attempts"),
        _of_run("log.txt", told("a line\nanother\n" * 20), "vaecore.lab.state"),
        Reader(
            "metrics.jsonl",
            "metrics.jsonl",
            lambda: [
                b"\n".join(whole.split(b"\n")[:40]) for whole in of_run("metrics.jsonl", "vae", "lagging-basic")()
            ],
            log,
            (),
            ("vaecore.store", "vaecore.comparison.columns", "vaecore.sweeps.objective"),
            a_run(),
        ),
        Reader(
            "weights.safetensors",
            "weights.safetensors",
            of_run("weights.safetensors", "pca"),
            weights,
            opened,
            ("vaecore.training.checkpoints", "vaecore.comparison.numbers"),
            a_run("pca"),
            0.5,
        ),
        Reader(
            "checkpoint.safetensors",
            "checkpoint.safetensors",
            checkpoints,
            checkpoint,
            (BrokenCheckpoint,),
            ("vaecore.training.checkpoints",),
        ),
        Reader(
            "examples.safetensors",
            "examples.safetensors",
            examples_of_pca,
            examples,
            opened,
            ("vaecore.examples",),
            a_run("pca"),
            0.5,
        ),
        Reader(
            "points.safetensors",
            "points.safetensors",
            numbers_of_points,
            points_read,
            (),
            ("vaecore.evaluate.points",),
        ),
        Reader(
            "pictures.jsonl",
            "pictures.jsonl",
            albums,
            album_read,
            (BrokenFile,),
            ("vaecore.album",),
        ),
        Reader(
            "preview.png",
            "preview.png",
            lambda: [*of_run("preview.png")(), picture("PNG")],
            preview,
            (),
            ("pages.components.previews", "pages.shared.cards"),
            a_run(),
        ),
        Reader(
            "preview.txt",
            "preview.txt",
            of_run("preview.txt", "lagging-basic"),
            preview,
            (),
            ("pages.shared.cards",),
            lambda folder: [
                shutil.copytree(GALLERY / "lagging-basic", folder, dirs_exist_ok=True),
                (folder / "preview.png").write_bytes(b""),
            ],
        ),
        Reader("views.json", "views.json", told(kept_view), store_file, (StoreError,), ("vaecore.library.views",)),
        Reader(
            "brought.json",
            "brought.json",
            told([{"path": "/x", "name": "images", "when": 1.0}]),
            store_file,
            (StoreError,),
            ("vaecore.shelf",),
        ),
        Reader(
            "lab.json",
            "lab.json",
            told({"evaluations": 2, "slots": 1}),
            store_file,
            (StoreError,),
            ("vaecore.lab.evaluations",),
        ),
        Reader(
            "sweep.json",
            "sweeps/s.json",
            told(swept),
            sweep,
            (StoreError, ConfigError),
            ("vaecore.sweeps.keeping",),
            lambda folder: (folder / "sweeps").mkdir(),
        ),
        Reader(
            "a result of a claim",
            "claims/C14.json",
            lambda: [(ROOT / "trained/claims/C14.json").read_bytes()],
            claim,
            (BrokenFile, StoreError),
            ("vaecore.studies.base",),
            lambda folder: (folder / "claims").mkdir(),
        ),
        Reader(
            "a zip of runs",
            "run.zip",
            exported,
            zip_of_runs,
            (StoreError,),
            ("vaecore.sharing.unpacking", "vaecore.sharing.contents"),
            share=0.5,
        ),
        Reader(
            "a table",
            "a.csv",
            tables,
            brought("table"),
            IN_WORDS,
            ("vaecore.data.own.tables.contents", "vaecore.data.own.table"),
        ),
        Reader(
            "a table by another name",
            "a.tsv",
            lambda: tables()[1:2],
            brought("table"),
            IN_WORDS,
            ("vaecore.data.own.tables.contents",),
        ),
        Reader(
            "Parquet",
            "a.parquet",
            parquet_tables,
            brought("table"),
            IN_WORDS,
            ("vaecore.data.own.tables.parquet", "vaecore.data.own.tables.parquet_pages"),
        ),
        Reader(
            "text",
            "a.txt",
            told("A sentence of words.\nAnother one, of more.\n" * 20),
            brought("text-file"),
            IN_WORDS,
            ("vaecore.data.own.text",),
        ),
        Reader(
            "text in a table",
            "a.csv",
            told("n,text\n" + "".join(f"{n},a line of {n} words\n" for n in range(30))),
            brought("text-file"),
            IN_WORDS,
            ("vaecore.data.own.text",),
        ),
        Reader(
            "an array of pictures",
            "a.npy",
            lambda: [npy(pixels()), npy(pixels((12, 6, 6)) / 255)],
            brought("images"),
            IN_WORDS,
            ("vaecore.data.own.pictures.stacks", "vaecore.data.npz"),
        ),
        Reader(
            "arrays of pictures",
            "a.npz",
            lambda: [npz(images=pixels(), labels=np.arange(12) % 3)],
            brought("images"),
            IN_WORDS,
            ("vaecore.data.own.pictures.stacks", "vaecore.data.npz"),
        ),
        Reader(
            "pictures in IDX",
            "a-images-idx3-ubyte",
            lambda: [idx()],
            brought("images"),
            IN_WORDS,
            ("vaecore.data.own.pictures.stacks",),
        ),
        Reader(
            "a zip of pictures",
            "a.zip",
            lambda: [zipped({f"{kind}/{n}.png": picture("PNG", (8, 8)) for n in range(6) for kind in "ab"})],
            brought("images"),
            IN_WORDS,
            ("vaecore.data.own.pictures.folder", "vaecore.data.own.pictures.piles"),
        ),
        Reader(
            "a picture in a folder",
            "0.png",
            lambda: [*pictures(), picture("TIFF")],
            brought("folder"),
            IN_WORDS,
            ("vaecore.data.own.pictures.decoding",),
            lambda folder: [(folder / f"{n}.png").write_bytes(picture("PNG", (8, 8))) for n in range(1, 6)],
        ),
        Reader(
            "labels beside pictures",
            "labels.csv",
            told("file,label\n" + "".join(f"{n}.png,{n % 2}\n" for n in range(6))),
            brought("folder"),
            IN_WORDS,
            ("vaecore.data.own.pictures.known",),
            lambda folder: [(folder / f"{n}.png").write_bytes(picture("PNG", (8, 8))) for n in range(6)],
        ),
        Reader(
            "clips in an array",
            "a.npz",
            lambda: [npz(clips=pixels((8, 5, 16, 16, 1)))],
            brought("clips", size=16, frames=2),
            IN_WORDS,
            ("vaecore.data.own.clip_file",),
        ),
        Reader(
            "a GIF",
            "a.gif",
            lambda: [film_gif()],
            brought("clips", size=16, frames=2),
            IN_WORDS,
            ("vaecore.data.own.clip_file",),
        ),
        Reader(
            "a film", "a.mp4", films, brought("clips", size=16, frames=2), IN_WORDS, ("vaecore.data.own.clip_file",)
        ),
        Reader(
            "modalities in an archive",
            "a.npz",
            lambda: [npz(a=pixels((20, 5)) / 9.0, b=pixels((20, 8, 8)))],
            brought("aligned"),
            IN_WORDS,
            ("vaecore.data.own.members",),
        ),
        Reader(
            "modalities in a folder",
            "a.npy",
            lambda: [npy(pixels((20, 5)) / 9.0)],
            brought("folder"),
            IN_WORDS,
            ("vaecore.data.own.members",),
            lambda folder: (folder / "b.npy").write_bytes(npy(pixels((20, 3)) / 1.0)),
        ),
        Reader("an upload", "upload", pictures, uploaded, (ValueError,), ("vaecore.explore.uploads",)),
        Reader(
            "published clips",
            "video.npz",
            lambda: [npz(frames=pixels((6, 64, 64, 3)), offsets=np.array([0, 3, 6]), fps=np.array(10.0))],
            published,
            (DataUnavailable,),
            ("vaecore.data.filmed", "vaecore.data.npz"),
            share=0.5,
        ),
        Reader(
            "published IDX",
            "x-ubyte.gz",
            lambda: [gzip.compress(idx(), mtime=0)],
            header,
            (DataUnavailable, ValueError, OSError, EOFError, zlib.error),
            ("vaecore.data.idx",),
        ),
        Reader(
            "a query",
            "query",
            told(
                "elbo>-95 family:vae -tag:old",
                'is:pinned note:"a b" model.latent_size=2,4..8',
                "made>2026-01-01 or not data:mnist",
                "has:note beta!=1",
            ),
            query,
            (QueryError,),
            ("vaecore.library.query",),
            lambda folder: shutil.copytree(GALLERY / "vae", folder / "runs" / "vae"),
        ),
        Reader(
            "YAML",
            "a.yaml",
            lambda: [
                (ROOT / "vaecore/presets/vae-digits.yaml").read_bytes(),
                b"data: {name: digits}\nmodel:\n  family: vae\n  latent_size: 3\nseed: 1\n",
            ],
            yaml_text,
            (ConfigError,),
            ("vaecore.config",),
        ),
        Reader(
            "settings",
            "settings",
            told(
                "model.latent_size=3\ntraining.epochs=2",
                "data.name=digits",
                "model={family: ae}",
                "training.beta={kind: cyclical, cycles: 3}",
            ),
            setting,
            (ConfigError,),
            ("vaecore.config",),
        ),
        Reader(
            "values of a sweep",
            "axis",
            told("2, 4, 8", "2..16", "1, 2"),
            axis,
            (ConfigError,),
            ("vaecore.sweeps.points",),
        ),
        Reader(
            "what a browser sends",
            "sent",
            told(
                "0:rows:AAAAAAEAAAA=",
                "1:bits:" + "A" * 20,
                "A" * 16_728,
                "0.5,-1,2",
                {"key": "a", "track": "x", "frame": 3},
                [1, 2],
            ),
            component,
            (),
            ("pages.components.cloud", "pages.components.pad", "pages.components.player"),
        ),
        Reader("an address", "address", told(*url), address, (), ("pages.components.previews",), share=0.5),
        Reader(
            "outside text",
            "text",
            told("a | b `c` [x](y) :smile: $x$ www.a.b =1+1", "# t\n- l\n1. n\n---\n<b>"),
            escaped,
            (),
        ),
        Reader(
            "a cookie",
            "cookie",
            told({"is_logged_in": True, "origin": "x"}, "a|b|c", "2|1:0|10:1|4:name|8:value|sig"),
            cookies,
            (),
            ("pages.shared.access.cookie",),
        ),
    ]
