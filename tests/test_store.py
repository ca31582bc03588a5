"""Folders that are hostile, half written or half gone: every fault names its file and its remedy."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vaecore import files, lab, shared_stores
from vaecore import store as store_module
from vaecore.config import RunConfig
from vaecore.evaluate import kept
from vaecore.files import write_bytes_atomic
from vaecore.lab import attempts, background, locks
from vaecore.library import views
from vaecore.store import STEP_COLUMNS, Metrics, Run, Store, StoreError, all_or_none
from vaecore.sweeps import keeping


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "trained")


BAD_NAMES = ["../x", "a/b", "/etc", "..", ".", ".hidden", "-x", "Upper", "a..b", "x" * 65, "a b", "a\n", "a\0b", "é"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_leave_the_store_are_refused(store: Store, name: str) -> None:
    (store.root.parent / "x").mkdir()
    for action in (lambda: store.create(RunConfig(), name), lambda: store.restore(name)):
        with pytest.raises(StoreError, match="name"):
            action()
    with pytest.raises(StoreError):
        store.find(name)
    assert not store.root.exists()


def test_find_never_leaves_the_root(store: Store, tmp_path: Path) -> None:
    for place in ("runs", "gallery", "trash", "elsewhere"):
        (store.root / place / "vae").mkdir(parents=True)
    (tmp_path / "runs" / "outside").mkdir(parents=True)
    assert store.find("vae").id == "vae"
    assert store.find("gallery/vae").id == "gallery/vae"
    for reference in ("trash/vae", "elsewhere/vae", "../trained/runs/vae", "../runs/outside", "runs/../runs/vae",
                      str(store.root / "runs" / "vae"), "gallery/../../runs/outside", "outside", "", "/", "gallery/"):
        with pytest.raises(StoreError):
            store.find(reference)


def test_create_find_and_list(store: Store) -> None:
    first, second = store.create(RunConfig(), "one"), store.create(RunConfig(seed=3))
    os.utime(first.path / "config.json", (1, 1))
    assert [run.id for run in store.runs()] == [second.id, "one"]
    assert store.find("one") == first
    assert second.config().seed == 3
    assert not list(store.root.rglob("*.tmp*"))
    with pytest.raises(StoreError, match="already a run called 'one'"):
        store.create(RunConfig(seed=9), "one")
    assert first.config().seed == 0  # the older one is untouched
    with pytest.raises(StoreError, match=r"no run 'two'.*vaecore runs"):
        store.find("two")


def test_several_runs_are_made_or_none_of_them(store: Store) -> None:
    def many(name: str) -> list[Run]:
        return all_or_none(store.create(each, f"{name}-{each.seed}") for each in RunConfig(seed=3).seeded(3))

    store.create(RunConfig(), "many-5")
    with pytest.raises(StoreError, match="already a run called 'many-5'"):
        many("many")
    assert [run.id for run in store.runs()] == ["many-5"]
    assert [(run.id, run.config().seed) for run in many("other")] == [(f"other-{seed}", seed) for seed in (3, 4, 5)]


def test_create_on_a_full_disk_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.create(RunConfig(), "one")
    assert store.runs() == []
    assert not (store.root / "runs" / "one").exists()


def test_discard_and_restore(store: Store) -> None:
    run = store.create(RunConfig(seed=1), "one")
    store.discard(run)
    assert store.runs() == []
    again = store.create(RunConfig(seed=2), "one")
    with pytest.raises(StoreError, match="already"):
        store.restore("one")
    store.discard(again)  # a second of that name does not overwrite the first in the trash
    assert sorted(json.loads((p / "config.json").read_text())["seed"] for p in (store.root / "trash").iterdir()
                  ) == [1, 2]
    assert store.restore("one").config().seed == 1
    with pytest.raises(StoreError, match="trash"):
        store.restore("nothing")
    (store.root / "gallery" / "vae").mkdir(parents=True)
    with pytest.raises(StoreError, match="shipped"):
        store.discard(store.find("gallery/vae"))
    assert store.find("gallery/vae").path.is_dir()


def test_discard_keeps_long_names_restorable(store: Store) -> None:
    name = "x" * 64
    for _ in range(2):
        store.discard(store.create(RunConfig(), name))
    for path in (store.root / "trash").iterdir():
        assert store.restore(path.name).path.is_dir()


@pytest.mark.parametrize("content", [b"", b"{", b'{"seed": ', b"\xff\xfe", b"[" * 100_000, b"[1, 2]", b'"text"', b"7",
                                     b" " * 1_000_001], ids=range(9))
@pytest.mark.parametrize("name", ["config.json", "summary.json"])
def test_broken_json_names_file_and_remedy(store: Store, name: str, content: bytes) -> None:
    run = store.create(RunConfig(), "one")
    if name == "summary.json" and len(content) > 1_000_000:
        content = b" " * 4_000_001
    (run.path / name).write_bytes(content)
    with pytest.raises(StoreError, match=rf"(?s)one.*{name}.*(Copy the run again|remove it)"):
        run.values() if name == "config.json" else run.summary()
    assert [r.id for r in store.runs()] == ["one"]  # still listed, so that it can be removed


def test_missing_files(store: Store) -> None:
    run = store.create(RunConfig(), "one")
    assert run.summary() == {}  # before the first evaluation
    (run.path / "config.json").unlink()
    with pytest.raises(StoreError, match=r"one has no config\.json.*Copy the run again"):
        run.values()
    assert [r.id for r in store.runs()] == ["one"]
    assert Run(store.root / "runs" / "gone").summary() == {}


# -- metrics.jsonl ---------------------------------------------------------------------------------


def step(number: int, **changes: Any) -> bytes:
    values = {"kind": "step", **dict.fromkeys(STEP_COLUMNS, 0.5), "step": number, **changes}
    return json.dumps(values).encode() + b"\n"


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    return Metrics(tmp_path / "metrics.jsonl")


def append(metrics: Metrics, data: bytes) -> None:
    with metrics.path.open("ab") as file:
        file.write(data)


def test_metrics_are_read_as_they_grow(metrics: Metrics) -> None:
    assert not metrics.update()  # no file yet
    append(metrics, step(0) + step(1, loss=7))
    assert metrics.update()
    assert metrics.steps["step"] == [0, 1]
    assert metrics.steps["loss"] == [0.5, 7]
    assert not metrics.update()
    append(metrics, b'{"kind": "evaluation", "step": 2, "elbo": -3.5}\n' + step(2))
    assert metrics.update()
    assert metrics.steps["step"] == [0, 1, 2]
    assert metrics.evaluations == [{"step": 2, "elbo": -3.5}]
    assert {len(column) for column in metrics.steps.values()} == {3}


def test_only_what_is_new_is_read(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bytes] = []
    true = Metrics._take_steps
    monkeypatch.setattr(Metrics, "_take_steps", lambda self, lines: (taken.extend(lines), true(self, lines))[1])
    for number in range(20):
        append(metrics, step(number))
        metrics.update()
    assert len(taken) == 20


def test_a_log_is_read_in_parts_and_tells_no_more_than_a_log_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                                 ) -> None:
    path = tmp_path / "metrics.jsonl"
    line = b'{"kind": "evaluation", "step": 1}\n'
    path.write_bytes(line * 10 + b'{"kind": "evaluation", "x": "' + b"y" * 300 + b'"}\n' + line * 10 + line[:-2])
    whole = Metrics(path)
    assert whole.update() and (len(whole.evaluations), whole.damaged) == (21, 0)
    for at_once in (1, 40, 100, 10_000):
        monkeypatch.setattr(store_module, "LOG_BYTES_AT_ONCE", at_once)
        parts = Metrics(path)
        assert parts.update() and not parts.update()
        assert (parts.evaluations, parts.damaged, parts.offset) == (whole.evaluations, 0, whole.offset)
    monkeypatch.setattr(store_module, "LONGEST_LINE", 200)
    monkeypatch.setattr(store_module, "MOST_TOLD", 5 * len(line))
    bounded = Metrics(path)
    assert bounded.update() and (len(bounded.evaluations), bounded.damaged) == (5, 16)
    for at_once in (10, 10_000):  # a line that is too long and has no end yet is passed, and no look reads it again
        monkeypatch.setattr(store_module, "LOG_BYTES_AT_ONCE", at_once)
        path.write_bytes(line + b"y" * 5_000)
        endless = Metrics(path)
        assert endless.update() and endless.offset == path.stat().st_size and not endless.update()
        append(endless, b"y" * 500 + b"\n" + line)
        assert endless.update() and (len(endless.evaluations), endless.damaged) == (2, 1)


def test_a_torn_last_line_waits_for_its_end(metrics: Metrics) -> None:
    line = step(1)
    append(metrics, step(0) + line[:20])
    metrics.update()
    assert metrics.steps["step"] == [0]
    append(metrics, line[20:])
    assert metrics.update()
    assert metrics.steps["step"] == [0, 1]


@pytest.mark.parametrize("damage", [b"{", b"\0" * 50, b"[]", b"[1]", b'"x"', b"3", b"null", b"{}", b"\xff",
                                    b'{"kind": "step", "step": 1}', step(1, loss=None)[:-1], step(1, loss=[])[:-1],
                                    b"[" * 50_000, b""], ids=range(14))
def test_a_damaged_line_costs_itself(metrics: Metrics, damage: bytes) -> None:
    append(metrics, step(0) + damage + b"\n" + step(2))
    metrics.update()
    assert metrics.steps["step"] == [0, 2]
    assert {len(column) for column in metrics.steps.values()} == {2}  # never columns of unequal length


def test_a_file_cut_back_by_a_resume_is_read_anew(metrics: Metrics) -> None:
    append(metrics, b"".join(step(n, loss=1) for n in range(10)))
    metrics.update()
    os.truncate(metrics.path, len(step(0, loss=1)) * 4)
    assert not metrics.update() or metrics.steps["step"] == [0, 1, 2, 3]
    append(metrics, b"".join(step(n, loss=2) for n in range(4, 12)))  # longer than what had been read
    metrics.update()
    assert metrics.steps["step"] == list(range(12))
    assert metrics.steps["loss"] == [1] * 4 + [2] * 8


def test_a_file_that_grew_past_the_cut_before_it_was_seen(metrics: Metrics) -> None:
    append(metrics, b"".join(step(n, loss=1) for n in range(10)))
    metrics.update()
    metrics.path.write_bytes(b"".join(step(n, loss=2) for n in range(15)))
    metrics.update()
    assert metrics.steps["loss"] == [2] * 15


# -- writing on a full disk ------------------------------------------------------------------------


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                               where: str) -> None:
    path = tmp_path / "file"
    write_bytes_atomic(path, b"old")
    if where == "fsync":
        monkeypatch.setattr(files.os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_bytes_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_cut_short_by_the_system_keeps_the_old_file(tmp_path: Path) -> None:
    """A real short write: the limit on a file's size makes the kernel take only a part."""
    resource = pytest.importorskip("resource")
    path = tmp_path / "file"
    write_bytes_atomic(path, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, limits[1]))
    try:
        with pytest.raises(OSError, match="large"):
            write_bytes_atomic(path, b"n" * 5_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_while_training_leaves_the_last_checkpoint_whole(
        start: Callable[..., Path], watch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from vaecore.training import train
    from vaecore.training.checkpoints import load_model

    values = {"data": {"name": "digits", "train_limit": 256},
              "model": {"family": "vae", "latent_size": 2, "network": {"kind": "mlp", "hidden": [8]}},
              "training": {"epochs": 3, "batch_size": 64, "evaluate_every": 1}}
    folder = start(values, control=watch(stop_at=6))
    kept = {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        with pytest.raises(OSError, match="No space left on device") as failure:
            train(folder, watch())
    assert failure.value.errno == errno.ENOSPC
    assert {path.name: path.read_bytes() for path in folder.glob("*.safetensors")} == kept
    assert not list(folder.glob("*.tmp*"))
    load_model(folder)
    assert train(folder, watch()) == "finished"  # once there is room again
    metrics = Metrics(folder / "metrics.jsonl")
    metrics.update()
    assert metrics.steps["step"] == list(range(12))


def test_a_metrics_line_cut_short_is_an_error_that_says_so(start: Callable[..., Path], watch: Any,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk takes a part of a write and raises nothing."""
    from vaecore.training import session, train

    values = {"data": {"name": "digits", "train_limit": 256},
              "model": {"family": "vae", "latent_size": 2, "network": {"kind": "mlp", "hidden": [8]}},
              "training": {"epochs": 2, "batch_size": 64}}
    folder = start(values, train=False)
    true = session.os.fdopen

    class Short:
        def __init__(self, file: Any) -> None:
            self.file = file

        def __enter__(self) -> Short:
            return self

        def __exit__(self, *_: Any) -> None:
            self.file.close()

        def write(self, data: bytes) -> int:
            return int(self.file.write(data[:18] if b'"step": 3' in data else data))

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

    with monkeypatch.context() as patch:
        patch.setattr(session.os, "fdopen", lambda *a, **k: Short(true(*a, **k)))
        with pytest.raises(OSError, match=r"No space left.*metrics\.jsonl"):
            train(folder, watch())
    assert train(folder, watch()) == "finished"
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["kind"] == "step"] == list(range(8))


def test_who_begins_a_training_sweeps_up_and_disturbs_no_other_writer(store: Store) -> None:
    """A run is renamed at the very moment: its marks are on their way, beside what a kill has left."""
    run = store.create(RunConfig(), "busy")
    names = [f"{name}.tmp-{place}" for name in ("marks.json", "metrics.jsonl") for place in ("now", "old")]
    for name in names:
        (run.path / name).write_text("half")
        if name.endswith("old"):
            os.utime(run.path / name, (1, 1))
    attempts.begin(run.path)
    assert [name for name in names if (run.path / name).exists()] == ["marks.json.tmp-now"]


# -- stores of others beside one's own -------------------------------------------------------------


@pytest.fixture
def beside(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A colleague's store on a shared disk, with two runs, read as `lab`."""
    theirs = Store(tmp_path / "disk" / "trained")
    for seed, name in enumerate(("old", "new")):
        os.utime(theirs.create(RunConfig(seed=seed), name).path / "config.json", (seed, seed))
    monkeypatch.setenv("VAECORE_STORE", str(store.root))
    monkeypatch.setenv("VAECORE_SHARED", f"lab={theirs.root}")
    return theirs


def test_a_shared_store_is_read_and_never_written(store: Store, beside: Store) -> None:
    store.create(RunConfig(seed=7), "new")
    assert [run.id for run in store.everything()] == ["new", "lab/new", "lab/old"]
    run = store.find("lab/new")
    assert (run.id, run.place, run.writable, run.config().seed) == ("lab/new", "lab", False, 1)
    assert store.find("new").config().seed == 7, "a bare name is one's own"
    assert run.store_root == store.root == store.find("new").store_root
    assert Run(store.root / "gallery" / "x", beside.root).store_root == store.root, "of a store that is only read, too"
    assert Run(run.path).id == "lab/new" and not Run(run.path).writable, "by its folder alone, too"
    before = sorted(beside.root.rglob("*"))
    acts: list[Callable[[], object]] = [
        lambda: store.discard(run), lambda: run.relocate("/x"), lambda: beside.create(RunConfig(), "more"),
        lambda: beside.restore("old"), lambda: views.keep(beside, views.TableView(name="mine")),
        lambda: views.forget(beside, "mine"), lambda: keeping.forget(beside, "sizes")]
    for act in acts:
        with pytest.raises(StoreError, match="only read"):
            act()
    verbs: list[Callable[[], object]] = [
        lambda: lab.submit(run.path), lambda: lab.stop(run.path), lambda: lab.remove(run.path),
        lambda: locks.take_run(run.path)]
    for verb in verbs:
        with pytest.raises(lab.LabError, match="only read"):
            verb()
    lab.kick(beside.root)
    assert sorted(beside.root.rglob("*")) == before


def test_evaluations_of_shared_runs_lie_in_ones_own_store(store: Store, beside: Store) -> None:
    run = store.find("lab/new")
    assert kept.file_of(run) == store.root / "evaluations" / "lab~new.json"
    before = sorted(beside.root.rglob("*"))
    kept.keep(run, {"settings": {}, "partial": False, "evidence": {}})
    assert len(kept.evaluations(run)) == 1 and not kept.evaluations(store.find("lab/old"))
    assert sorted(beside.root.rglob("*")) == before
    words = background.evaluation(run).command
    assert words == ("evaluate", "lab/new", "--store", str(store.root))


def test_a_shared_store_may_be_a_folder_of_runs_and_half_written(store: Store, beside: Store,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    (beside.root / "runs" / "coming").mkdir()  # being copied: no configuration yet
    (beside.root / "runs" / "broken").mkdir()
    (beside.root / "runs" / "broken" / "config.json").write_text('{"seed": ')
    monkeypatch.setenv("VAECORE_SHARED", str(beside.root / "runs"))  # called by the folder above: `runs` is a place
    assert {run.id for run in store.everything()} == {"trained/new", "trained/old", "trained/broken"}
    with pytest.raises(StoreError, match=r"Run trained/broken: config\.json"):
        store.find("trained/broken").config()
    with pytest.raises(StoreError, match="no run 'trained/coming'"):
        store.find("trained/coming")


@pytest.mark.parametrize(("listed", "names"), [
    ("/a/Our Lab", ["our-lab"]), ("/a/x:/b/x", ["x", "x-2"]), ("gallery=/a", ["gallery-2"]), ("a=/b=c", ["a"]),
    ("/b=c", ["b-c"]), ("/mnt/old/runs", ["old"]), ("/runs", ["shared"]),
    ("../../etc=/a", ["a"]), ("=/", ["shared"]), (" : ", []), ("/a:/a", ["a"])])
def test_shared_stores_have_names_that_can_begin_an_id(store: Store, monkeypatch: pytest.MonkeyPatch, listed: str,
                                                        names: list[str]) -> None:
    monkeypatch.setenv("VAECORE_SHARED", listed)
    assert [each.name for each in store.shared()] == names
    if listed == "=/":
        assert store.shared()[0].root == Path("/")


def test_a_shared_store_that_is_away_costs_a_line(store: Store, beside: Store, monkeypatch: pytest.MonkeyPatch,
                                                  tmp_path: Path) -> None:
    store.create(RunConfig(), "mine")
    (tmp_path / "unmounted").mkdir()
    monkeypatch.setenv("VAECORE_SHARED", f"gone={tmp_path / 'gone'}:empty={tmp_path / 'unmounted'}:lab={beside.root}")
    assert [run.id for run in store.everything()] == ["mine", "lab/new", "lab/old"]
    gone, empty = store.away()
    assert "'gone'" in gone and "No such file" in gone and "Mount its disk" in gone
    assert "'empty'" in empty and "holds no run" in empty
    with pytest.raises(StoreError, match=r"'gone/x'.*is away"):
        store.find("gone/x")


def test_nobody_waits_for_a_dead_disk(store: Store, beside: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.create(RunConfig(), "mine")
    hangs = threading.Event()
    monkeypatch.setattr(shared_stores, "PATIENCE", 0.5)
    monkeypatch.setattr(shared_stores, "_seen", lambda _: hangs.wait(30) and shared_stores.Look())
    monkeypatch.setenv("VAECORE_SHARED", f"dead={beside.root}")
    start = time.monotonic()
    for _ in range(20):  # a page asks often, and waits once
        assert [run.id for run in store.everything()] == ["mine"]
    assert time.monotonic() - start < 5, "each of them has waited"
    assert "does not answer" in store.away()[0]
    hangs.set()


def test_the_shipped_gallery_is_there_wherever_the_store_is(store: Store, tmp_path: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.gallery() == [], "VAECORE_GALLERY is empty in tests"
    monkeypatch.delenv("VAECORE_GALLERY")
    shipped = Path(__file__).parents[1] / "trained" / "gallery"
    assert store.find("vae").path == shipped / "vae"
    own = store.root / "gallery" / "vae"
    own.mkdir(parents=True)
    assert store.find("vae").path == store.find("gallery/vae").path == own, "the store's own comes first"
    found = {run.path.name: run for run in store.gallery()}
    assert found["vae"].path == own and found["pca"].path == shipped / "pca"
    assert found["pca"].id == "gallery/pca" and not found["pca"].writable
    assert kept.file_of(found["pca"]) == store.root / "evaluations" / "pca.json"
    assert Store(shipped.parent).find("pca").store_root == shipped.parent
    assert not store.runs() and [run.id for run in store.everything()] == [run.id for run in store.gallery()]
    monkeypatch.setenv("VAECORE_GALLERY", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere" / "mine").mkdir(parents=True)
    assert store.find("gallery/mine").shipped and Run(tmp_path / "elsewhere" / "mine").id == "gallery/mine"
