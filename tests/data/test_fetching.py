"""Published data sets from a server on this machine: broken lines, wrong files, full disks, what is kept of them."""

from __future__ import annotations

import errno
import gc
import gzip
import hashlib
import io
import socket
import sys
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.serving import Files, serving
from vaecore.data import DATASETS, DataUnavailable, download, fetching, published
from vaecore.data.digest import digest, digest_in
from vaecore.data.download import contents
from vaecore.data.published import PUBLISHED, Original, Published
from vaecore.data.standing import everything, missing, standing, to_fetch

TEXT = np.random.default_rng(0).integers(0, 256, 300_000, np.uint8).tobytes()
NUMBERS = np.arange(12, dtype=np.uint8)


@pytest.fixture
def server() -> Iterator[Files]:
    with serving() as made:
        yield made


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any data, and a cache of its own."""
    monkeypatch.setenv("VAECORE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(published.SYSTEM, "fashion-mnist", str(tmp_path / "none"))
    monkeypatch.setattr(download, "WAIT", 0.0)
    return tmp_path


def of(server: Files, name: str, data: bytes) -> Original:
    server.files[name] = data
    return Original(name, server.address(name), len(data), hashlib.sha256(data).hexdigest())


@pytest.fixture
def numbers(server: Files, nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> Published:  # noqa: ARG001
    """A data set of twelve numbers, which are published as two files and kept as one."""
    module = types.ModuleType("vaecore.data.originals.twelve")
    module.convert = lambda folder: {  # type: ignore[attr-defined]
        "x": np.frombuffer((folder / "a.bin").read_bytes() + (folder / "sub/b.bin").read_bytes(), np.uint8).copy()}
    monkeypatch.setitem(sys.modules, module.__name__, module)
    originals = (of(server, "a.bin", NUMBERS[:5].tobytes()), of(server, "sub/b.bin", NUMBERS[5:].tobytes()))
    made = Published("twelve", "Twelve numbers", "dozen", originals, "CC0", {"twelve.npz": digest({"x": NUMBERS})}, 300,
                     conversion="twelve")
    monkeypatch.setitem(PUBLISHED, "twelve", made)
    return made


# -- one file --------------------------------------------------------------------------------------


def test_a_file_is_fetched_once_and_its_progress_told(server: Files, tmp_path: Path) -> None:
    told: list[int] = []
    original = of(server, "text", TEXT)
    path = download.download(original, tmp_path / "deep" / "text", told.append)
    assert path.read_bytes() == TEXT and [each.name for each in path.parent.iterdir()] == ["text"]
    assert told == sorted(told) and told[-1] == len(TEXT) and len(told) > 3
    download.download(original, path, told.append)
    assert len(server.asked) == 1 and told[-1] == len(TEXT)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://127.0.0.1:9/a", "gopher://x/", "http://[::1"])
def test_an_answer_that_leads_elsewhere_is_refused(server: Files, tmp_path: Path, where: str) -> None:
    original = of(server, "text", TEXT)
    server.moved["text"] = where
    with pytest.raises(DataUnavailable, match="text cannot be fetched"):
        download.download(original, tmp_path / "text")
    assert not (tmp_path / "text").exists()


KEY = "s3cr3tk3y"


@pytest.mark.usefixtures("nowhere")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("where", [
    f"gopher://user:{KEY}@x/text?signature={KEY}", f"ftp://user:{KEY}@127.0.0.1:9/text?signature={KEY}",
    f"http://127.0.0.1:9/text?signature={KEY}", f"http://127.0.0.1:{KEY}/text", f"http://[::1?signature={KEY}",
    f"//x:{KEY}@127.0.0.1:9/", "proxy"])
def test_no_key_of_an_address_is_said(server: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
                                      ) -> None:
    """To what is published a server leads by an address with a signature; a proxy may ask for a password."""
    original = of(server, "text", TEXT)
    if where == "proxy":
        monkeypatch.setattr("urllib.request._opener", None)
        monkeypatch.setenv("http_proxy", f"http://user:{KEY}/x@127.0.0.1:9")
        monkeypatch.delenv("no_proxy", raising=False)
    else:
        server.moved["text"] = where
    with pytest.raises(DataUnavailable, match="text cannot be fetched") as raised:
        download.download(original, tmp_path / "text")
    assert KEY not in str(raised.value)
    assert raised.value.__suppress_context__, "what it came of is not printed with it"
    del raised
    gc.collect()  # the answer that urllib left open where it could not read the address that it led to


@pytest.mark.usefixtures("nowhere")
def test_a_packed_answer_and_a_range_refused_from_the_start_are_said(server: Files, tmp_path: Path) -> None:
    original = of(server, "text", TEXT)
    server.packed = "gzip"
    with pytest.raises(DataUnavailable, match=r"text cannot be fetched: http://.*/text answers with a file packed as "
                                              r"gzip"):
        download.download(original, tmp_path / "text")
    server.packed, server.refusals = "", [416] * 3
    with pytest.raises(DataUnavailable, match=r"cannot be fetched from .* \(the server has no more"):
        download.download(original, tmp_path / "text")


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("cuts", [[], [1000] * 400])
def test_a_server_that_drips_is_left_and_gone_on_with_later(server: Files, tmp_path: Path, cuts: list[int],
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    original = of(server, "text", TEXT)
    server.slow, server.cuts = 0.02, cuts
    monkeypatch.setattr(download, "PATIENCE", 0.2)
    with pytest.raises(DataUnavailable, match=r"text comes too slowly from .*: [\d,]+ bytes in 0 seconds\. Fetch it "
                                              "again later: it goes on from there"):
        download.download(original, tmp_path / "text")
    assert 0 < (tmp_path / "text.part").stat().st_size < len(TEXT) // 2
    server.slow, server.cuts = 0.0, []
    assert download.download(original, tmp_path / "text").read_bytes() == TEXT


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("cuts", [[100_000], [0, 150_000]])
def test_a_broken_line_is_taken_up_where_it_broke(server: Files, tmp_path: Path, cuts: list[int]) -> None:
    server.cuts = [*cuts]
    original = of(server, "text", TEXT)
    assert download.download(original, tmp_path / "text").read_bytes() == TEXT
    assert server.asked[-1] == ("text", f"bytes={sum(cuts)}-")


@pytest.mark.usefixtures("nowhere")
def test_a_line_that_stays_broken_is_said_and_gone_on_with_later(server: Files, tmp_path: Path) -> None:
    original = of(server, "text", TEXT)
    server.cuts = [100_000, 150_000, 0, 0, 0]
    with pytest.raises(DataUnavailable, match=r"text broke off after 0\.2 of 0\.3 MB, from http://127.*/text \(it "
                                              r"ended after 250,000 bytes\)\. Fetch it again: it goes on from there"):
        download.download(original, tmp_path / "text")
    assert (tmp_path / "text.part").read_bytes() == TEXT[:250_000] and not (tmp_path / "text").exists()
    assert download.download(original, tmp_path / "text").read_bytes() == TEXT
    assert server.asked[-1] == ("text", "bytes=250000-") and [each.name for each in tmp_path.iterdir()] == ["text"]


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("lengths", [True, False])
def test_a_server_that_knows_no_ranges_begins_anew(server: Files, tmp_path: Path, lengths: bool) -> None:
    original = of(server, "text", TEXT)
    server.ranges, server.lengths, server.cuts = False, lengths, [100_000]
    assert download.download(original, tmp_path / "text").read_bytes() == TEXT
    assert [wanted for _, wanted in server.asked] == ["", "bytes=100000-"]


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("there", [TEXT, TEXT[:-1] + b"?", TEXT + b"more"], ids=["whole", "changed", "longer"])
def test_what_a_stopped_program_left_is_looked_at(server: Files, tmp_path: Path, there: bytes) -> None:
    original = of(server, "text", TEXT)
    (tmp_path / "text.part").write_bytes(there)
    if there[-1:] == b"?":
        with pytest.raises(DataUnavailable, match="its SHA-256 begins with"):
            download.download(original, tmp_path / "text")
    assert download.download(original, tmp_path / "text").read_bytes() == TEXT
    assert len(server.asked) == (there != TEXT)


@pytest.mark.usefixtures("nowhere")
def test_a_part_longer_than_what_the_server_has_begins_anew(server: Files, tmp_path: Path) -> None:
    """A server whose file is shorter says so to a request for the rest; then the whole is not the published one."""
    original = of(server, "text", TEXT)
    server.files["text"] = TEXT[:1000]
    (tmp_path / "text.part").write_bytes(TEXT[:2000])
    with pytest.raises(DataUnavailable, match=r"text cannot be fetched from .*no more of it"):
        download.download(original, tmp_path / "text")
    assert server.asked[0] == ("text", "bytes=2000-") and server.asked[1] == ("text", "")


@pytest.mark.usefixtures("nowhere")
def test_another_file_is_named_and_removed(server: Files, tmp_path: Path) -> None:
    original = of(server, "text", TEXT)
    server.files["text"] = b"!" + TEXT[1:]
    wrong, right = hashlib.sha256(server.files["text"]).hexdigest()[:12], original.sha256[:12]
    with pytest.raises(DataUnavailable, match=rf"text from http://127.*/text is not the published file: its SHA-256 "
                                              rf"begins with {wrong}, not with {right}\. It was removed\. Fetch it"):
        download.download(original, tmp_path / "text")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("lengths", [True, False])
def test_more_than_was_published_is_not_taken(server: Files, tmp_path: Path, lengths: bool) -> None:
    original = of(server, "text", TEXT)
    server.files["text"], server.lengths = TEXT + bytes(5_000_000), lengths
    with pytest.raises(DataUnavailable, match=r"announces 5,300,000 bytes, not 300,000" if lengths else
                       r"sends more than its 300,000 bytes"):
        download.download(original, tmp_path / "text")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("nowhere")
def test_refusals_of_a_server(server: Files, tmp_path: Path) -> None:
    original = of(server, "text", TEXT)
    server.refusals = [503, 429]
    assert download.download(original, tmp_path / "text").read_bytes() == TEXT
    gone = Original("gone", server.address("gone"), 5, "0" * 64)
    with pytest.raises(DataUnavailable, match=r"gone cannot be fetched: .*/gone answers 404 Not Found\..*VAECORE_DATA"):
        download.download(gone, tmp_path / "gone")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = Original("text", f"http://127.0.0.1:{closed.getsockname()[1]}/text", 5, "0" * 64)
        with pytest.raises(DataUnavailable, match=r"text cannot be fetched from http://127.*Check the connection"):
            download.download(nobody, tmp_path / "nobody")


class Full(io.BytesIO):
    def write(self, *_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.usefixtures("nowhere")
def test_a_disk_that_fills_up_is_said_and_nothing_is_left_in_the_way(
        server: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = of(server, "text", TEXT)
    (tmp_path / "text.part").write_bytes(TEXT[:1000])
    opened = Path.open

    def full(path: Path, mode: str = "r", *rest: Any, **how: Any) -> Any:
        return Full() if path.suffix == ".part" and mode == "ab" else opened(path, mode, *rest, **how)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DataUnavailable, match=r"The disk is full: text takes 0\.3 MB in .*Free some space there, or "
                                              r"let VAECORE_CACHE"):
        download.download(original, tmp_path / "text")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("nowhere")
def test_a_folder_that_cannot_be_written(server: Files, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataUnavailable, match=r"file cannot be written \(.*VAECORE_CACHE"):
        download.download(of(server, "text", TEXT), tmp_path / "file" / "text")


# -- an archive that is packed anew ----------------------------------------------------------------


def packed(members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def test_an_archive_is_known_by_what_it_holds(server: Files, nowhere: Path) -> None:
    members = {"one/a.wav": b"aaa" * 50, "one/b.wav": b"b", "one/README": b"read me"}
    total = hashlib.sha256(b"a.wav\x00150\x00" + b"aaa" * 50 + b"b.wav\x001\x00b").hexdigest()
    data = packed(members)
    original = Original("all.zip", server.address("all.zip"), len(data), contents=total, unpacked=151, member=".wav")
    for other in (data, packed(dict(reversed(members.items())), zipfile.ZIP_STORED)):
        server.files["all.zip"] = other
        path = download.download(original, nowhere / "cache" / "all.zip")
        assert contents(original, path) == total
        path.unlink()
    for members["one/a.wav"], said in ((b"aab" * 50, "what it holds has another SHA-256"),
                                       (bytes(10**6), "it declares more than the published 151 bytes")):
        server.files["all.zip"] = packed(members)[:2 * len(data)]
        with pytest.raises(DataUnavailable, match=rf"all\.zip .*is not the published file: .*({said}|unpacked)"):
            download.download(original, nowhere / "cache" / "all.zip")
    assert not list((nowhere / "cache").iterdir())


# -- a data set ------------------------------------------------------------------------------------


def test_a_data_set_is_fetched_converted_and_found(numbers: Published, server: Files, nowhere: Path) -> None:
    told: list[tuple[str, int, int]] = []
    folder = fetching.fetch("twelve", tell=lambda *each: told.append(each))
    assert folder == nowhere / "cache" / "downloads" / "dozen" == numbers.place()
    assert [each.name for each in folder.iterdir()] == ["twelve.npz"]
    with np.load(folder / "twelve.npz") as found:
        np.testing.assert_array_equal(found["x"], NUMBERS)
    assert told[-2:] == [("fetching", 12, 12), ("converting", 12, 12)]
    assert fetching.fetch("twelve") == folder and len(server.asked) == 2


def test_one_that_is_damaged_is_fetched_again(numbers: Published, server: Files) -> None:
    folder = fetching.fetch("twelve")
    (folder / "twelve.npz").write_bytes(b"not an archive")
    assert fetching.fetch("twelve") == folder and digest_in(folder / "twelve.npz") == numbers.files["twelve.npz"]
    assert len(server.asked) == 4


@pytest.mark.usefixtures("numbers")
def test_a_damaged_copy_that_would_be_read_first_is_named(nowhere: Path, server: Files) -> None:
    place = nowhere / "data" / "dozen" / "twelve.npz"
    place.parent.mkdir(parents=True)
    np.savez(place, x=NUMBERS + 1)
    with pytest.raises(DataUnavailable, match=r"data/dozen/twelve\.npz is not what Twelve numbers has.*remove it"):
        fetching.fetch("twelve")
    np.savez(place, x=NUMBERS)
    assert fetching.fetch("twelve") == place.parent and not server.asked


def test_other_numbers_than_those_of_the_table_are_refused(numbers: Published, monkeypatch: pytest.MonkeyPatch,
                                                           nowhere: Path) -> None:
    from dataclasses import replace

    monkeypatch.setitem(PUBLISHED, "twelve", replace(numbers, files={"twelve.npz": "0" * 64}))
    with pytest.raises(DataUnavailable, match=r"twelve\.npz came out with other numbers .*Please report it"):
        fetching.fetch("twelve")
    assert not (nowhere / "cache" / "downloads" / "dozen" / "twelve.npz").exists()
    monkeypatch.setitem(PUBLISHED, "twelve", rounding := replace(numbers, files={"twelve.npz": "0" * 64}, rounds=True))
    folder = fetching.fetch("twelve")  # of the published originals, on a machine that rounds otherwise
    assert not fetching.exact(rounding, folder) and fetching.intact(rounding, folder)


def test_a_licence_is_shown_and_has_to_be_accepted(numbers: Published, server: Files, monkeypatch: pytest.MonkeyPatch
                                                   ) -> None:
    from dataclasses import replace

    monkeypatch.setitem(PUBLISHED, "twelve", replace(numbers, licence="CC BY-NC-SA 4.0", accept="Not for commerce"))
    with pytest.raises(DataUnavailable, match=r"CC BY-NC-SA 4\.0\. Not for commerce\..*--download twelve --accept-lic"):
        fetching.fetch("twelve")
    assert not server.asked
    assert fetching.fetch("twelve", accept_licence=True).is_dir()


def test_what_a_conversion_needs_is_asked_for_first(numbers: Published, server: Files, monkeypatch: pytest.MonkeyPatch
                                                    ) -> None:
    from dataclasses import replace

    monkeypatch.setitem(PUBLISHED, "twelve", replace(numbers, module="no_such_module", extra="vaecore[video]"))
    with pytest.raises(DataUnavailable, match=r'without no_such_module: `pip install "vaecore\[video\]"`.*Nothing was'):
        fetching.fetch("twelve")
    assert not server.asked


@pytest.mark.usefixtures("numbers")
def test_a_disk_without_room_is_said_before(server: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: types.SimpleNamespace(free=1_000_000))
    with pytest.raises(DataUnavailable, match=r"Twelve numbers needs 67\.1 MB in .*dozen .*has 1\.0 MB\. Free some"):
        fetching.fetch("twelve")
    assert not server.asked


@pytest.mark.usefixtures("numbers")
def test_a_disk_that_fills_up_while_it_is_converted(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetching, "write_bytes_atomic", full)
    with pytest.raises(DataUnavailable, match=r"The disk is full: twelve\.npz takes"):
        fetching.fetch("twelve")
    assert not list((nowhere / "cache" / "downloads" / "dozen").iterdir())


@pytest.mark.usefixtures("numbers")
def test_a_stopped_download_is_gone_on_with(server: Files) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetching.fetch("twelve", tell=stop)
    fetching.fetch("twelve")
    assert len(server.asked) <= 3


# -- the table -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_table_says_all_there_is_to_know(name: str) -> None:
    chosen = PUBLISHED[name]
    assert chosen.name in DATASETS and DATASETS[name]().reads()[0] == name
    assert len({original.file for original in chosen.originals}) == len(chosen.originals)
    for original in chosen.originals:
        assert original.address.startswith("http") and original.size > 0
        assert len(original.sha256 or original.contents) == 64
    assert chosen.licence and all(len(each) == 64 for each in chosen.files.values())
    assert chosen.conversion or set(chosen.files) == {original.file for original in chosen.originals}
    github = [original.address for original in chosen.originals if "github" in original.address]
    assert all(any(len(part.removesuffix(".zip")) == 40 for part in address.split("/")) for address in github), "pinned"


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_files_at_hand_are_those_of_the_table(name: str) -> None:
    chosen = PUBLISHED[name]
    if (place := chosen.place()) is None:
        pytest.skip(f"{name} is not on this machine")
    assert fetching.intact(chosen, place) and fetching.exact(chosen, place)


@pytest.mark.usefixtures("nowhere")
def test_how_data_sets_stand_where_nothing_is() -> None:
    found = {each.name: each for each in everything()}
    assert found.keys() == DATASETS.keys()
    assert {name for name, each in found.items() if each.state == "fetch"} == {
        "fashion-mnist", "omniglot", "sentences", "captions", "spoken-digits", "digit-views", "omics", "translations",
        "characters", "filmed"}
    assert {name for name, each in found.items() if each.state == "missing"} == set()
    assert {"table", "text-file", "aligned", "clips"} <= {name for name, each in found.items() if each.state == "own"}
    assert found["omniglot"].line == "one command away: `vaecore data --download omniglot` (15.9 MB, MIT)"
    assert "5,000 embedded digits" in found["mnist"].line
    assert "one command away: `vaecore data --download mnist` (11.6 MB" in found["mnist"].line
    assert found["translations"].command == "vaecore data --download captions --accept-licence"
    assert [each.name for each in missing(DATASETS["image-label"](images="fashion-mnist"))] == ["fashion-mnist"]
    assert standing(DATASETS["filmed"](collection="scenes")).state == "missing"


def test_where_a_data_set_lies_is_said(nowhere: Path) -> None:
    place = nowhere / "cache" / "downloads" / "omniglot" / "omniglot28.npz"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"")
    assert standing(DATASETS["omniglot"]()).line == f"Omniglot: 32,460 drawings, in {place.parent}"


def test_names_of_what_is_to_be_fetched() -> None:
    assert [each.name for each in to_fetch(["translations", "captions", "omniglot"])] == ["captions", "omniglot"]
    assert to_fetch(["all"]) == list(PUBLISHED.values()) and to_fetch(["digits"]) == []
    with pytest.raises(KeyError, match="nothing"):
        to_fetch(["nothing"])


def test_arrays_are_known_however_they_are_packed(tmp_path: Path) -> None:
    one, two = {"a": np.arange(6), "b": np.zeros((2, 3), np.float32)}, {"b": np.zeros((2, 3), np.float32)}
    np.savez(tmp_path / "one.npz", **one)
    np.savez_compressed(tmp_path / "two.npz", b=one["b"], a=np.asfortranarray(one["a"]))
    assert digest(one) == digest_in(tmp_path / "one.npz") == digest_in(tmp_path / "two.npz")
    for other in ({**two, "a": np.arange(6).reshape(2, 3)}, {**two, "a": np.arange(6, dtype=np.int32)}, two):
        assert digest(other) != digest(one)
    np.savez_compressed(tmp_path / "bomb.npz", a=np.zeros(70 * 2**20, np.uint8))
    (tmp_path / "text.gz").write_bytes(gzip.compress(b"abc"))
    (tmp_path / "bad.gz").write_bytes(b"abc")
    assert digest_in(tmp_path / "bomb.npz") == "" == digest_in(tmp_path / "bad.gz") == digest_in(tmp_path / "gone.gz")
    assert digest_in(tmp_path / "text.gz") == hashlib.sha256(b"abc").hexdigest()
