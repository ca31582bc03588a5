"""What a latent map takes: UMAP of 10,000 codes beside umap-learn called bare, principal components beside numpy's SVD.

    python benchmarks/maps.py            # or `make bench`; some minutes
    python benchmarks/maps.py --quick    # 2,000 codes, nothing kept

Both are called in turns in one process, so that the machine's other work falls on all alike; what counts is the ratio.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from vaecore.explore.maps import principal  # noqa: E402
from vaecore.explore.maps.neighbourhoods import project  # noqa: E402

CODES, SIZE, CLUSTERS = 10_000, 32, 10
TARGETS = {"umap_ratio": 1.3}


def codes(count: int) -> np.ndarray:
    """Codes in clusters, as those of digits are."""
    draws = np.random.default_rng(0)
    centres = draws.normal(size=(CLUSTERS, SIZE))
    return (centres[draws.integers(CLUSTERS, size=count)] + draws.normal(scale=0.6, size=(count, SIZE))
            ).astype(np.float32)


def bare(x: np.ndarray) -> np.ndarray:
    """umap-learn as a notebook calls it, with the same settings."""
    import umap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: np.ndarray = umap.UMAP(n_neighbors=15, min_dist=0.1, random_state=0, n_jobs=1).fit_transform(x)
    return found


def seconds(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Each call in turns, forth and back."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds):
        for name in list(calls)[::1 if number % 2 == 0 else -1]:
            begin = time.process_time()  # other processes of a busy machine do not count
            calls[name]()
            taken[name].append(time.process_time() - begin)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    x = codes(2_000 if quick else CODES)
    told: list[tuple[int, int]] = []
    same = np.array_equal(project(x[:500]), bare(x[:500]))  # compiles what numba compiles, and compares
    umap = seconds({"ours": lambda: project(x, progress=lambda done, of: told.append((done, of))),
                    "bare": lambda: bare(x)}, 1 if quick else 2)
    pca = seconds({"ours": lambda: principal(x),
                   "numpy": lambda: np.linalg.svd(x.astype(float) - x.mean(0, dtype=float), full_matrices=False)}, 5)
    best = {f"umap_{name}_s": round(min(values), 2) for name, values in umap.items()}
    best |= {f"pca_{name}_ms": round(1000 * statistics.median(values), 1) for name, values in pca.items()}
    found = {"date": str(datetime.date.today()), "machine": platform.machine(), "codes": len(x), "size": SIZE,
             "same_points": same, "told": len(told), **best,
             "umap_ratio": round(best["umap_ours_s"] / best["umap_bare_s"], 3), "targets": TARGETS}
    print(json.dumps(found, indent=1))
    if not quick:
        (RESULTS / "maps.json").write_text(json.dumps(found, indent=1) + "\n")
    sys.exit(found["umap_ratio"] > TARGETS["umap_ratio"])


if __name__ == "__main__":
    main()
