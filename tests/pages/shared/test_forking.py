"""What would have helped a training that failed is a press away wherever the failure is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages import demo
from vaecore.lab import attempts, status
from vaecore.store import Run

SUGGESTED = "training.batch_size=64"


@pytest.fixture
def failed(root: Path) -> Run:
    """A run whose last step found no memory."""
    run = Run(root / "runs" / "vae")
    attempts.write_exit(run.path, attempts.begin(run.path), "failed", "Out of memory on the cuda.",
                        suggested=[SUGGESTED])
    return run


def links(at: AppTest) -> list[Any]:
    return [each.proto for each in at.get("page_link") if each.proto.label.startswith("Fork with")]


@pytest.mark.parametrize(("page", "query"), [("monitor", {"runs": "vae"}), ("runs", {"open": "vae"}), ("train", {})])
def test_a_run_without_memory_is_forked_with_the_batch_that_fits(failed: Run, page: str, query: dict[str, Any]) -> None:
    [link] = links(demo.open_page(page, **query))
    assert (link.page, link.label) == ("train", "Fork with batch size 64")
    asked = parse_qs(link.query_string)
    assert asked == {"from": ["vae"], "weights": ["last"], "set": [SUGGESTED]}
    if page == "train":
        form = demo.open_page("train", **asked)
        assert form.number_input(key="train.training.batch_size").value == 64
        assert f"Fork of {failed.id} at step" in demo.words(form)


def test_nothing_is_offered_where_nothing_is_known_to_help(failed: Run) -> None:
    for suggested in ([], ["a b=1", "x=<b>", "=", "training.batch_size=" + 50 * "9"], [None], "no list"):
        attempts.write_exit(failed.path, 1, "failed", "Out of memory.", suggested=suggested)  # type: ignore[arg-type]
        assert status(failed.path).suggested == ()
    assert not links(demo.open_page("monitor", runs="vae"))
