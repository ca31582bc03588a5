"""The main job, as a newcomer does it: train from the page, watch, stop, resume, scrub. And the server dies once."""

from __future__ import annotations

import json
import re

import pytest

from tests.browser.conftest import App, Visitor
from vaecore import lab

pytestmark = pytest.mark.browser


def start_training(visitor: Visitor, name: str, epochs: int, settings: str = "") -> None:
    """From the Train page: the small digits, so many epochs."""
    page = visitor.page
    visitor.open(f"train?preset=vae-digits{settings}")
    box = page.get_by_label(re.compile("^Epochs"))
    visitor.act(lambda: (box.fill(str(epochs)), box.press("Enter")))
    named = page.get_by_role("textbox", name="Name (optional)")
    visitor.act(lambda: (named.fill(name), named.press("Enter")))
    visitor.act(lambda: page.get_by_role("button", name=re.compile("Start training|Add to queue")).click())


def points(visitor: Visitor) -> int:
    return int(visitor.page.locator(".curves").first.get_attribute("data-points") or 0)


def test_train_watch_stop_resume_traverse(visitor: Visitor, app: App) -> None:
    page, folder = visitor.page, app.store / "runs" / "first"
    start_training(visitor, "first", 3_000)
    visitor.open("monitor?runs=first")
    page.wait_for_function("() => +document.querySelector('.st-key-curves')?.querySelector('*') !== undefined")
    page.evaluate("() => { window.sameDocument = true }")
    page.wait_for_timeout(500)
    page.locator(".curves").first.wait_for()
    while points(visitor) == 0:
        page.wait_for_timeout(100)
    seen = points(visitor)
    page.evaluate("() => { document.querySelector('[data-testid=stApp]').dataset.mark = 'same' }")
    for _ in range(300):
        if points(visitor) > seen + 50:
            break
        page.wait_for_timeout(100)
    assert points(visitor) > seen + 50, "the curve grows by itself"
    assert page.evaluate("() => window.sameDocument"), "without a reload"

    visitor.open("train")
    visitor.act(lambda: page.get_by_role("button", name="Stop", exact=True).click())
    assert lab.wait(folder, timeout=60).state == "stopped"
    stopped_at = lab.status(folder).step
    resume = page.get_by_role("button", name="Resume")
    resume.wait_for()
    visitor.act(resume.click)
    for _ in range(600):
        if lab.status(folder).step > stopped_at:
            break
        page.wait_for_timeout(100)
    assert lab.status(folder).step > stopped_at, "it goes on from where it was"
    lab.stop(folder)
    assert lab.wait(folder, timeout=60).state == "stopped"
    steps = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()
             if json.loads(line)["kind"] == "step"]
    assert steps == list(range(len(steps))), "every step once, in order, over both attempts"

    visitor.open("traverse?run=first")
    page.locator(".hand[data-drawn]").wait_for()
    canvas = page.locator(".panes canvas").first
    before = canvas.evaluate("it => it.toDataURL()")
    page.locator(".track").first.focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    assert canvas.evaluate("it => it.toDataURL()") != before
    visitor.no_stack_trace()


def test_killed_server_leaves_the_training_alive(visitor: Visitor, app: App) -> None:
    folder = app.store / "runs" / "survivor"
    start_training(visitor, "survivor", 3_000, "&set=training.pace=100")  # the processor is the browser's
    for _ in range(600):
        if lab.status(folder).step > 0:
            break
        visitor.page.wait_for_timeout(100)
    app.kill()
    at_the_kill = lab.status(folder)
    assert at_the_kill.state == "running"
    app.start()
    visitor.open("monitor?runs=survivor")
    visitor.page.get_by_text("training", exact=True).first.wait_for()
    for _ in range(300):
        if lab.status(folder).step > at_the_kill.step:
            break
        visitor.page.wait_for_timeout(100)
    assert lab.status(folder).step > at_the_kill.step, "it trained on while nobody served"
    lab.stop(folder)
    assert lab.wait(folder, timeout=60).state == "stopped"
