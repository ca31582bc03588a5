"""Parallel coordinates and slices in a real browser: filters by hand and by keys, kept in the address."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Call, Visitor
from tests.sweeps import made
from vaecore.store import Store

SWEEP = "sweep/sweep.js"
SAID = """() => [...document.querySelectorAll('*')].map(e => e.shadowRoot?.querySelector('.sweep .said')).find(Boolean)
  ?.textContent"""


def test_a_filter_passes_what_lies_within_and_stands_in_the_address(call: Call) -> None:
    filters = call(SWEEP, "text => m.filtersOf(text, 3)", "0:0.25-1,2:0-0.5,9:0-1,1:0.9-0.1")
    assert filters == [[0.25, 1], None, [0, 0.5]]  # of an axis that is not there, and turned round: none
    assert call(SWEEP, "f => m.textOf(f.map(each => each ?? undefined))", filters) == "0:0.25-1,2:0-0.5"
    assert call(SWEEP, "f => m.passes([0.25, 0.3, 0.5], f)", filters)
    assert not call(SWEEP, "f => m.passes([0.2, 0.3, 0.5], f)", filters)
    assert call(SWEEP, "() => m.filtersOf(null, 2)") == [None, None]


def test_points_are_joined_that_differ_in_one_field_alone(call: Call) -> None:
    points = [{"said": said, "at": at} for said, at in ((["8", "1"], [1, 0]), (["2", "1"], [0, 0]),
                                                        (["2", "4"], [0, 1]), (["4", "9"], [0.5, 0.5]))]
    joined = call(SWEEP, "points => m.apart(points, 0).map(group => group.map(point => point.said[0]))", points)
    assert joined == [["2", "8"]]
    assert call(SWEEP, "points => m.apart(points, 1).map(group => group.map(point => point.said[1]))", points) \
        == [["1", "4"]]


def test_the_distance_from_a_line_is_that_from_its_nearest_stretch(call: Call) -> None:
    line = [[0, 0], [10, 0], [10, 10]]
    for x, y, distance in ((5, 3, 3), (13, 4, 3), (-3, -4, 5)):
        assert call(SWEEP, "([l, x, y]) => m.fromLine(l, x, y)", [line, x, y]) == pytest.approx(distance)


@pytest.mark.browser
def test_points_are_filtered_by_hand_and_keys_and_a_link_shows_the_same(visitor: Visitor) -> None:
    made.swept(Store(visitor.app.store), lambda number, seed: -30.0 - number - 0.1 * seed)
    page = visitor.page
    sent: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    visitor.open("sweeps?sweep=zb")
    page.wait_for_function(f"() => ({SAID})()?.startsWith('4 points. The best: point 1, Latent size 2')")
    visitor.settle()
    assert sent, "what goes to the server is seen"
    sent.clear()
    axis = page.locator(".sweep .axis").nth(0)
    axis.hover(position={"x": 20, "y": 9})  # waits until nothing moves
    page.mouse.down()
    axis.hover(position={"x": 20, "y": 110}, force=True)
    page.mouse.up()
    page.wait_for_function(f"() => ({SAID})()?.startsWith('2 of 4 points. The best of them: point 3, Latent size 8')")
    axis.click(button="right", position={"x": 20, "y": 60}, force=True)
    page.wait_for_function(f"() => ({SAID})()?.startsWith('2 of 4 points.')")
    thumb = page.get_by_role("slider", name="Beta value: upper end of what is shown")
    thumb.focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function(f"() => ({SAID})()?.startsWith('1 of 4 points. The best of them: point 3, ')")
    page.wait_for_function("() => new URLSearchParams(location.search).get('keep')?.startsWith('0:')")
    assert not sent
    visitor.open(page.url.removeprefix(f"{visitor.app.address}/"))  # as somebody else would
    page.wait_for_function(f"() => ({SAID})()?.startsWith('1 of 4 points. The best of them: point 3, ')")
    page.get_by_role("button", name="All points").click()
    page.locator(".sweep .parallel canvas").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"() => ({SAID})()?.includes('Point 2, Latent size 2, Beta value 4: −32.15 ± 0.64.')")
    visitor.no_stack_trace()
