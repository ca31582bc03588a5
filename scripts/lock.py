"""Write `locks/`: every package that the requirements bring, at one version, with the SHA-256 of each of its files.

    make lock        after a line of requirements.txt or requirements-dev.txt has changed; uv asks the registry

What is installed is then what was locked, whichever mirror it comes from. What the tests want in more places than
the laboratory does stands in both. PyTorch stands apart: on Linux its usual build
brings CUDA's libraries, its build for CPUs none; `cuda.txt` is installed where they are wanted.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
OLDEST = "3.11"  # Python
CUDA = re.compile(r"nvidia-|cuda-|triton\b")
# Builds of the same release that are published elsewhere: PyTorch's own for CPUs.
ELSEWHERE = {"torch==2.13.0": {
    "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b": "2.13.0+cpu, CPython 3.11, Linux on x86-64"}}
HEAD = "# Written by `make lock`: {what}.\n"
Locked = dict[str, list[str]]  # the hashes by what they are of: name, version and where it is wanted


def resolved(file: str) -> Locked:
    """What a file of requirements brings, on every system and Python that the project runs on."""
    asked = [sys.executable, "-m", "uv", "pip", "compile", "--universal", "--python-version", OLDEST, "--no-header",
             "--generate-hashes", "--no-annotate", "--no-emit-index-url", "--quiet", file]
    text = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {first.strip(" \\"): re.findall(r"sha256:[0-9a-f]{64}", rest) for first, _, rest in (
        block.partition("\n") for block in re.split(r"\n(?=\S)", text.strip()))}


def pinned(asked: str) -> str:
    """Name and version, wherever that is wanted."""
    return asked.partition(";")[0].strip()


def written(file: str, what: str, locked: Locked) -> None:
    """Write one lock."""
    lines = [HEAD.format(what=what)]
    for asked, hashes in locked.items():
        more = ELSEWHERE.get(asked, {})
        lines += [f"# {asked.partition('==')[0]} {told} too\n" for told in more.values()]
        lines.append(" \\\n    ".join([asked, *(f"--hash={each}" for each in hashes), *(
            f"--hash=sha256:{each}" for each in more)]) + "\n")
    (ROOT / "locks" / file).write_text("".join(lines))


def main() -> None:
    (ROOT / "locks").mkdir(exist_ok=True)
    runtime, both = resolved("requirements.txt"), resolved("requirements-dev.txt")
    if differ := {pinned(asked) for asked in runtime} - {pinned(asked) for asked in both}:
        sys.exit(f"requirements-dev.txt brings other versions than requirements.txt: {', '.join(differ)}. Pin them.")
    parts: dict[str, Locked] = {"torch.txt": {}, "cuda.txt": {}, "runtime.txt": {}}
    for asked, hashes in runtime.items():
        file = "torch.txt" if asked.startswith("torch==") else "cuda.txt" if CUDA.match(asked) else "runtime.txt"
        parts[file][asked] = hashes
    written("runtime.txt", "what the laboratory needs, but PyTorch", parts["runtime.txt"])
    written("torch.txt", "PyTorch; installed without what it brings, which is in the other files", parts["torch.txt"])
    written("cuda.txt", "what PyTorch's usual build brings on Linux", parts["cuda.txt"])
    written("dev.txt", "what the tests need besides",
            {asked: hashes for asked, hashes in both.items() if asked not in runtime})


if __name__ == "__main__":
    main()
