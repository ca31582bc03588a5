"""Every line that a GPU takes otherwise than a CPU is reached by a test of this folder.

This one runs everywhere: it finds such lines in the sources. Whoever adds one names here the test that reaches it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEVICES = {"cuda", "cpu", "mps"}
ASKING = {"cuda", "mps", "is_cuda", "nccl"}  # attributes
PASSING = {"pin_memory", "pinned", "non_blocking"}  # keywords

STEP, DATA = "test_a_captured_step_is_the_step", "test_batches_are_the_same_wherever_the_data_lie"
FAMILIES = "test_every_family_trains_and_its_weights_say_the_same_on_a_cpu"
MEMORY, AUTO = "test_an_end_of_memory_says_which_batch_fits", "test_auto_is_the_gpu_in_bfloat16"
STACKED = "test_models_of_the_size_of_mnist_are_stacked"
REACHED = {
    "comparison/durations.py: seconds_a_step": "test_how_long_it_will_take_is_measured_on_the_device",
    "models/single/rbm.py: RBM.annealed": "test_log_z_is_annealed_on_the_device",
    "nets/frames.py: _slow_to": FAMILIES,
    "nets/text.py: may_look": "test_sentences_are_not_looked_at_on_a_gpu",
    "training/ahead.py: Ahead._fill": DATA,
    "training/ahead.py: read": DATA,
    "training/device.py: _there": AUTO,
    "training/device.py: found": AUTO,
    "training/device.py: peak_memory": "test_peak_memory_is_the_devices",
    "training/device.py: precision": AUTO,
    "training/estimate.py: measure": "test_how_long_it_will_take_is_measured_on_the_device",
    "training/feed.py: Feed.__init__": DATA,
    "training/feed.py: Feed._known": FAMILIES,
    "training/feed.py: Feed._own": DATA,
    "training/feed.py: Feed._read": DATA,
    "training/feed.py: Feed._reading": DATA,
    "training/feed.py: Feed.batch": DATA,
    "training/feed.py: _placed": DATA,
    "training/feed.py: _room": DATA,
    "training/graphs.py: _never_waiting": "test_a_step_that_waits_for_the_device_is_taken_eagerly",
    "training/graphs.py: cuda_graph": STEP,
    "training/memory.py: advised": MEMORY,
    "training/memory.py: free_bytes": MEMORY,
    "training/ranks/group.py: Ranks.answered": "test_one_rank_of_nccl_trains_as_none_does",
    "training/ranks/group.py: Ranks.join": "test_one_rank_of_nccl_trains_as_none_does",
    "training/session.py: _described": FAMILIES,
    "training/stacked/engine.py: Stack._make": STACKED,
    "training/stacked/trial.py: _measured": STACKED,
}


def functions(tree: ast.AST, name: str = "") -> Iterator[tuple[str, ast.AST]]:
    """The functions of a module by their qualified names; what lies outside of them is the module's own."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            inner = f"{name}.{node.name}".lstrip(".")
            if isinstance(node, ast.FunctionDef):
                yield inner, node
            else:
                yield from functions(node, inner)


def asks(node: ast.AST) -> bool:
    """Whether an expression asks for a device, or says how something gets there."""
    if isinstance(node, ast.Attribute):
        return node.attr in ASKING
    if isinstance(node, ast.keyword):
        return node.arg in PASSING
    if isinstance(node, ast.Compare):
        return any(isinstance(each, ast.Constant) and each.value in DEVICES for each in [node.left, *node.comparators])
    return False


def found() -> set[str]:
    places = set()
    for path in sorted((ROOT / "vaecore").rglob("*.py")):
        if path.parent.name == "cli":  # where runs are pinned
            continue
        for name, function in functions(ast.parse(path.read_text(encoding="utf-8"))):
            if any(map(asks, ast.walk(function))):
                places.add(f"{path.relative_to(ROOT / 'vaecore').as_posix()}: {name}")
    return places


def test_every_branch_is_reached_by_a_test_that_is_there() -> None:
    assert found() == REACHED.keys()
    tests = {name for path in Path(__file__).parent.glob("test_*.py")
             for name, _ in functions(ast.parse(path.read_text(encoding="utf-8")))}
    assert set(REACHED.values()) <= tests


def test_what_asks_for_a_device_is_found() -> None:
    for line in ("x.is_cuda", "x.device.type == 'cuda'", "torch.cuda.synchronize()", "torch.empty(3, pin_memory=True)"):
        [(_, function)] = functions(ast.parse(f"def f(x):\n    return {line}"))
        assert any(map(asks, ast.walk(function)))
