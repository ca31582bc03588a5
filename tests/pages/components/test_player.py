"""Packing of the player's clips and curves, and what the browser may send back."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from pages.components import serve
from pages.components.player import (
    BYTES,
    MAX_FRAMES,
    MAX_TRACKS,
    RATE,
    Chart,
    Kind,
    Line,
    Moved,
    Track,
    moved,
    pack,
    player,
)


def clip(n: int, channels: int = 1, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n, channels, 4, 6), dtype=np.uint8)


def unpack(data: bytes) -> dict[str, Any]:
    """The browser's reading of a packed value (player.js, decode)."""
    length = int.from_bytes(data[:4], "little")
    header: dict[str, Any] = json.loads(data[4 : 4 + length])
    at = 4 + length
    for track in header["tracks"]:
        shape = (track["count"], header["height"], header["width"], track["channels"])
        size = int(np.prod(shape))
        track["pixels"] = np.frombuffer(data[at : at + size], np.uint8).reshape(shape)
        at += size
    assert at == len(data)
    return header


TRACKS = [Track("truth", clip(7, 3), "Truth", "truth"), Track("f", clip(3)), Track("later", clip(0, 3)),
          Track("spread", clip(6, 1, 1), "Spread", "spread", start=1)]


def test_every_pixel_arrives_in_its_place() -> None:
    message = unpack(pack(TRACKS, context=2, rate=8, events=[5, 3, 3, 99], key="k"))
    assert (message["frames"], message["height"], message["width"]) == (7, 4, 6)
    assert (message["context"], message["rate"], message["events"]) == (2, 8, [3, 5])
    for track, got in zip(TRACKS, message["tracks"], strict=True):
        np.testing.assert_array_equal(got["pixels"], track.frames.transpose(0, 2, 3, 1))
    assert [track["caption"] for track in message["tracks"]] == ["Truth", "f", "later", "Spread"]
    assert not any(track["branch"] for track in message["tracks"])


def test_digests_tell_what_changed() -> None:
    def digests(second: NDArray[np.uint8]) -> list[str]:
        header = unpack(pack([TRACKS[0], Track("f", second)], context=2, key="k"))
        return [track["digest"] for track in header["tracks"]]

    before, after = digests(clip(3)), digests(clip(3, seed=9))
    assert before[0] == after[0] and before[1] != after[1] and before == digests(clip(3))


def test_curves_have_a_value_or_a_gap_at_every_frame() -> None:
    chart = Chart("PSNR", [Line("a", [np.nan, 1.0, np.inf, 1 / 3], [0.0], [2.0])], "dB", "help")
    [packed] = unpack(pack(TRACKS, [chart], context=2, key="k"))["charts"]
    [line] = packed["lines"]
    assert line["values"] == [None, 1.0, None, 0.333333, None, None, None]
    assert line["low"] == [0.0] + 6 * [None] and line["high"] == [2.0] + 6 * [None]
    assert (packed["title"], packed["unit"], packed["help"]) == ("PSNR", "dB", "help")


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_without_a_rate_there_is_one(rate: float) -> None:
    assert unpack(pack(TRACKS, context=2, rate=rate, key="k"))["rate"] == RATE


def test_nothing_at_all_is_packed() -> None:
    message = unpack(pack([], context=3, key=""))
    assert (message["frames"], message["context"], message["tracks"]) == (1, 1, [])
    assert unpack(pack([Track("f", clip(0))], context=3, key="", length=9))["frames"] == 9


@pytest.mark.parametrize(
    ("tracks", "charts", "says"),
    [
        ([Track("a", clip(2).astype(np.float32))], [], r"'a': frames must be uint8 .* not float32"),
        ([Track("a", clip(2)[:, 0])], [], r"'a': frames must be uint8 .* not uint8 \(2, 4, 6\)"),
        ([Track("a", clip(2, 2))], [], r"C 1 or 3, not uint8 \(2, 2, 4, 6\)"),
        ([Track("a", clip(2)), Track("b", clip(2)[:, :, :3])], [], "one size, not 3 x 6 and 4 x 6"),
        ([Track("a", clip(2)), Track("a", clip(2))], [], "the same name"),
        ([Track("a", clip(2), kind="best of")], [], "'a': no kind 'best of'"),  # type: ignore[arg-type]
        ([Track("a", clip(2), start=-1)], [], "'a' starts at frame -1"),
        ([Track(str(i), clip(1)) for i in range(MAX_TRACKS + 1)], [], f"at most {MAX_TRACKS}"),
        ([Track("a", clip(MAX_FRAMES + 1))], [], f"show at most {MAX_FRAMES}"),
        ([Track("a", np.zeros((1, 1, 1, BYTES + 1), np.uint8))], [], "MiB of frames"),
        ([Track("a", clip(2))], [Chart("c", [Line("l", [1, 2, 3])])], r"'c', line 'l': values has shape \(3,\)"),
        ([Track("a", clip(2))], [Chart("c", [Line("l", [1, 2], low=[1, 2])])], "a band needs low and high"),
        ([Track("a", clip(2))], [Chart("c", [Line("l", ["x"])])], "'c', line 'l': values must be numbers"),
    ],
)
def test_what_does_not_fit_is_named(tracks: list[Track], charts: list[Chart], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        pack(tracks, charts, context=1, key="k")


def sent(track: object = "f", frame: object = 2, key: object = "k") -> dict[str, object]:
    return {"track": track, "frame": frame, "key": key}


@pytest.mark.parametrize(
    ("what", "got"),
    [
        (sent(), Moved("f", 2)),
        (sent("truth", 1), Moved("truth", 1)),  # the last frame of the context
        (sent("truth", 5), Moved("truth", 5)),
        (sent("truth", 0), None),
        (sent("truth", 6), None),  # nothing comes after it
        (sent(frame=3), None),  # not grown so far
        (sent("later"), None),
        (sent("spread"), None),
        (sent("nobody"), None),
        (sent(["f"]), None),
        (sent(key="another clip"), None),
        *((sent(frame=frame), None) for frame in (True, 2.0, "2", None, -1, 10**30)),
        *((what, None) for what in (None, "f", 2, ["f", 2], {"track": "f"})),
    ],
)
def test_only_a_branch_that_exists_is_believed(what: object, got: Moved | None) -> None:
    assert moved(what, TRACKS, context=2, length=7, key="k") == got


@pytest.mark.parametrize(("branch", "got"), [(True, Moved("f", 2)), (False, None)])
def test_the_mounted_player_reports_a_branch(monkeypatch: pytest.MonkeyPatch, branch: bool, got: object) -> None:
    def mount(**given: object) -> SimpleNamespace:
        assert set(given) == {"key", "data", "on_branch_change"}
        return SimpleNamespace(get={"branch": sent()}.get)

    monkeypatch.setattr(serve, "component", {"player": mount}.__getitem__)
    assert player(TRACKS, context=2, branch=branch, key="k") == got


def test_kinds_that_can_be_branched_from_are_kinds() -> None:
    header = unpack(pack([Track(kind, clip(2), kind=kind) for kind in get_args(Kind)], context=1, branch=True, key="k"))
    assert [t["kind"] for t in header["tracks"] if t["branch"]] == ["truth", "given", "future", "best"]


def test_a_page_mounts_it() -> None:
    def page() -> None:
        import numpy as np
        import streamlit as st

        from pages.components.player import Track, player

        asked = player([Track("f", np.zeros((3, 1, 4, 4), np.uint8))], context=1, branch=True, key="k")
        st.write(str(asked))

    app = AppTest.from_function(page).run()
    assert not app.exception and app.markdown[0].value == "None"
    [mounted] = app.get("bidi_component")
    assert len(unpack(mounted.proto.bytes)["tracks"]) == 1
