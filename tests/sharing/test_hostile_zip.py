"""A zip from anywhere: each fault is refused with its reason, nothing is left, nothing outside the store is touched.

What a process opens for writing, makes, renames and starts is watched by an audit hook, so that "nothing outside the
store" and "nothing executed" are seen and not assumed. `-s` prints the counts.
"""

from __future__ import annotations

import collections
import copy
import hashlib
import io
import json
import stat
import struct
import subprocess
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.watch import watched
from vaecore import permission
from vaecore.errors import NotAllowed
from vaecore.sharing import Refused, contents, export_run, unpack
from vaecore.sharing.contents import MANIFEST, MAX_HEADER_BYTES
from vaecore.store import Store, StoreError

GALLERY = Path(__file__).parents[2] / "trained"
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An exported run, of which everything here is a spoilt copy."""
    target = tmp_path_factory.mktemp("good") / "pca.zip"
    whole = export_run("pca", target, store=GALLERY).read_bytes()
    unpack(io.BytesIO(whole), Store(tmp_path_factory.mktemp("warm")))  # what is imported late is imported now
    return whole


def files_of(whole: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: Files, change: Callable[[zipfile.ZipFile], None] | None = None, *, honest: bool = True) -> bytes:
    """A zip of `files`; where `honest`, its manifest tells of them as they now are."""
    files = dict(files)
    if honest and MANIFEST in files:
        manifest = json.loads(files[MANIFEST])
        for run in manifest["runs"]:
            run["files"] = {name.removeprefix(f"{run['name']}/"):
                            {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                            for name, content in files.items() if name.startswith(f"{run['name']}/")}
        files[MANIFEST] = json.dumps(manifest).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        if change:
            change(archive)
    return out.getvalue()


def attempt(whole: bytes) -> str:
    """Why a zip is refused by a store that has a run already; "" where it comes in. Whatever comes, nothing else is
    touched, and nothing of it stays after a refusal."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder).resolve() / "store")
        (store.root / "runs" / "mine").mkdir(parents=True)
        (store.root / "runs" / "mine" / "config.json").write_text("{}")
        before = sorted(Path(folder).rglob("*"))
        with watched(store.root) as seen:
            try:
                [come] = unpack(io.BytesIO(whole), store)
                reason = ""
            except Refused as error:
                reason = str(error)
                assert reason.startswith("Not imported. ") and len(reason) < 1_500, reason
        assert seen == []
        if reason:
            assert sorted(Path(folder).rglob("*")) == before, "something remains"
        else:
            assert all(not path.is_symlink() and (path.is_dir() or stat.S_IMODE(path.stat().st_mode) & 0o111 == 0)
                       for path in come.run.path.rglob("*"))
        return reason


def test_what_is_watched_is_seen(tmp_path: Path) -> None:
    """The watch itself: without it every assertion below would hold of anything."""
    inside, outside = tmp_path / "store", tmp_path / "outside"
    inside.mkdir()
    with watched(inside) as seen:
        (inside / "a").write_text("x")
        outside.write_text("x")
        (inside / "a").rename(tmp_path / "b")
        subprocess.run(["true"], check=True)
    assert [event for event, _ in seen if not event.startswith("os.")] == ["open", "subprocess.Popen"]
    assert ("os.rename", str(tmp_path / "b")) in seen


# -- one fault at a time ---------------------------------------------------------------------------


def _member(name: str, content: bytes = b"x", *, mode: int = 0, flags: int = 0) -> Callable[[zipfile.ZipFile], None]:
    def change(archive: zipfile.ZipFile) -> None:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        archive.writestr(entry, content)
        archive.filelist[-1].flag_bits |= flags
    return change


NAMES = {
    "../evil.json": "leads out", "pca/../../evil": "leads out", "/etc/passwd": "root of a disk",
    "C:/x": "root of a disk",
    "C:\\x": "root of a disk", "\\\\server\\x": "root of a disk", "pca\\config.json": "backslash", "..\\x": "leads out",
    "./pca/x": "leads out", "pca/con\u202efig.json": "not seen", "pca/x\x1b[2J": "not seen",
    "pca/inner.zip": "archive in",
    "pca/evil.py": "program", "pca/model.pkl": "program", "pca/weights.pt": "program", "evil.json": "no file of a run",
    "pca/checkpoint.safetensors": "no file of a run", "pca/kept/step-1.safetensors": "no file of a run",
    "pca/kept/../config.json": "leads out", "other/config.json": "not named by", "PCA/config.json": "twice",
    "pca/CONFIG.json": "twice", "pca/config.json": "twice", "..pca/config.json": "no file of a run",
    "pca/kept/": "", "pca/": "", "__MACOSX/._pca": "no file of a run", "pca/log.txt": "no file of a run"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("name", "words"), NAMES.items(), ids=[ascii(name) for name in NAMES])
def test_names_that_are_no_runs_are_refused(good: bytes, name: str, words: str) -> None:
    reason = attempt(zipped(files_of(good), _member(name, b"" if name.endswith("/") else b"x")))
    assert (words in reason) if words else reason == ""


def test_names_that_differ_in_form_alone_are_duplicates(good: bytes) -> None:
    def twice(archive: zipfile.ZipFile) -> None:
        for form in ("NFC", "NFD"):
            archive.writestr(unicodedata.normalize(form, "pca/caf\u00e9/"), b"")
    assert "twice" in attempt(zipped(files_of(good), twice))


@pytest.mark.parametrize(("mode", "words"), [
    (stat.S_IFLNK | 0o777, "is a link"), (stat.S_IFCHR | 0o666, "device"), (stat.S_IFIFO, "device"),
    (stat.S_IFSOCK, "device"), (stat.S_IFDIR, "device")])
def test_links_and_devices_are_refused(good: bytes, mode: int, words: str) -> None:
    files = files_of(good)
    content = files.pop("pca/about.json")
    assert words in attempt(zipped({**files}, _member("pca/about.json", content, mode=mode)))


def test_what_is_encrypted_or_packed_otherwise_is_refused(good: bytes) -> None:
    files = files_of(good)
    content = files.pop("pca/about.json")
    assert "encrypted" in attempt(zipped(files, _member("pca/about.json", content, flags=1)))
    for way in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        def change(archive: zipfile.ZipFile, way: int = way) -> None:
            archive.writestr("pca/about.json", content, way)
        assert "packed in another way" in attempt(zipped(files, change))


def test_bombs_are_refused_before_they_unpack(good: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    files = files_of(good)
    assert "is a bomb" in attempt(zipped({**files, "pca/metrics.jsonl": b"\n" * 50_000_000}))
    assert "4,000,000 at most" in attempt(zipped({**files, "pca/summary.json": b" " * 4_000_001}))
    many = zipped(files, lambda archive: [archive.writestr(f"n{i}/", b"") for i in range(9_000)] and None)
    assert "lists 9," in attempt(many)
    monkeypatch.setattr(contents, "MAX_LINES", 3)
    assert "more than 3 lines" in attempt(zipped({**files, "pca/metrics.jsonl": b"{}\n" * 4}))
    liar = bytearray(zipped({**files, "pca/preview.txt": b"a" * 900_000}))  # it says it unpacks to ten bytes
    place = liar.rfind(b"pca/preview.txt") - 46
    liar[place + 24:place + 28] = struct.pack("<I", 10)
    assert "preview.txt" in attempt(bytes(liar))
    end = bytearray(good)
    place = end.rfind(b"PK\5\6")
    end[place + 12:place + 16] = struct.pack("<I", 2**31)  # a list of two gigabytes
    assert "lists" in attempt(bytes(end))


def test_members_that_share_their_bytes_are_a_bomb(good: bytes) -> None:
    files = files_of(good)
    whole = zipped(files, lambda archive: _overlap(archive))
    reason = attempt(whole)
    assert "over one another" in reason or "truncated or damaged" in reason


def _overlap(archive: zipfile.ZipFile) -> None:
    first = archive.getinfo("pca/weights.safetensors")
    for number in range(3):
        again = copy.copy(first)
        again.filename = again.orig_filename = f"pca/kept/step-{number:08d}.safetensors"
        archive.filelist.append(again)


@pytest.mark.parametrize("name", ["config.json", "about.json", "summary.json", "metrics.jsonl", "evaluation.json"])
@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(good: bytes, name: str, number: str) -> None:
    files = files_of(good)
    content = f'{{"kind": "step", "loss": [1.5, {number}]}}'
    files[f"pca/{name}"] = (f"[{content}]" if name == "evaluation.json" else content).encode()
    reason = attempt(zipped(files))
    assert f"{name}: " in reason and "NaN or infinity" in reason


def test_deep_and_damaged_json_is_refused(good: bytes) -> None:
    files = files_of(good)
    for content, words in ((b"[" * 100_000, "nested too deeply"), (b'{"a": ' * 70 + b"1" + b"}" * 70, "levels deep"),
                           (b"\xff\xfe", "not valid JSON"), (b"[1]", "set of fields"), (b'"\\ud800"', "half of a char"),
                           (b"9" * 5_000, "digits")):
        assert words in attempt(zipped({**files, "pca/summary.json": content})), content[:20]


def test_a_configuration_is_held_to_its_declarations(good: bytes) -> None:
    files = files_of(good)
    config = json.loads(files["pca/config.json"])

    def tried(change: Callable[[Any], object]) -> str:
        changed = json.loads(json.dumps(config))
        change(changed)
        return attempt(zipped({**files, "pca/config.json": json.dumps(changed).encode()}))

    assert "'gan' is not a choice" in tried(lambda c: c["model"].update(family="gan"))
    assert "which is no data set here" in tried(lambda c: c["data"].update(name="stolen"))
    assert "seed" in tried(lambda c: c.update(seed="one"))
    assert "weights.safetensors does not fit config.json" in tried(lambda c: c["model"].update(latent_size=3))
    assert "evil" in tried(lambda c: c.update(evil="x"))
    assert "too large" in tried(lambda c: c["model"].update(latent_size=10**9)), "no model is built to find that out"
    assert tried(lambda _: None) == ""


def test_weights_are_held_to_the_configuration(good: bytes) -> None:
    import torch
    from safetensors import safe_open
    from safetensors.torch import load, save

    files = files_of(good)
    name = "pca/weights.safetensors"
    tensors = load(files[name])
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "w").write_bytes(files[name])
        with safe_open(Path(folder) / "w", "pt") as file:
            header = file.metadata()
    key = max(tensors, key=lambda each: tensors[each].numel())

    def tried(changed: dict[str, torch.Tensor], told: dict[str, str] | None = None) -> str:
        return attempt(zipped({**files, name: save(changed, header if told is None else told)}))

    assert tried(tensors) == ""
    assert "differ in" in tried({**tensors, key: tensors[key][:-1].contiguous()})
    assert "differ in" in tried({**tensors, "extra": torch.zeros(3)})
    assert "differ in" in tried({**tensors, key: tensors[key].double()})
    assert "not finite" in tried({**tensors, key: torch.full_like(tensors[key], torch.nan)})
    assert "its description is not valid JSON" in tried(tensors, {"vaecore": "{"})
    assert "NaN or infinity" in tried(tensors, {"vaecore": header["vaecore"].replace("{", '{"x": NaN, ', 1)})
    assert "not a checkpoint of this program" in tried(tensors, {})
    noted = json.loads(header["vaecore"])
    noted["config"]["data"]["pixels"] = "binary-dynamic"
    assert "belongs to another run" in tried(tensors, {"vaecore": json.dumps(noted)})
    noted["modalities"] = {"image": {"kind": "image", "shape": [1, 10**7, 10**7]}}
    assert "does not fit its own description" in tried(tensors, {"vaecore": json.dumps(noted)})


@pytest.mark.parametrize(("start", "words"), [
    (struct.pack("<Q", 2**62), "truncated"), (struct.pack("<Q", 0), "truncated"), (b"abc", "truncated"),
    (struct.pack("<Q", 50) + b"{" * 60, "no file of tensors"),
    (struct.pack("<Q", MAX_HEADER_BYTES + 8) + b" " * (MAX_HEADER_BYTES + 16), "header has"),
    (b"\x80\x04\x95" + b"\0" * 20, "truncated")])
@pytest.mark.parametrize("name", ["weights.safetensors", "examples.safetensors", "kept/step-00000001.safetensors"])
def test_headers_of_tensors_are_bounded(good: bytes, name: str, start: bytes, words: str) -> None:
    files = files_of(good)
    stored = io.BytesIO()
    whole = zipped({**files, f"pca/{name}": start})
    with zipfile.ZipFile(io.BytesIO(whole)) as packed, zipfile.ZipFile(stored, "w") as archive:  # no bomb by its ratio
        for each in packed.namelist():
            archive.writestr(each, packed.read(each))
    reason = attempt(stored.getvalue())
    assert f"{name}: " in reason and words in reason


def test_manifests_are_held_to_the_zip(good: bytes) -> None:
    files = files_of(good)

    def tried(change: Callable[[Any], object]) -> str:
        manifest = json.loads(files[MANIFEST])
        change(manifest)
        return attempt(zipped({**files, MANIFEST: json.dumps(manifest).encode()}, honest=False))

    told = "pca/config.json"
    assert "its bytes differ" in tried(lambda m: m["runs"][0]["files"]["config.json"].update(sha256="0" * 64))
    assert "declares" in tried(lambda m: m["runs"][0]["files"]["config.json"].update(bytes=7))
    assert f"{told!r} is not named" in tried(lambda m: m["runs"][0]["files"].pop("config.json"))
    assert "and not there" in tried(lambda m: m["runs"][0]["files"].update({"data.json": {"bytes": 0,
                                                                                         "sha256": "0" * 64}}))
    assert "newer version" in tried(lambda m: m.update(version=99))
    assert "format" in tried(lambda m: m.update(format="something"))
    assert "runs" in tried(lambda m: m.update(runs=[]))
    for name in ("/tmp/elsewhere", "../out", "a..b", "a/b", "a\0", ""):
        assert "no run can be called so" in tried(lambda m, name=name: m["runs"].append({"name": name, "files": {}}))
    assert "no file of it" in tried(lambda m: m["runs"].append({"name": "ghost", "files": {}}))
    assert "a run twice" in tried(lambda m: m["runs"].append(m["runs"][0]))
    assert "bytes" in tried(lambda m: m["runs"][0]["files"]["config.json"].update(bytes=-1))
    assert "no manifest.json" in attempt(zipped({n: c for n, c in files.items() if n != MANIFEST}))
    assert "not valid JSON" in attempt(zipped({**files, MANIFEST: b"{"}, honest=False))
    for missing in ("config.json", "weights.safetensors", "examples.safetensors"):
        assert f"has no {missing}" in attempt(zipped({n: c for n, c in files.items() if n != f"pca/{missing}"}))


def test_what_is_no_zip_is_refused(good: bytes) -> None:
    for whole in (b"", b"PK", b"hello" * 100, b"\x1f\x8b" + good, b"MZ" + good, b"#!/bin/sh\n" + good):
        assert "It is no zip" in attempt(whole)
    assert "truncated or damaged" in attempt(b"PK\3\4" + b"\0" * 100)


def test_an_import_is_asked_for_and_leaves_no_half(good: bytes, tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    with monkeypatch.context() as only, pytest.raises(NotAllowed, match="import a run"):
        only.setenv(permission.READ_ONLY, "1")
        unpack(io.BytesIO(good), store)
    with pytest.raises(StoreError, match="name"):
        unpack(io.BytesIO(good), store, "../x")
    assert not store.root.exists()
    real = Path.rename

    def full(self: Path, target: Path) -> Path:
        if self.name == "ica":
            raise OSError(28, "No space left on device")
        return real(self, target)

    two = export_run(["pca", "ica"], tmp_path / "two.zip", store=GALLERY)
    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space"):
        unpack(two, store)
    assert not store.root.exists(), "neither the first run nor the folders"


# -- at random -------------------------------------------------------------------------------------

COUNTS: collections.Counter[str] = collections.Counter()


@pytest.fixture(scope="module", autouse=True)
def told() -> Iterator[None]:
    yield
    total = sum(COUNTS.values())
    print(f"\nfuzzed imports: {total:,}; " + ", ".join(f"{words} {count:,}" for words, count in COUNTS.most_common()))


def kind_of(reason: str) -> str:
    for words in ("no zip", "truncated or damaged", "its bytes differ", "not valid JSON", "twice", "bomb", "encrypted",
                  "link", "device", "leads out", "not seen", "root of a disk", "no file of a run", "lists", "declares",
                  "does not say", "named by", "packed in another way", "newer", "no manifest"):
        if words in reason:
            return words
    return "another reason" if reason else "came in unchanged"


def flipped(good: bytes, flips: list[tuple[float, int]], cut: float) -> None:
    """The zip with some bytes changed, and cut: it is refused, or what comes in is the run itself."""
    whole = bytearray(good)
    for share, value in flips:
        # Most of a zip is weights: half of the changes are made among the last bytes, in the list of the members.
        place = int(share * 2 * len(whole)) if share < 0.5 else len(whole) - 1 - int((share - 0.5) * 2 * 1_500)
        whole[place % len(whole)] ^= value
    reason = attempt(bytes(whole[:int(cut * len(whole))] if cut < 1 else whole))
    COUNTS[kind_of(reason)] += 1
    if cut < 0.999:
        assert reason


FLIPS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=6)
CUTS = st.one_of(st.just(1.0), st.floats(0, 1))
QUIET = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}


@seed(17)
@settings(max_examples=120, **QUIET)
@given(flips=FLIPS, cut=CUTS)
def test_random_damage_is_refused_or_harmless(good: bytes, flips: list[tuple[float, int]], cut: float) -> None:
    flipped(good, flips, cut)


@pytest.mark.slow
@seed(18)
@settings(max_examples=6_000, **QUIET)
@given(flips=FLIPS, cut=CUTS)
def test_much_random_damage_is_refused_or_harmless(good: bytes, flips: list[tuple[float, int]], cut: float) -> None:
    flipped(good, flips, cut)


def inside(good: bytes, name: str, place: float, value: bytes) -> None:
    """A file of the run with bytes put into it, under an honest manifest: it is opened, or refused in words."""
    files = files_of(good)
    content = files[f"pca/{name}"]
    at = int(place * len(content))
    files[f"pca/{name}"] = content[:at] + value + content[at + len(value):]
    COUNTS[f"{name}: {'refused' if attempt(zipped(files)) else 'opened'}"] += 1


INSIDE = st.sampled_from(["config.json", "about.json", "summary.json", "metrics.jsonl", "weights.safetensors",
                          "examples.safetensors", "preview.png"])


@seed(19)
@settings(max_examples=80, **QUIET)
@given(name=INSIDE, place=st.floats(0, 1) | st.floats(0, 0.02), value=st.binary(min_size=1, max_size=9))
def test_damage_under_an_honest_manifest(good: bytes, name: str, place: float, value: bytes) -> None:
    inside(good, name, place, value)


@pytest.mark.slow
@seed(20)
@settings(max_examples=3_000, **QUIET)
@given(name=INSIDE, place=st.floats(0, 1) | st.floats(0, 0.02), value=st.binary(min_size=1, max_size=9))
def test_much_damage_under_an_honest_manifest(good: bytes, name: str, place: float, value: bytes) -> None:
    inside(good, name, place, value)
