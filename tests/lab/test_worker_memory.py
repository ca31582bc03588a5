"""What a training process does with memory that it frees."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

CHILD = """
import resource, sys
import numpy as np
from vaecore.lab.worker import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()
for step in range(6):
    if step == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    arrays = [np.ones(size, dtype=np.float32) for size in (10_000_000, 400_000, 10_000_000)]
    del arrays
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_memory_freed_in_a_step_is_there_for_the_next() -> None:
    """Five steps of 82 MB are 100,000 pages that would be asked for anew (fewer where pages are huge)."""
    def faults(how: str) -> int:
        child = subprocess.run([sys.executable, "-c", CHILD, how], capture_output=True, text=True, check=True)
        return int(child.stdout)

    kept, given_back = faults("kept"), faults("given back")
    assert kept < 50 < given_back
