"""Video: futures of a clip on one clock, branches, a visitor's own clip; how other pages meet a model of clips."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.components import player
from pages.components.player import Moved
from pages.video.futures import Turn
from tests.pages import clip_demo, demo
from tests.pages.clip_demo import CONTEXT, LENGTH


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_demo.make(tmp_path_factory.mktemp("video"))


@pytest.fixture(autouse=True)
def store(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it that a test may break, in use."""
    copy = tmp_path / "store"
    shutil.copytree(trained, copy)
    monkeypatch.setenv("VAECORE_STORE", str(copy))
    return copy


def checkpoint(store: Path, name: str = "lp") -> Any:
    from vaecore.explore.clips.checkpoint import VideoCheckpoint
    from vaecore.store import Store

    return VideoCheckpoint.load(Store(store).find(name))


def message(at: AppTest, place: int = 0) -> dict[str, Any]:
    """What a player was given: its header, and the frames of each track (n, H, W, C) under "pixels"."""
    data = [each for each in at.get("bidi_component") if each.proto.bytes][place].proto.bytes
    length = int.from_bytes(data[:4], "little")
    header: dict[str, Any] = json.loads(data[4:4 + length])
    start = 4 + length
    for track in header["tracks"]:
        shape = (track["count"], header["height"], header["width"], track["channels"])
        track["pixels"] = np.frombuffer(data[start:start + int(np.prod(shape))], np.uint8).reshape(shape)
        start += int(np.prod(shape))
    header["tracks"] = {track["name"]: track for track in header["tracks"]}
    header["charts"] = {chart["title"]: {line["name"]: line for line in chart["lines"]} for chart in header["charts"]}
    return header


def shown(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures (n, C, H, W) as they travel."""
    return np.moveaxis(pictures, 1, 3)


def rolled(run: str = "lp", futures: int = 5) -> AppTest:
    at = demo.open_page("video", run=run)
    if run != "det":
        at.number_input(key="futures-video").set_value(futures)
    return press(at, "roll-out")


def press(at: AppTest, key: str) -> AppTest:
    at.button(key=key).click().run()
    assert not at.exception, at.exception
    return at


def branch_once(monkeypatch: pytest.MonkeyPatch, moved: Moved) -> None:
    """The next run of the page hears that a visitor pressed "Branch here"."""
    waiting = [moved]
    monkeypatch.setattr(player, "moved", lambda *_, **__: waiting.pop() if waiting else None)


# -- futures ---------------------------------------------------------------------------------------


def test_before_anything_is_rolled_out_the_clip_is_there_and_room_for_futures(store: Path) -> None:
    at = demo.open_page("video", run="lp")
    told, model = message(at), checkpoint(store)
    assert (told["frames"], told["context"], told["branch"]) == (LENGTH, CONTEXT, False)
    assert told["events"] == model.events_of(0)
    np.testing.assert_array_equal(told["tracks"]["truth"]["pixels"], shown(model.pictures(model.clip(0))))
    seen = told["tracks"]["reconstruction"]
    assert (seen["start"], seen["count"]) == (1, LENGTH - 1)
    assert [told["tracks"][name]["count"] for name in ("best", "future-1", "future-4", "mean", "spread")] == [0] * 5
    assert told["charts"]["KL per frame"]["KL"]["values"][0] is None, "the first frame is given, and costs nothing"
    assert "Press **Roll out**" in demo.words(at)


def test_futures_are_those_of_the_model(store: Path) -> None:
    from vaecore.explore.clips.scoring import Gathered

    told, model = message(rolled()), checkpoint(store)
    clip = model.clip(0)
    found = Gathered(model, clip[CONTEXT:], clip[CONTEXT - 1])
    for chunk in model.roll(clip[:CONTEXT], LENGTH - CONTEXT, 5, 0):
        found.add(chunk)
    tracks = told["tracks"]
    assert list(tracks) == ["truth", "reconstruction", "best", *(f"future-{i}" for i in (1, 2, 3, 4)), "mean",
                            "spread"]
    past = model.pictures(clip[:CONTEXT])
    for place in (0, 3):
        want = np.concatenate([past, model.pictures(found.kept[place])])
        np.testing.assert_array_equal(tracks[f"future-{place + 1}"]["pixels"], shown(want))
    number, frames = found.best["ssim"]
    assert tracks["best"]["caption"] == f"Best of 5 · future {number + 1}"
    np.testing.assert_array_equal(tracks["best"]["pixels"][CONTEXT:], shown(model.pictures(frames)))
    assert not tracks["spread"]["pixels"][:CONTEXT].any() and tracks["spread"]["pixels"][CONTEXT:].any()
    ssim = told["charts"]["SSIM"]
    assert ssim["mean"]["values"][:CONTEXT] == [None] * CONTEXT, "frames that were given are not scored"
    assert ssim["best"]["values"][CONTEXT:] == pytest.approx(found.scores["ssim"].best_values, rel=1e-4)
    assert ssim["mean"]["low"][-1] == pytest.approx(found.scores["ssim"].low[-1], rel=1e-4)
    sd = told["charts"]["Prior's spread σ"]
    assert sd["true frames"]["values"][1:] == pytest.approx(model.prior_sd(clip), rel=1e-4)
    assert sd["future 1"]["values"][CONTEXT:] == pytest.approx(found.prior_sd[0], rel=1e-4)


def test_the_first_step_is_one_future_and_a_plan_is_rolled_out_once_for_all(store: Path) -> None:
    from pages.video import futures

    model = checkpoint(store)
    clip = model.clip(0)
    plan = futures.Plan(clip[:2], clip[2:], 8, 40, 3)
    roll = futures.Roll(model, plan)
    roll.advance()
    assert (roll.count, roll.done) == (1, False)
    while not roll.done:
        before = roll.count
        roll.advance(0)
        assert roll.count > before
    assert roll.count == 40
    assert futures.roll(model, plan) is futures.roll(model, futures.Plan(clip[:2], clip[2:], 8, 40, 3))
    others = [futures.Plan(clip[:3], clip[3:], 8, 40, 3), futures.Plan(clip[:2], clip[2:], 7, 40, 3),
              futures.Plan(clip[:2], clip[2:], 8, 41, 3), futures.Plan(clip[:2], clip[2:], 8, 40, 4),
              futures.Plan(model.clip(1)[:2], clip[2:], 8, 40, 3)]
    assert len({plan.digest, *(each.digest for each in others)}) == 6


def test_a_roll_out_that_met_an_error_ends(store: Path) -> None:
    """It is shared by all who ask for this plan: nobody waits for what will never come."""
    from pages.video import futures

    model = checkpoint(store)
    clip = model.clip(0)
    roll = futures.Roll(model, futures.Plan(clip[:2], clip[2:], 8, 40, 3))

    def broken() -> Iterator[Any]:
        raise RuntimeError("out of memory")
        yield

    roll.chunks = broken()
    with pytest.raises(RuntimeError):
        roll.advance()
    roll.advance()
    assert roll.done and roll.count == 0


def test_one_seed_draws_the_same_and_two_visitors_do_not_meet() -> None:
    one, two = rolled(), rolled()
    first = message(one)["tracks"]["future-1"]["digest"]
    assert message(two)["tracks"]["future-1"]["digest"] == first
    press(two, "others")
    assert two.number_input(key="seed-video").value == 1
    assert message(two)["tracks"]["future-1"]["digest"] != first
    assert message(one.run())["tracks"]["future-1"]["digest"] == first


def test_another_clip_begins_anew_and_settings_wait_for_the_button() -> None:
    at = rolled()
    at.number_input(key="horizon-lp").set_value(3).run()
    assert message(at)["frames"] == LENGTH, "what is shown was asked for with another horizon"
    press(at, "roll-out")
    assert message(at)["frames"] == CONTEXT + 3
    at.selectbox(key="clip-lp").set_value(1).run()
    assert message(at)["tracks"]["future-1"]["count"] == 0


def test_a_model_without_noise_has_one_prediction() -> None:
    at = rolled("det")
    told = message(at)
    assert list(told["tracks"]) == ["truth", "reconstruction", "future-1"]
    assert told["tracks"]["reconstruction"]["caption"] == "One frame ahead"
    assert list(told["charts"]) == ["PSNR", "SSIM"]
    assert list(told["charts"]["PSNR"]) == ["prediction", "last frame copied"]
    assert "PSNR: " in demo.words(at) and "copying the last frame given " in demo.words(at)
    assert "single future" in demo.words(at)
    assert not [each for each in at.number_input if each.key == "futures-video"]


def test_states_are_drawn_and_scored_by_their_error() -> None:
    told = message(rolled("states"))
    assert (told["height"], told["tracks"]["future-1"]["channels"]) == (64, 3)
    assert "Squared error" in told["charts"] and "PSNR" not in told["charts"]
    assert "spread" not in told["tracks"]


# -- branches ----------------------------------------------------------------------------------------


def test_a_branch_keeps_what_was_and_draws_the_rest_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    at = rolled()
    before = message(at)
    branch_once(monkeypatch, Moved("future-2", 5))
    at.run()
    assert not at.exception
    told = message(at)
    assert (told["context"], told["frames"]) == (6, LENGTH)
    assert "**Branched at frame 6 from future 2**" in demo.words(at)
    kept, chosen = told["tracks"]["future-1"], before["tracks"]["future-2"]
    np.testing.assert_array_equal(kept["pixels"][:6], chosen["pixels"][:6])
    assert kept["count"] == LENGTH and (kept["pixels"][6:] != chosen["pixels"][6:]).any()
    assert told["tracks"]["truth"]["given"] == 0, "these frames of the true clip were not given"
    assert at.number_input(key="context-lp").disabled
    branch_once(monkeypatch, Moved("best", 7))
    at.run()
    assert message(at)["context"] == 8 and at.button(key="to-trunk")
    press(at, "undo")
    assert message(at)["tracks"]["future-1"]["digest"] == kept["digest"]
    press(at, "undo")
    assert message(at)["tracks"]["future-1"]["digest"] == before["tracks"]["future-1"]["digest"]
    assert "Branched" not in demo.words(at)


def test_a_branch_from_the_true_clip_gives_more_of_it(monkeypatch: pytest.MonkeyPatch, store: Path) -> None:
    at = rolled()
    branch_once(monkeypatch, Moved("truth", 4))
    at.run()
    told, model = message(at), checkpoint(store)
    assert told["context"] == told["tracks"]["truth"]["given"] == 5
    np.testing.assert_array_equal(told["tracks"]["future-1"]["pixels"][:5], shown(model.pictures(model.clip(0)[:5])))
    press(at, "others")
    assert message(at)["context"] == 5 and "Branched at frame 5 from the true clip" in demo.words(at)


def test_a_link_leads_to_a_branch_by_the_way_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    at = rolled()
    branch_once(monkeypatch, Moved("future-2", 5))
    at.run()
    press(at, "others")  # other futures of the branch: another seed than that of the clip's
    branch_once(monkeypatch, Moved("future-1", 6))
    at.run()
    press(at, "others")
    address = demo.of_address(at)
    assert address["branch"] == ["6.2.0", "7.1.1"] and address["seed"] == ["2"]
    other = demo.open_page("video", **address)
    assert message(other)["tracks"]["future-1"]["digest"] == message(at)["tracks"]["future-1"]["digest"]
    assert message(other)["context"] == 7 and "**Branched at frame 7 from future 1**" in demo.words(other)
    assert demo.of_address(other) == address
    press(other, "to-trunk")
    assert "branch" not in other.query_params and message(other)["context"] == CONTEXT
    assert message(other)["tracks"]["future-1"]["digest"] == message(rolled())["tracks"]["future-1"]["digest"]


@pytest.mark.parametrize("word", [
    "", "nonsense", "6.2", "6.2.0.1", "10.1.0", "0.1.0", "6.9.0", "6.1.3", "-1.1.0", "\u0661.1.0"])
def test_what_is_no_branch_is_none(word: str) -> None:
    assert Turn.read(word, (9, 8, 2)) is None
    assert Turn.read("9.8.2", (9, 8, 2)) == Turn(8, 7, 2) and Turn.read("1.0.0", (9, 8, 2)) == Turn(0, None, 0)


def test_what_is_no_branch_ends_the_way() -> None:
    at = demo.open_page("video", run="lp", roll="1", branch=["5.0.0", f"{LENGTH}.1.0", "6.1.0"])
    assert demo.of_address(at)["branch"] == ["5.0.0"] and "Branched at frame 5 from the true clip" in demo.words(at)


def test_what_lies_behind_the_end_of_the_clip_is_no_branch_of_it() -> None:
    at = demo.open_page("video", run="lp", roll="1", horizon=str(LENGTH), branch=[f"{LENGTH + 1}.0.0"])
    assert "branch" not in at.query_params and message(at)["context"] == CONTEXT


# -- a visitor's own clip ----------------------------------------------------------------------------


def own(name: str, data: bytes) -> AppTest:
    at = demo.open_page("video", run="lp")
    at.segmented_control(key="clip-source").set_value("Your own").run()
    at.file_uploader(key="clip-file").upload(name, data).run()
    assert not at.exception, at.exception
    return at


def npz(frames: int, side: int = 20, channels: int = 3) -> bytes:
    file = io.BytesIO()
    random = np.random.default_rng(0)
    np.savez(file, random.integers(0, 256, (frames, side, side, channels), dtype=np.uint8))
    return file.getvalue()


def gif(frames: int, size: tuple[int, int] = (24, 16)) -> bytes:
    file = io.BytesIO()
    pictures = [Image.new("P", size, 40 * place) for place in range(frames)]
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:], duration=50)
    return file.getvalue()


def test_a_clip_of_another_size_and_colour_is_made_to_fit() -> None:
    at = own("mine.npz", npz(9))
    assert "cut around the centre and resized to 16 × 16 pixels in grey" in demo.words(at)
    told = message(at)
    assert (told["height"], told["width"], told["tracks"]["truth"]["count"]) == (16, 16, 9)
    press(at, "roll-out")
    told = message(at)
    assert told["tracks"]["future-1"]["count"] == LENGTH
    assert told["charts"]["PSNR"]["mean"]["values"][-1] is None, "of a frame whose truth nobody knows"
    assert "Scores: 7 frames of known truth" in demo.words(at)


def test_a_clip_that_ends_with_the_context_has_futures_but_no_scores() -> None:
    at = press(own("mine.npz", npz(2)), "roll-out")
    told = message(at)
    assert told["tracks"]["future-1"]["count"] == LENGTH and "best" not in told["tracks"]
    assert "PSNR" not in told["charts"] and "there are no scores" in demo.words(at)


@pytest.mark.parametrize(("name", "data", "said"), [
    ("one.gif", gif(1), "a picture, not a clip"),
    ("cut.mp4", b"\x00\x00\x00\x18ftypmp42" + b"\x01" * 300, "is no film"),
    ("big.gif", gif(3, (3840, 2160)), "resized to 16 × 16"),
    ("a.gif", b"nonsense", "is no GIF"),
    ("a.npz", b"PK\x03\x04nonsense", "is no .npz"),
])
def test_a_file_that_cannot_be_used_is_told_and_the_page_lives(name: str, data: bytes, said: str) -> None:
    at = own(name, data)
    assert said in demo.words(at).replace("\\", "")
    at.segmented_control(key="clip-source").set_value("Test clip").run()
    assert message(press(at, "roll-out"))["tracks"]["future-1"]["count"] == LENGTH


def test_more_frames_given_than_there_are() -> None:
    at = own("short.npz", npz(3))
    at.number_input(key="context-lp").set_value(5).run()
    assert "5 frames are to be given, and this clip has 3. Use at most 3, or a longer clip." in demo.words(at)
    at.number_input(key="context-lp").set_value(3)
    assert message(press(at, "roll-out"))["context"] == 3


def test_a_long_horizon_is_bounded() -> None:
    at = demo.open_page("video", run="lp")
    field = at.number_input(key="horizon-lp")
    assert field.max == 500
    field.set_value(10_000)  # a browser does not send it
    assert message(press(at, "roll-out"))["frames"] == LENGTH


# -- below the player ----------------------------------------------------------------------------------


def test_one_code_for_a_clip_is_traversed(store: Path) -> None:
    at = rolled("sv2p")
    told, model = message(at, 1), checkpoint(store, "sv2p")
    clip = model.clip(0)
    want = model.traverse(clip[:CONTEXT], LENGTH - CONTEXT, 0, [-3.0, 0.0, 3.0])
    tracks = list(told["tracks"].values())
    assert [track["caption"] for track in tracks] == [f"z0 = {v}" for v in ("−3", "−2", "−1", "0", "+1", "+2", "+3")]
    for place, frames in zip((0, 3, 6), want, strict=True):
        np.testing.assert_array_equal(tracks[place]["pixels"][CONTEXT:], shown(model.pictures(frames)))
    assert at.metric[0].label == "KL of the clip's code" and "KL per frame" not in message(at)["charts"]
    assert message(at)["tracks"]["reconstruction"]["count"] == model.learned - 1


def test_several_checkpoints_on_the_same_clip_and_noise(store: Path) -> None:
    at = rolled()
    at.multiselect(key="others-lp").set_value(["fp", "states"]).run()
    at.segmented_control(key="several-shown").set_value("First").run()
    assert not at.exception
    assert "states is left out: it reads states of" in demo.words(at)
    told, model = message(at, 1), checkpoint(store, "fp")
    assert [track["caption"] for track in told["tracks"].values()] == ["Truth", "lp · future 1", "fp · future 1"]
    want = model.future(model.clip(0)[:CONTEXT], LENGTH - CONTEXT, 0)
    np.testing.assert_array_equal(told["tracks"]["1"]["pixels"][CONTEXT:], shown(model.pictures(want)))
    assert list(told["charts"]["PSNR"]) == ["lp", "fp", "last frame copied"]
    at.segmented_control(key="several-shown").set_value("Best").run()
    assert message(at, 1)["tracks"]["0"]["caption"].startswith("lp · future")


def test_files_are_made_of_what_is_shown(store: Path) -> None:
    from pages.video import futures, screen, views
    from pages.video.clip_choice import Chosen

    model = checkpoint(store)
    clip = Chosen(model.clip(0), "x", 10.0)
    plan = futures.Plan(clip.frames[:2], clip.frames[2:], 8, 2, 0)
    roll = futures.Roll(model, plan)
    while not roll.done:
        roll.advance()
    tracks = screen.tracks(model, clip, screen.Known(), plan, roll, 2)
    with Image.open(io.BytesIO(views.written("gif", tracks, plan, clip)())) as image:
        assert image.n_frames == LENGTH
    assert views.written("png", tracks, plan, clip)()[:8] == b"\x89PNG\r\n\x1a\n"
    pytest.importorskip("av")
    assert b"ftyp" in views.written("mp4", tracks, plan, clip)()[:16]


# -- other pages, and what may be missing ----------------------------------------------------------------


def test_without_a_model_the_page_says_what_to_do(store: Path) -> None:
    shutil.rmtree(store / "runs")
    at = demo.open_page("video")
    assert "No model of clips is here yet" in demo.words(at)
    [link] = at.get("page_link")
    assert link.proto.label == "Train the preset svg-lp-moving-mnist"


def test_other_pages_lead_here() -> None:
    from pages.shared.checkpoints import page_of
    from vaecore.store import Store

    assert {page_of(run).title for run in Store.default().runs()} == {"Video"}
    at = demo.open_page("traverse", run="lp")
    assert "lp is opened in Video." in demo.words(at)
    for page in ("home", "compare", "families"):
        demo.open_page(page)


@pytest.mark.parametrize("name", ["weights.safetensors", "examples.safetensors"])
def test_a_damaged_checkpoint_is_told(store: Path, name: str) -> None:
    path = store / "runs" / "lp" / name
    path.write_bytes(path.read_bytes()[:200])
    at = demo.open_page("video", run="lp")
    assert any("cannot be opened" in str(error.value) for error in at.error)


# -- its address -----------------------------------------------------------------------------------


def test_its_address_holds_the_view() -> None:
    at = demo.keeps_its_view("video", "clip", "context", "horizon", "futures", "seed", "shown", "view", "beside",
                             "which", run="lp", roll="1")
    told, fields = message(at), demo.declared(at)
    assert told["context"] == CONTEXT + 1 and "future-8" in told["tracks"], "the futures are rolled out"
    assert at.tabs[-1].label == "Save" and "seed 1." in demo.words(at) and fields["clip"].default == 0


def test_what_is_set_but_not_rolled_out_is_not_in_the_address() -> None:
    at = rolled()
    assert demo.of_address(at) == {"run": ["lp"], "roll": ["1"], "futures": ["5"]}
    at.number_input(key="seed-video").set_value(3).run()
    assert "seed" not in at.query_params, "what is shown is still of seed 0"
    assert demo.of_address(press(at, "roll-out"))["seed"] == ["3"]
    at.selectbox(key="clip-lp").set_value(1).run()
    assert demo.of_address(at) == {"run": ["lp"], "clip": ["1"], "futures": ["5"], "seed": ["3"]}


def test_the_way_back_rolls_out_what_was_shown() -> None:
    """An address in the same session: what it leaves out is as usual, and the menu's bare one changes nothing."""
    at = rolled()
    demo.go_to(at, "claims")
    assert demo.of_address(demo.go_to(at, "video")) == {"run": ["lp"], "roll": ["1"], "futures": ["5"]}
    demo.go_to(at, "claims")
    demo.turned_to(at, "video").query_params.update({"run": "lp", "clip": "1"})
    at.run()
    assert demo.of_address(at) == {"run": ["lp"], "clip": ["1"]} and message(at)["tracks"]["future-1"]["count"] == 0
