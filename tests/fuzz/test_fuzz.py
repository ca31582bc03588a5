"""Spoilt copies of whatever is read from outside, a few of each with fixed seeds; `make fuzz` tries them at length."""

from __future__ import annotations

import ast
import io
import random
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tests.fuzz.fuzzing import fuzz
from tests.fuzz.readers import ROOT, Reader, readers
from tests.fuzz.spoiling import spoilt
from tests.fuzz.watch import watched

CASES = 25  # of a reader here
READERS = readers()
READS = {"json.load", "json.loads", "read_json", "parsed_json", "np.load", "read_array", "zipfile.ZipFile", "safe_open",
         "load_file", "Image.open", "csv.reader", "av.open", "wave.open", "yaml.load", "yaml.safe_load",
         "parquet.ParquetFile", "np.loadtxt", "gzip.open", "lzma.open", "np.frombuffer", "base64.b64decode"}
NOT_FROM_OUTSIDE = {  # modules that read, and are no reader of `readers`, with the reason
    "vaecore.cli.listing": "what the same command has just written", "vaecore.doctor": "what its own child says",
    "vaecore.studies.c14_gamma": "what the same process wrote", "pages.sweeps.asking": "what the same process wrote",
    "vaecore.data.base": "arrays in one's own cache", "vaecore.data.converted": "arrays in one's own cache",
    "vaecore.evaluate.classifier": "one's own cache; tests/evaluate/test_quality.py damages it",
    "vaecore.explore.judged": "one's own cache; tests/explore/test_judged.py damages it",
    "vaecore.explore.maps.kept": "one's own cache", "vaecore.named": "one's own cache",
    "vaecore.data.text": "a published file; tests/data/test_text_data.py",
    "vaecore.data.mnist": "a file of the package", "vaecore.explore.clips.films": "it writes",
    "vaecore.explore.export.split_codes": "it writes", "vaecore.sharing.packing": "it writes",
    "vaecore.data.spoken_digits": "it writes", "vaecore.sharing.tensorboard": "a preview, checked before",
    "vaecore.data.digest": "a published file, of which it tells whether it is that",
    "vaecore.data.download": "a published file, before its SHA-256 is compared; tests/data/test_fetching.py",
    **{f"vaecore.data.originals.{name}": "published files, after their SHA-256 was compared" for name in (
        "gestures", "omniglot", "rda", "recordings", "sprites", "views")},
    "vaecore.data.omniglot": "a published file; tests/data/test_data.py damages it",
    "vaecore.training.ranks.group": "what the other ranks of the same training say",
    "vaecore.training.fitting": "a setting that the form has just written",
    "pages.components.networks": "float32; tests/pages/components/test_networks.py",
    "pages.traverse.interpolation": "what the same process computed", "pages.train.origin": "a word of one's own form"}


@pytest.mark.parametrize("reader", READERS, ids=[f"{place} {one.name}" for place, one in enumerate(READERS)])
def test_what_is_spoilt_is_read_or_refused_in_words(reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                    ) -> None:
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "root" / "cache"))
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path / "root" / "store"))
    count, _ = fuzz(reader, max(5, round(CASES * reader.share)), tmp_path / "root")
    assert count.unexpected == [] and count.read + count.refused == count.cases


def test_every_module_that_reads_is_fuzzed_or_says_why_not() -> None:
    fuzzed = {module for reader in READERS for module in reader.modules}
    for base in ("vaecore", "pages"):
        for path in sorted((ROOT / base).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            called = {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text()))
                      if isinstance(node, ast.Call)}
            if found := called & READS:
                assert name in fuzzed or name in NOT_FROM_OUTSIDE, f"{name} calls {', '.join(sorted(found))}"


def test_all_of_the_modules_are_there() -> None:
    for name in {module for reader in READERS for module in reader.modules} | NOT_FROM_OUTSIDE.keys():
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file(), name


def test_what_is_watched_is_seen(tmp_path: Path) -> None:
    """The watch itself: without it the tests above would hold of anything."""
    (tmp_path / "in").mkdir()
    with watched(tmp_path / "in") as seen:
        (tmp_path / "in" / "file").write_text("x")
        assert seen == []
        (tmp_path / "out").write_text("x")
        (tmp_path / "out").rename(tmp_path / "in" / "moved")
        subprocess.run([sys.executable, "-c", ""], check=True)
        with pytest.raises(OSError), socket.socket() as open_socket:
            open_socket.connect(("127.0.0.1", 1))
        exec(compile("x = 1", str(tmp_path / "in" / "file"), "exec"), {})
        assert {event for event, _ in seen} >= {"open", "os.rename", "subprocess.Popen", "socket.connect", "exec"}
    (tmp_path / "later").write_text("x")
    assert len(seen) >= 5 and not any("later" in what for _, what in seen)


def test_a_reader_that_fails_otherwise_is_told(tmp_path: Path) -> None:
    def read(path: Path) -> None:
        if b"\xff" in path.read_bytes():
            raise LookupError("no such thing")
        (path.parent / "left").write_text("x")

    count, _ = fuzz(Reader("one", "file", lambda: [b"abcdefgh" * 9], read), 40, tmp_path / "root")
    assert any("LookupError" in told for told in count.unexpected)
    assert any("left behind" in told for told in count.unexpected)


def test_spoilt_copies_are_the_same_by_their_seed_and_of_many_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {one.name: one for one in READERS}

    def made(name: str) -> list[bytes]:
        [whole, *_] = named[name].seeds()
        return [whole, *(spoilt([whole], random.Random(number)) for number in range(60))]

    for name in ("summary.json", "published IDX", "a zip of pictures"):
        first, now = made(name), time.time()
        with monkeypatch.context() as later:  # a zip and a gzip would know when they were written
            later.setattr(time, "time", lambda now=now: now + 86_400)
            assert made(name) == first
        assert len({each for each in first if each != first[0]}) > 50
    assert sum(zipfile.is_zipfile(io.BytesIO(each)) for each in first) > 30, "most zips are still such"
