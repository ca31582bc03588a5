"""The routes to what runs drew while they learned, and the film that they make."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette

from pages.components import film, film_routes
from tests.asking import Answer, ask
from vaecore import album
from vaecore.album import Page, Row
from vaecore.explore.drawn import LINE, MARGIN, MOST_SCALE, PANEL, REST
from vaecore.explore.drawn import film as made
from vaecore.store import Run

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 1, 4, 4), np.uint8)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Three pages: what is given, and two steps."""
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    folder = tmp_path / "runs" / "drawn"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    pages = [Page(None, (Row("given", "image", PIXELS),)), *(
        Page(step, (Row("samples", "image", PIXELS // (step + 1), note="<b>"), Row("samples", "text", words=("<i>",))))
        for step in (0, 7))]
    (folder / album.FILE).write_bytes(b"".join(map(album.line, pages)))
    return Run(folder)


def get(address: str) -> Answer:
    return ask(Starlette(routes=film_routes.routes()), address)


def test_pages_come_from_where_they_were_read(run: Run) -> None:
    whole = get("/album/drawn").content
    length = int.from_bytes(whole[:4], "little")
    told = json.loads(whole[4:4 + length])
    assert told["end"] == (run.path / album.FILE).stat().st_size and told["start"] == 0
    assert [page["step"] for page in told["pages"]] == [0, 7]
    picture, sentence = told["pages"][1]["rows"]
    assert (picture["width"], picture["height"], picture["count"], picture["note"]) == (4, 4, 3, "<b>")
    assert sentence["words"] == ["<i>"] and sentence["bytes"] == 0
    png = np.asarray(Image.open(io.BytesIO(whole[-picture["bytes"]:])))
    assert np.array_equal(png, np.concatenate(list(PIXELS[:, 0] // 8), 1))
    first = len((run.path / album.FILE).read_bytes().split(b"\n")[0]) + 1
    rest = get(f"/album/drawn?from={first}").content
    later = json.loads(rest[4:4 + int.from_bytes(rest[:4], "little")])
    assert (later["start"], later["given"], len(later["pages"])) == (first, None, 2)


def test_what_is_none_is_refused_with_the_reason(run: Run) -> None:
    assert [get(address).status for address in ("/album/nobody", "/album/drawn?from=x", "/film/drawn?as=exe")] == [
        404, 400, 400]
    assert get("/album/drawn?from=3").status == 409
    (run.path / album.FILE).write_bytes(b"nothing\n")
    assert get("/album/drawn").status == get("/film/drawn").status == 409
    for address, remedy in (("/album/nobody", "Choose another"), ("/album/drawn?from=x", "Leave it out"),
                            ("/film/drawn?as=exe", "Leave it out"), ("/film/drawn", "Copy the run again")):
        assert remedy in json.loads(get(address).content)["reason"], address


def test_a_film_has_a_frame_for_each_step_and_rests_at_its_end(run: Run) -> None:
    answer = get("/film/drawn?as=webp")
    assert answer.headers["content-disposition"] == 'attachment; filename="drawn-learning.webp"'
    moving = Image.open(io.BytesIO(answer.content))
    shots = []
    for place in range(getattr(moving, "n_frames", 1)):
        moving.seek(place)
        shots.append(np.asarray(moving.convert("L")))
    times = 2 + REST
    assert len(shots) in (2, 3, times)  # equal ones may be one that lasts
    top, scale = LINE + 2 * MARGIN, MOST_SCALE
    lower = shots[-1][top:, :][:9 * scale:scale, ::scale][5:9, :4]
    assert np.abs(lower.astype(int) - PIXELS[0, 0] // 8).max() <= 1, "under what is given, what the last step made"
    first, last = shots[0][:top], shots[-1][:top]
    assert first.std() > 10 and (first != last).any(), "each frame says its step"
    assert (shots[0][top + 9 * scale:] == shots[-1][top + 9 * scale:]).all(), "and equal words are equal"
    with pytest.raises(ValueError, match="no kind of file"):
        made(run, ".exe")
    (run.path / album.FILE).write_bytes(b"")
    with pytest.raises(ValueError, match=r"training\.pictures"):
        made(run)


def test_sentences_are_a_film_of_panels(run: Run) -> None:
    def page(step: int | None, *kinds: album.Kind, long: int = 1) -> bytes:
        return album.line(Page(step, tuple(Row(kind, "text", words=(f"a sentence of {kind}", *["x" * 300] * long, ""))
                                           for kind in kinds)))

    kinds: tuple[album.Kind, ...] = ("reconstructions", "samples", "interpolation")
    file = run.path / album.FILE
    file.write_bytes(b"".join([page(None, "given"), page(0, *kinds), page(50, *kinds),
                                album.line(Page(60, tuple(Row(kind, "text", words=("a", "", "")) for kind in kinds)))]))
    moving = Image.open(io.BytesIO(made(run, ".webp")))
    assert moving.size == (2 * PANEL, LINE + 2 * MARGIN + 2 * (4 * LINE + MARGIN)), "two beside each other"
    shot = np.asarray(moving.convert("L"))
    assert all(shot[:, at - MARGIN:at].std() < 1 for at in (PANEL, 2 * PANEL)), "a long line ends in its panel"
    file.write_bytes(b"".join(page(step, *["samples"] * 80, long=9) for step in (0, 1)))
    with pytest.raises(ValueError, match="too large"):
        made(run)


def test_a_message_changes_only_when_there_is_more(run: Run) -> None:
    one = film.pack([film.Filmed(run, "drawn", 10, live=True)])
    assert one == film.pack([film.Filmed(run, "drawn", 10, live=True)])
    assert one != film.pack([film.Filmed(run, "drawn", 11, live=True)])
