"""When an estimate of mutual information can no longer be told from its ceiling. No torch: files tell enough."""

from __future__ import annotations

import math
from typing import Literal

NEAR_CEILING = 0.25  # nats under the logarithm of the observations from which an estimate says "or more"

# What a number of KL(q(z) || p(z)) is: found, or only a bound, where mutual information has reached its ceiling and
# the number is the rate less that ceiling.
Bound = Literal["estimate", "at most"]


def saturated(information: float, observations: float) -> bool:
    """Whether mutual information in nats, estimated among so many observations, may be more than the estimate."""
    return information > math.log(max(1.0, observations)) - NEAR_CEILING
