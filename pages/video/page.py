"""Video: roll many futures of a clip out, watch them part on one clock, and go on from any frame of one of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from pages.components.player import Moved, player
from pages.shared import address, checkpoints
from pages.shared.words import counted, escaped
from pages.video import clip_choice, futures, screen, views
from pages.video.futures import Plan, Roll, Stage, Turn
from vaecore.views import CLIP

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from pages.video.clip_choice import Chosen
    from vaecore.explore.clips.checkpoint import VideoCheckpoint
    from vaecore.schema import ConfigError

PRESET = "svg-lp-moving-mnist"
SEED = "seed-video"
AIR = 0.06  # s in which the server sends what was drawn: its thread would have to wait for ours, which never rests
MOST_TURNS = 32  # of a way that the address holds; each is a future that has to be drawn again
SHOWN = (1, 2, 4, 8)  # futures beside the best one
# The line above the player keeps its height, so that nothing moves when futures begin to come.
LAYOUT = """<style>
.st-key-video-status { min-height: 2.6rem; margin: -.6rem 0; flex-wrap: nowrap; }
.st-key-video-status [data-testid="stProgress"] > div { margin: 0; }
@media (max-width: 640px) {
  .st-key-video-tools > * { flex: 1 1 9rem !important; width: auto !important; }
  .st-key-video-tools > :nth-child(-n+2) { flex-basis: 100% !important; }
}
</style>"""


@dataclass(frozen=True)
class Knobs:
    """What is set above the player. Only "Roll out" heeds it."""

    context: int
    horizon: int
    futures: int
    seed: int
    pressed: bool
    turns: list[str] | None = None  # of a link that leads to futures: where it branched, as the address has it


@st.fragment
def bench(checkpoint: VideoCheckpoint) -> None:
    """A clip, its futures, and what can be done with them."""
    from vaecore.schema import ConfigError

    with st.container(horizontal=True, vertical_alignment="bottom", key="video-tools"):
        clip = clip_choice.choose(checkpoint)
        if clip is None:
            return
        stage = Stage.of(f"{checkpoint.run.id} {checkpoints.stamps(checkpoint.run)} {clip.key}")
        knobs = settings(checkpoint, stage)
    if clip.note:
        st.caption(clip.note)
    try:
        plan = asked(checkpoint, clip, stage, knobs)
        roll = futures.roll(checkpoint, plan) if stage.plan is not None else None
    except ConfigError as error:
        told(error)
        return
    if roll is not None and stage.rolling and not roll.done:
        roll.advance()
    if roll is not None and roll.done:
        stage.rolling = False
    tell(checkpoint, stage, plan)
    crumbs(stage)
    status(stage, plan, roll)
    if (moved := show(checkpoint, clip, plan, roll)) is not None and roll is not None:
        stage.branch(followed(checkpoint, clip, plan, roll, moved))
        views.rerun()
    further(checkpoint, clip, plan, roll, busy=stage.rolling)
    if stage.rolling:
        time.sleep(AIR)
        views.rerun()


def settings(checkpoint: VideoCheckpoint, stage: Stage) -> Knobs:
    """How much is given and how much is drawn. In a branch, the past and the end of the clock stay."""
    from vaecore.explore.clips.checkpoint import MAX_FUTURES, MAX_HORIZON, MAX_SEED

    run, fixed = checkpoint.run.id, stage.branched
    most = futures.longest(checkpoint.frame, pixels=checkpoint.pixels) - 1
    context = address.kept(
        "context", st.number_input, "Frames given", 1, most, min(checkpoint.context, most), key=f"context-{run}",
        width=120, on_change="ignore", tells=False, disabled=fixed,
        help="The first frames of the clip, which the model sees; "
        f"{checkpoint.context} in training. All later ones it has to predict.")
    horizon = address.kept(
        "horizon", st.number_input, "Horizon", 1, min(MAX_HORIZON, most), min(checkpoint.horizon, most),
        key=f"horizon-{run}", width=112, on_change="ignore", tells=False, disabled=fixed,
        help=f"Frames to predict after those given; in training clips had {checkpoint.learned} frames in all.")
    count, seed = 1, 0
    if checkpoint.stochastic:
        count = address.kept("futures", st.number_input, "Futures", 1, MAX_FUTURES, 10, key="futures-video", width=112,
                             on_change="ignore", tells=False, help="How many futures are "
                             "drawn. Each goes on from the same frames with random numbers of its own.")
        seed = address.kept("seed", st.number_input, "Seed", 0, MAX_SEED, 0, key=SEED, width=112, on_change="ignore",
                            tells=False, help="The same seed draws the same futures, and "
                            "another run gets the same random numbers.")
    pressed = st.button("Roll out", icon=":material/play_arrow:", type="primary", key="roll-out",
                        help="Draw the futures. The first is there at once.")
    if checkpoint.stochastic:
        pressed |= st.button("Draw again", icon=":material/casino:", key="others", on_click=next_seed,
                             help="Other futures of the same frames: the next seed.")
    linked, turns = address.news("roll"), address.news("branch")
    if linked is None and turns is not None:
        linked = ["1"] if stage.plans else []
    if linked is not None and linked != ["1"] and not pressed:
        stage.clear()
    return Knobs(int(context), int(horizon), int(count), int(seed), pressed,
                 (turns or [])[:MOST_TURNS] if linked == ["1"] else None)


def asked(checkpoint: VideoCheckpoint, clip: Chosen, stage: Stage, knobs: Knobs) -> Plan:
    """What is to be shown: what was rolled out last, what "Roll out" was just pressed for, or what it would do.

    Raises `ConfigError` for what cannot be rolled out.
    """
    if knobs.turns is not None:
        plans = linked(checkpoint, clip, knobs)
        futures.roll(checkpoint, plans[-1])
        stage.follow(plans)
        return plans[-1]
    if stage.plan is not None and (stage.branched or not knobs.pressed):
        plan = stage.plan
        if knobs.pressed:
            plan = replace(plan, futures=knobs.futures, seed=knobs.seed)
            futures.roll(checkpoint, plan)
            stage.show(plan)
        return plan
    plan = trunk(checkpoint, clip, knobs)
    if knobs.pressed:
        futures.roll(checkpoint, plan)  # before it takes the place of what is shown
        stage.show(plan)
    return plan


def tell(checkpoint: VideoCheckpoint, stage: Stage, plan: Plan) -> None:
    """Have the address say what is shown, and of a branch how it came about."""
    address.write("roll", ["1"] if stage.plans else [])
    address.write("branch", [each.turn.word for each in stage.plans if each.turn is not None][:MOST_TURNS])
    first = stage.plans[0] if stage.plans else plan
    address.tell(context=first.context, horizon=first.horizon)
    if checkpoint.stochastic:
        address.tell(futures=plan.futures, seed=plan.seed)


def trunk(checkpoint: VideoCheckpoint, clip: Chosen, knobs: Knobs) -> Plan:
    """The plan from the clip itself."""
    from vaecore.schema import problem

    past = checkpoint.past(clip.frames, knobs.context)
    room = futures.longest(checkpoint.frame, pixels=checkpoint.pixels)
    if len(past) + knobs.horizon > room:
        raise problem("horizon", knobs.horizon, f"{len(past)} frames given and {knobs.horizon:,} predicted are more "
                      f"than the {room} that the player can show at this size.", f"Use at most {room - len(past)}.")
    return Plan(past, clip.frames[len(past):len(past) + knobs.horizon], knobs.horizon, knobs.futures, knobs.seed)


def linked(checkpoint: VideoCheckpoint, clip: Chosen, knobs: Knobs) -> list[Plan]:
    """The plan that a link leads to, after those that it branched from; what is no branch ends the way."""
    from vaecore.explore.clips.checkpoint import MAX_FUTURES, MAX_SEED

    plans = [trunk(checkpoint, clip, knobs)]
    for word in knobs.turns or ():
        here = plans[-1]
        turn = Turn.read(word, (here.total - 1, MAX_FUTURES if checkpoint.stochastic else 1, MAX_SEED))
        if turn is None or (turn.future is None and turn.frame >= len(clip.frames)):
            break
        plans[-1] = here = replace(here, seed=turn.seed)
        frames = None if turn.future is None else checkpoint.future(here.past, here.horizon, turn.seed, turn.future)
        plans.append(replace(gone_on(checkpoint, clip, here, turn, frames), seed=knobs.seed))
    return plans


def followed(checkpoint: VideoCheckpoint, clip: Chosen, plan: Plan, roll: Roll, moved: Moved) -> Plan:
    """The plan that goes on from a frame of one of the tracks to the end of the clock."""
    number, frames = None, None
    if moved.track != screen.TRUTH:
        with roll.looked_at() as gathered:
            best = screen.best_of(gathered) if moved.track == screen.BEST else None
            if best is not None:
                number, frames = best
            else:
                number = int(moved.track.rpartition("-")[2]) - 1
                frames = gathered.kept[number]
    return gone_on(checkpoint, clip, plan, Turn(moved.frame, number, plan.seed), frames)


def gone_on(checkpoint: VideoCheckpoint, clip: Chosen, plan: Plan, turn: Turn, future: Tensor | None) -> Plan:
    """The plan after a turn: on from that frame of the future, or of the true clip where there is none."""
    at = turn.frame
    past = clip.frames[:at + 1] if future is None else checkpoint.branch(plan.past, future, at)
    return Plan(past, clip.frames[at + 1:plan.total], plan.total - at - 1, plan.futures, plan.seed, turn,
                of_truth=future is None or (plan.of_truth and at < plan.context))


def crumbs(stage: Stage) -> None:
    """Where one is, and the way back. Its place stays when it is empty: a player that moved would start anew."""
    with st.container(horizontal=True, vertical_alignment="center", key="crumbs"):
        if not stage.branched:
            return
        path = [each.turn.words for each in stage.plans if each.turn is not None]
        earlier = "".join(f":gray[{words} ›] " for words in path[:-1])
        st.markdown(f":material/call_split: {earlier}**Branched {path[-1]}**", width="content",
                    help="All frames up to this one are kept and given to the model; the rest is drawn anew.")
        st.button("Undo", icon=":material/undo:", key="undo", on_click=stage.back,
                  help="Back to the futures that this branch came from.")
        if len(path) > 1:
            st.button("To the trunk", icon=":material/vertical_align_top:", key="to-trunk", on_click=stage.back,
                      args=(len(path),), help="Back to the futures of the clip itself.")


def status(stage: Stage, plan: Plan, roll: Roll | None) -> None:
    """How far it is, in a line."""
    with st.container(horizontal=True, vertical_alignment="center", key="video-status"):
        if roll is None:
            given = f"its first {plan.context} frames" if plan.context > 1 else "its first frame"
            st.caption(f"This is the clip. Press **Roll out** to see what the model makes of {given}.")
        elif stage.rolling:
            st.caption(f"{roll.count:,} of {roll.total:,} futures", width="content")
            st.progress(roll.count / roll.total)
            st.button("Stop", icon=":material/stop:", key="stop", type="tertiary", on_click=stop, args=(stage,),
                      help="Keep what is there.")
        else:
            st.caption(summary(plan, roll))


def summary(plan: Plan, roll: Roll) -> str:
    """What is shown, in a sentence."""
    frames = f"{plan.horizon} frame{'s' * (plan.horizon > 1)} after the {plan.context} given"
    if not roll.checkpoint.stochastic:
        return (f"One prediction of {frames}: this model has a single future, always the same."
                f"{screen.against_copying(roll)}")
    part = f"Stopped at {roll.count:,} of {roll.total:,} futures" if not roll.done else \
        f"{roll.count:,} future{'s' * (roll.count > 1)}"
    known = min(len(plan.truth), plan.horizon)
    scored = "" if known == plan.horizon else f" Scores: {counted(known, 'frame')} of known truth." if known else \
        " No true frame is known after those given, so there are no scores."
    away = "" if plan.of_truth else " Scores still compare with the true clip."
    return f"{part} of {frames}, seed {plan.seed}.{screen.against_copying(roll)}{scored}{away}"


def show(checkpoint: VideoCheckpoint, clip: Chosen, plan: Plan, roll: Roll | None) -> Moved | None:
    """The player; where a visitor asked to branch."""
    seen = screen.known(checkpoint, clip)
    place, samples = st.container(), 1
    with st.container(horizontal=True, vertical_alignment="center"):
        if checkpoint.stochastic:
            samples = address.kept(
                "shown", st.segmented_control, "Futures in sight", SHOWN, default=SHOWN[2], required=True,
                key="shown-video", wrap=False, width="content", help="How many futures are "
                "shown beside the best one. Scores, mean and spread are of all that were drawn.")
        if seen.note:
            st.caption(escaped(seen.note))
        elif checkpoint.one_code and seen.kl is not None:
            st.metric("KL of the clip's code", f"{seen.kl[0]:.2f} nats", help=screen.CODE_KL_HELP, width="content")
    samples = screen.room(checkpoint, plan, samples)
    with place:
        return player(
            screen.tracks(checkpoint, clip, seen, plan, roll, samples), screen.charts(checkpoint, seen, plan, roll),
            context=plan.context, rate=clip.rate, events=clip.events, event_name=screen.EVENT, branch=roll is not None,
            playing=True, length=plan.total, key=f"{checkpoint.run.id} {clip.key} {plan.digest}",
            element="futures-player")


def further(checkpoint: VideoCheckpoint, clip: Chosen, plan: Plan, roll: Roll | None, *, busy: bool) -> None:
    """What takes more than the player. Only the open tab runs."""
    tabs: dict[str, Callable[[], None]] = {
        "Several runs": lambda: views.several(checkpoint, clip, plan, roll, busy=busy),
        "Save": lambda: views.save(checkpoint, clip, plan, roll)}
    if checkpoint.one_code:
        tabs = {"Code of the clip": lambda: views.traversal(checkpoint, clip, plan)} | tabs
    places = address.kept("view", st.tabs, list(tabs), key=f"video-view-{checkpoint.run.id}", on_change="rerun")
    for tab, draw in zip(places, tabs.values(), strict=True):
        if tab.open:
            with tab:
                draw()


def told(error: ConfigError) -> None:
    """What cannot be done, and what can."""
    for each in error.problems:
        st.warning(escaped(f"{each.message} {each.remedy}"), icon=":material/movie:")


def next_seed() -> None:
    from vaecore.explore.clips.checkpoint import MAX_SEED

    st.session_state[SEED] = (int(st.session_state.get(SEED) or 0) + 1) % (MAX_SEED + 1)


def stop(stage: Stage) -> None:
    stage.rolling = False


def nothing_yet() -> None:
    """What to do where there is no model of clips."""
    st.info("No model of clips is here yet. Train one on moving digits, and roll its futures out here.",
            icon=":material/info:")
    st.page_link("train/page.py", label=f"Train the preset {PRESET}", icon=":material/model_training:",
                 query_params={"preset": PRESET}, help="Opens Train with a model of moving digits filled in.")


title, choice = st.container(key="head").columns([1, 2], vertical_alignment="bottom")
title.title("Video", anchor=False)
with choice:
    run = checkpoints.pick("Run", page="video",
                           among=checkpoints.with_weights(CLIP), empty=nothing_yet, key="video-run",
                           help="Models of clips: your own runs, newest first, then the gallery.")
if run is not None and (loaded := checkpoints.opened(run, CLIP)) is not None:
    st.html(LAYOUT)
    bench(loaded)
    checkpoints.terms_link(loaded)
