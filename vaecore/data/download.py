"""A file from the network: checked, bounded, and continued where it broke off.

What has come lies beside the place of the file as `<file>.part`, until it is whole and its checksum is the published
one. A connection that breaks is taken up again, and so is what a stopped program left: with a request for the rest
(HTTP Range), or from the start where a server does not know of such requests.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, InvalidURL
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from vaecore import __version__
from vaecore.data.base import DataUnavailable
from vaecore.data.npz import DAMAGED
from vaecore.data.originals.members import MEMBER_BYTES, read
from vaecore.data.published import Original, megabytes
from vaecore.errors import keyless

TRIES = 3  # connections one after the other of which nothing came, before it is left to the user to go on
SECONDS = 30.0  # without a byte
PATIENCE, DRIP_BYTES = 120.0, 50_000  # seconds in which fewer bytes than these are too few to go on
WAIT = 1.0  # seconds before another try
PIECE = 2**16  # bytes
SPARE = 2  # an archive that is packed anew may be so many times as large as it was
MAX_MEMBERS = 20_000
PASSING = {408, 429, 500, 502, 503, 504}  # refusals of a moment
FULL = {errno.ENOSPC, errno.EDQUOT}

Told = Callable[[int], object]  # of how many bytes there are


@dataclass
class _Pace:
    """How much comes over all connections, so that a server that drips does not hold a page for days."""

    began: float = field(default_factory=time.monotonic)
    came: int = 0

    def more(self, original: Original, count: int) -> None:
        """Note bytes that came; raises `DataUnavailable` where they are too few."""
        self.came += count
        if (now := time.monotonic()) - self.began > PATIENCE:
            if self.came < DRIP_BYTES:
                raise DataUnavailable(f"{original.file} comes too slowly from {original.address}: {self.came:,} bytes "
                                      f"in {PATIENCE:.0f} seconds. Fetch it again later: it goes on from there.")
            self.began, self.came = now, 0


class _Broken(Exception):
    """The connection ended before the file did; the rest may be asked for."""


def download(original: Original, place: Path, told: Told = lambda _: None) -> Path:
    """Have the file lie at `place`, with the bytes that are published; `told` hears how many have come.

    Nothing is fetched where it lies there already. Raises `DataUnavailable`, with what to do, where it cannot be had.
    """
    if place.is_file() and not wrong(original, place):
        told(original.size)
        return place
    part = place.with_name(f"{place.name}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _complete(original, part, told)
        if trouble := wrong(original, part):
            part.unlink()
            raise DataUnavailable(f"{original.file} from {original.address} is not the published file: {trouble}. It "
                                  "was removed. Fetch it again; if it stays so, the address has another file by now.")
        part.replace(place)
    except OSError as error:
        raise unwritten(error, part, original.size) from None
    return place


def unwritten(error: OSError, part: Path, size: int) -> DataUnavailable:
    """What to say of a file that could not be written; of one that filled the disk, nothing is left."""
    if error.errno in FULL:
        with contextlib.suppress(OSError):
            part.unlink()
        return DataUnavailable(f"The disk is full: {part.name.removesuffix('.part')} takes {megabytes(size)} in "
                               f"{part.parent}. What had come of it was removed. Free some space there, or let "
                               "VAECORE_CACHE name a folder on another disk, and fetch it again.")
    return DataUnavailable(f"{error.filename or part} cannot be written ({error.strerror or error}). Let VAECORE_CACHE "
                           "name a folder that can, and fetch it again.")


def wrong(original: Original, path: Path) -> str:
    """What is wrong with the bytes at `path`, in words; empty where they are the published ones."""
    if original.contents:
        try:
            return "" if contents(original, path) == original.contents else "what it holds has another SHA-256"
        except DAMAGED as error:
            return f"it cannot be unpacked ({error})"
    if (size := path.stat().st_size) != original.size:
        return f"it has {size:,} bytes, not {original.size:,}"
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return "" if found == original.sha256 else \
        f"its SHA-256 begins with {found[:12]}, not with {original.sha256[:12]}"


def contents(original: Original, path: Path) -> str:
    """SHA-256 of the members that count, by name less their folders: what an archive holds, however it is packed."""
    total = hashlib.sha256()
    with zipfile.ZipFile(path) as members:
        chosen = {each.filename.rpartition("/")[2]: each for each in members.infolist()
                  if each.filename.endswith(original.member)}
        if len(members.infolist()) > MAX_MEMBERS or sum(each.file_size for each in chosen.values()) > original.unpacked:
            raise ValueError(f"it declares more than the published {original.unpacked:,} bytes")
        for name, each in sorted(chosen.items()):
            data = read(members, each.filename, MEMBER_BYTES)
            total.update(f"{name}\0{len(data)}\0".encode() + data)
    return total.hexdigest()


# -- over the network ------------------------------------------------------------------------------


def _complete(original: Original, part: Path, told: Told) -> None:
    """Fetch until `part` is whole; raises `DataUnavailable` where it does not become so."""
    failed, furthest, pace = 0, _there(part), _Pace()
    while True:
        try:
            return _fetched(original, part, told, pace)
        except _Broken as error:
            pace.more(original, 0)
            there = _there(part)
            failed, furthest = 0 if there > furthest else failed + 1, max(there, furthest)
            if failed < TRIES:
                time.sleep(WAIT)
                continue
            if there:
                raise DataUnavailable(f"{original.file} broke off after {there / 1e6:.1f} of "
                                      f"{megabytes(original.size)}, from {original.address} ({error}). Fetch it again: "
                                      "it goes on from there.") from None
            raise DataUnavailable(f"{original.file} cannot be fetched from {original.address} ({error}). Check the "
                                  "connection and fetch it again.") from None


def _fetched(original: Original, part: Path, told: Told, pace: _Pace) -> None:
    """Ask for what is missing and write it down; raises `_Broken` where less comes than there is."""
    most = original.size if original.sha256 else SPARE * original.size
    there = _there(part)
    if original.sha256 and there == original.size:  # whole, but not looked at before the program ended
        told(there)
        return
    if there >= most:
        there = 0
    with _answer(original, part, there) as answer:
        on = answer.status == HTTPStatus.PARTIAL_CONTENT and _begins(answer) == there
        there = there if on else 0
        end = there + answer.length if answer.length is not None else None
        if end is not None and end > most:
            raise DataUnavailable(f"{original.file} is not the published file: {original.address} announces "
                                  f"{end:,} bytes, not {original.size:,}. Nothing of it was kept.")
        with part.open("ab" if on else "wb") as file:
            while piece := _piece(answer):
                there += len(piece)
                if there > most:
                    part.unlink()
                    raise DataUnavailable(f"{original.file} is not the published file: {original.address} sends more "
                                          f"than its {original.size:,} bytes. What had come was removed.")
                file.write(piece)
                told(there)
                pace.more(original, len(piece))
    if there < (original.size if original.sha256 else end or 0):
        raise _Broken(f"it ended after {there:,} bytes")


def _there(part: Path) -> int:
    """Bytes that have come."""
    return part.stat().st_size if part.exists() else 0


def _answer(original: Original, part: Path, there: int) -> HTTPResponse:
    """The answer to a request for what is not `there`; raises `_Broken`, or `DataUnavailable` for a refusal."""
    headers = {"User-Agent": f"vaecore/{__version__}", "Accept-Encoding": "identity"}
    request = Request(original.address, headers=headers | ({"Range": f"bytes={there}-"} if there else {}))
    try:
        answer: HTTPResponse = urlopen(request, timeout=SECONDS)
    except HTTPError as error:
        with error:
            if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                part.unlink(missing_ok=True)
                raise _Broken("the server has no more of it") from None
            if error.code in PASSING:
                raise _Broken(f"the server answers {error.code} {keyless(error.reason)}") from None
            raise DataUnavailable(f"{original.file} cannot be fetched: {original.address} answers {error.code} "
                                  f"{keyless(error.reason)}. If that stays so, it has moved: put the data into the "
                                  "folder that VAECORE_DATA names.") from None
    except InvalidURL:  # whose words are a part of it, and may be one of a password
        raise _led_away(original, "an address that cannot be read, or that of the proxy cannot") from None
    except (OSError, HTTPException) as error:
        raise _Broken(keyless(str(getattr(error, "reason", "") or error)) or type(error).__name__) from None
    except ValueError as error:  # led to an address that is none
        raise _led_away(original, keyless(str(error))) from None
    packed = answer.headers.get("Content-Encoding", "identity")
    if not isinstance(answer, HTTPResponse) or packed != "identity":  # led to ftp; asked not to pack
        answer.close()
        raise _led_away(original, f"a file packed as {packed[:20]}" if packed != "identity" else
                        keyless(answer.geturl())[:200])
    return answer


def _led_away(original: Original, where: str) -> DataUnavailable:
    return DataUnavailable(f"{original.file} cannot be fetched: {original.address} answers with {where}. If that stays "
                           "so, it has moved: put the data into the folder that VAECORE_DATA names.")


def _piece(answer: HTTPResponse) -> bytes:
    try:
        return answer.read1(PIECE)  # what is there: of a server that drips, `read` would wait for all of it
    except (OSError, HTTPException) as error:
        raise _Broken(str(error) or type(error).__name__) from None


def _begins(answer: HTTPResponse) -> int:
    """The first byte that a partial answer has; -1 where it does not say."""
    match = re.match(r"bytes (\d{1,15})-", answer.headers.get("Content-Range", ""))
    return int(match[1]) if match else -1
