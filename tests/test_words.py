"""How messages say counts and sizes."""

from __future__ import annotations

from vaecore.words import size


def test_bytes_are_said_in_the_unit_in_which_they_are_read() -> None:
    assert [size(count) for count in (0, 999, 1_000, 65_536, 999_949, 999_950, 11_594_722, 3_000_000_015)] == [
        "0 bytes", "999 bytes", "1.0 kB", "65.5 kB", "999.9 kB", "1.0 MB", "11.6 MB", "3.0 GB"]
