"""Members of a zip, read with a bound on what they unpack to."""

from __future__ import annotations

import zipfile

from vaecore.data.npz import member

MEMBER_BYTES = 2**20  # of a drawing or a recording; the largest has 36 KB


def read(members: zipfile.ZipFile, name: str, most: int) -> bytes:
    """The bytes of a member; raises `ValueError` for one that unpacks to more than `most`."""
    with member(members, members.getinfo(name)) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"{name} unpacks to more than {most:,} bytes")
    return data
