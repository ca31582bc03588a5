"""Open a shipped checkpoint of digits and labels: draw digits of a label, and say which label a digit has."""

from __future__ import annotations

from pathlib import Path

import vaecore
from vaecore.explore.pictures import grid, png

STORE = Path(__file__).parents[1] / "trained"


def main(label: str = "7", count: int = 16, output: str = "sevens.png") -> float:
    """Draw `count` images given `label`; returns the share of test images whose label the model tells right."""
    checkpoint = vaecore.load("gallery/mvae", store=STORE)
    given = {"label": checkpoint.typed("label", label).value}
    drawn = checkpoint.generate(given, ["image"], count, seed=1)["image"]
    Path(output).write_bytes(png(grid(drawn.images, columns=8), scale=4))

    right = 0
    for index in range(checkpoint.count):
        image = {"image": checkpoint.sample("image", index)}
        told = checkpoint.generate(image, ["label"], count=1, temperature=0)["label"].classes[0]
        right += int(checkpoint.sample("label", index).argmax()) == told
    print(f"{count} images of {label} in {output}; {right} of {checkpoint.count} labels told right")
    return right / checkpoint.count


if __name__ == "__main__":
    main()
