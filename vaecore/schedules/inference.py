"""How encoder and decoder take turns: together, or the encoder aggressively first (He et al. 2019, Algorithm 1).

While a run is aggressive, each training step is a number of encoder updates on fresh minibatches, the decoder held
still, and then one decoder update, the encoder held still. `Turns` says whose turn it is; all it knows is in its
`state`, so a run can be stopped between two encoder updates and go on with the same bits.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vaecore.schema import Strict, option


class Together(Strict):
    """Encoder and decoder are updated at once, with one gradient."""

    kind: Literal["together"] = "together"


class Aggressive(Strict):
    """The encoder is trained until it has caught up, before each update of the decoder; later both together.

    It ends when the mutual information on the validation set has fallen below its best so often as `patience` says,
    looked at at every evaluation and never counted back: 1 is the paper's rule for text, 5 its rule for images.
    """

    kind: Literal["aggressive"] = "aggressive"
    most: int = option(99, "Encoder updates before a decoder update, at most.", unit="updates", ge=1, le=10_000)
    window: int = option(15, "Encoder updates whose mean loss is compared with that of as many before; at the first "
                         "increase the decoder's turn comes. The paper's code has 15 for text and 10 for images.",
                         unit="updates", ge=1, le=10_000)
    patience: int = option(5, "Evaluations with mutual information below its best after which training goes on "
                           "plainly.", unit="evaluations", ge=1, le=10_000)


InferenceChoice = Annotated[Together | Aggressive, Field(discriminator="kind")]
