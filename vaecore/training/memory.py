"""What a step needs of memory, and which batch would fit where there is none.

A step holds what the backward pass will read, which grows with the batch, and what it does not depend on: parameters,
gradients, moments, data. The former is counted, not tried, on two small batches: a try could take the machine down.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from vaecore.data.rows import free_memory
from vaecore.errors import OutOfMemory
from vaecore.words import size

if TYPE_CHECKING:
    from vaecore.training.course import Course

COUNTED = 2, 4  # observations of the batches on which it is counted
BACKWARD = 2.0  # what a step holds at most, in terms of what it keeps for the backward pass: its gradients besides


def advised(error: BaseException, course: Course) -> OutOfMemory:
    """What to say of a step that found no memory: which batch would fit. What the error holds is freed."""
    batch, where = course.training.batch_size, course.device.type
    traceback.clear_frames(error.__traceback__)  # they hold the tensors of the step
    for optimizer in course.trainer.optimizers.values():
        optimizer.zero_grad(set_to_none=True)
    if where == "cuda":
        torch.cuda.empty_cache()
    smaller = "Fork it with a smaller model."
    try:
        each = per_observation(course) / course.processes
    except (MemoryError, RuntimeError):  # not even so much
        return OutOfMemory(f"Out of memory on the {where}: not even {COUNTED[1]} observations fit. {smaller}")
    free = free_bytes(course.device)
    told = (f"Out of memory on the {where}: training.batch_size={batch} needs about {size(batch * each)} a step, "
            f"{size(free)} are free.")
    fitting = batch // 2
    while fitting and fitting * each > free:
        fitting //= 2
    if not fitting:
        return OutOfMemory(f"{told} {smaller}")
    fits = f"training.batch_size={fitting}"
    return OutOfMemory(f"{told} {fitting} would fit: fork it with {fits}, or close other programs and press Resume.",
                       (fits,))


def per_observation(course: Course) -> float:
    """Bytes that a step of a course holds for each observation of its batch, at most."""
    few, more = (_kept(course, count) for count in COUNTED)
    return max(1.0, BACKWARD * (more - few) / (COUNTED[1] - COUNTED[0]))


def _kept(course: Course, count: int) -> int:
    """Bytes that are kept for the backward pass of a batch, besides the model's own."""
    model, found = course.model, dict[int, int]()
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    generator = torch.Generator(course.device).manual_seed(0)
    batch = course.feed.batch(torch.arange(min(count, len(course.feed)), device=course.feed.home), generator)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), course.trainer.precision:
        model.objective(batch, generator)
    return sum(found.values())


def free_bytes(device: torch.device) -> int:
    """Bytes that a step may still take on a device; of the machine, no more than this process may have."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    found = [free_memory()]
    try:
        import resource
    except ImportError:  # Windows
        return found[0]
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        try:
            taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            found.append(max(0, limit - taken))
        except OSError:  # macOS
            pass
    return min(found)
