"""Bytes like those of a good file, and not: changed by what they are where that can be seen, else at random places."""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any

PIECES = [
    b"\xff" * 4,
    b"\x00" * 8,
    b"\x80",
    b"\x7f\xff\xff\xff",
    b"-",
    b"9" * 400,
    b"1e999",
    b"NaN",
    b"[" * 90,
    b"{",
    b'"',
    b"'",
    b",",
    b"\n" * 30,
    b"\\ud800",
    b"\xed\xa0\x80",
    b"../../",
    b"\x1b[2J",
    b"=cmd()",
    b"![x](http://x)",
    b"<script>",
    b":smile:",
    b"%s%n",
    b"!!python/object/apply:os.system",
    b"*a",
    b"&a",
    b"\xe2\x80\xae",
    b"\r",
    b"\x00",
]
ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    2**31,
    2**63,
    10**30,
    -1e308,
    1e308,
    "",
    "x" * 5_000,
    "\x00",
    "../../etc/passwd",
    "\ud83d\ude00",
    "![x](http://x)",
    [],
    {},
    [[]],
    [None],
    {"": {}},
    ["x"] * 50,
    {"a": [1, {"b": None}]},
    0.5,
    "nan",
    "1e5",
    [1, "2"],
    False,
]
NUMBERS = [0, 1, -1, 127, 255, 2**15, 2**16 - 1, 2**31 - 1, -(2**31), 2**24]
Way = Callable[[bytes, random.Random], bytes]


def spoilt(seeds: Sequence[bytes], draw: random.Random) -> bytes:
    """A seed with one to four changes."""
    data = draw.choice(seeds)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 4))):
        if draw.random() < 0.04:
            other = draw.choice(seeds)
            data = data[: draw.randint(0, len(data))] + other[draw.randint(0, len(other)) :]
        else:
            ways = [way for way in _WAYS if way is not _bytes and _fits(way, data)]
            data = (draw.choice(ways) if ways and draw.random() < 0.6 else _bytes)(data, draw)
    return data


def _fits(way: Way, data: bytes) -> bool:
    if way is _zip:
        return data[:2] == b"PK"
    if way is _tensors:
        return len(data) > 8 and data[8:9] == b"{" and struct.unpack("<Q", data[:8])[0] <= len(data)
    if way is _gzip:
        return data[:2] == b"\x1f\x8b"
    if way is _array:
        return data.startswith(b"\x93NUMPY")
    return data[:1] in b"[{" and len(data) < 60_000


def _bytes(data: bytes, draw: random.Random) -> bytes:
    if not data:
        return draw.choice(PIECES)
    # Half of the changes are near an end, where headers and lists of members are.
    place = draw.randrange(len(data))
    if draw.random() < 0.5:
        place = draw.choice(
            (draw.randrange(min(len(data), 200)), len(data) - 1 - draw.randrange(min(len(data), 200)))
        )
    how = draw.randrange(7)
    if how == 0:
        return data[:place]
    if how == 1:
        return data[:place] + bytes([draw.randrange(256)]) + data[place + 1 :]
    if how == 2:
        return data[:place] + draw.choice(PIECES) + data[place + draw.randint(0, 5) :]
    if how == 3:
        end = min(len(data), place + draw.randint(1, 40))
        return data[:place] + data[place:end] * draw.choice((0, 2, 3, 50)) + data[end:]
    if how == 4:
        form = draw.choice(("<i", ">i", "<H", ">H", "<q", "<B"))
        number = draw.choice(NUMBERS) % 2 ** (8 * struct.calcsize(form))
        packed = number.to_bytes(struct.calcsize(form), "little" if form[0] == "<" else "big")
        return data[:place] + packed + data[place + len(packed) :]
    if how == 5:
        return data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1 :]
    return data[:place] + bytes(draw.randrange(256) for _ in range(draw.randint(1, 12))) + data[place:]


def _json(data: bytes, draw: random.Random) -> bytes:
    """Another value in one place of a JSON, or of a line of several."""
    lines = data.split(b"\n")
    place = draw.randrange(len(lines)) if len(lines) > 3 and lines[1][:1] == b"{" else None
    try:
        value = json.loads(data if place is None else lines[place])
    except (ValueError, RecursionError):
        return _bytes(data, draw)
    changed = json.dumps(_changed(value, draw), ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")
    if place is None:
        return changed
    return b"\n".join([*lines[:place], changed, *lines[place + 1 :]])


def _changed(value: Any, draw: random.Random) -> Any:
    if isinstance(value, dict | list) and value and draw.random() < 0.85:
        if isinstance(value, list):
            place = draw.randrange(len(value))
            return [*value[:place], _changed(value[place], draw), *value[place + 1 :]]
        name = draw.choice(list(value))
        if draw.random() < 0.1:
            return {other: inner for other, inner in value.items() if other != name}
        if draw.random() < 0.1:
            return {**value, draw.choice(("", "x" * 300, "\u202e", "__class__", name.upper())): value[name]}
        return {**value, name: _changed(value[name], draw)}
    if isinstance(value, float | int) and draw.random() < 0.5:
        return draw.choice((-value, value * 1e300, value + 0.5, 10**18, str(value)))
    return draw.choice(ODD)


def _zip(data: bytes, draw: random.Random) -> bytes:
    """A member of a zip spoilt, called otherwise, twice there or missing."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    except Exception:  # it was spoilt before
        return _bytes(data, draw)
    if not members:
        return _bytes(data, draw)
    place = draw.randrange(len(members))
    name, content = members[place]
    how = draw.randrange(6)
    if how < 3:
        members[place] = name, spoilt([content], draw)
    elif how == 3:
        members[place] = draw.choice(("../x", "/x", "a/" + name, name.upper(), name + "\u202e", "x" * 300)), content
    elif how == 4:
        members.append((name + draw.choice(("", "2")), content))
    else:
        del members[place]
    out = io.BytesIO()
    packing = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(out, "w", packing) as archive:  # names twice
        for name, content in members:
            archive.writestr(member(name, packing), content)
    return out.getvalue()


def member(name: str, packing: int) -> zipfile.ZipInfo:
    """A member of a zip, of no date: what is spoilt is the same whenever it is."""
    (info := zipfile.ZipInfo(name)).compress_type = packing
    return info


def _tensors(data: bytes, draw: random.Random) -> bytes:
    """The description of tensors changed, and its length told truly."""
    length = struct.unpack("<Q", data[:8])[0]
    try:
        head = json.loads(data[8 : 8 + length])
        told = head.get("__metadata__")
        if isinstance(told, dict) and told and draw.random() < 0.6:  # what we have written into it as a text
            name = draw.choice(list(told))
            told[name] = _json(str(told[name]).encode(), draw).decode("utf-8", "replace")
            changed = json.dumps(head).encode()
        else:
            changed = json.dumps(_changed(head, draw)).encode()
    except (ValueError, RecursionError, AttributeError):
        return _bytes(data, draw)
    return struct.pack("<Q", len(changed)) + changed + data[8 + length :]


def _array(data: bytes, draw: random.Random) -> bytes:
    """The description of an array changed: its type, its shape."""
    end = data.find(b"\n") + 1
    words = [
        (b"<f8", b"|O"),
        (b"<f4", b"<c16"),
        (b"'shape': (", b"'shape': (9" + b"9" * draw.randrange(12)),
        (b"False", b"True"),
        (b"'shape': (", b"'shape': (-1, "),
        (b", ", b", 0, "),
        (b"|u1", b"<U99999999"),
        (b"descr", b"d"),
        (b"{", b"{{"),
        (b"<f", b">f"),
        (b"|u1", b"|V0"),
    ]
    old, new = draw.choice(words)
    head = data[10:end].replace(old, new, 1)
    return data[:8] + struct.pack("<H", len(head) % 2**16) + head + data[end:]


def _gzip(data: bytes, draw: random.Random) -> bytes:
    """What is packed spoilt, and packed again."""
    try:
        return gzip.compress(spoilt([gzip.decompress(data)], draw), 1, mtime=0)
    except (OSError, EOFError, zlib.error):
        return _bytes(data, draw)


_WAYS: list[Way] = [_json, _zip, _tensors, _array, _gzip, _bytes]
