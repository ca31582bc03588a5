"""Arrays by what they hold, as functions say what they take and give."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Floats = NDArray[np.float32]  # as data is stored and networks read it
Labels = NDArray[np.int64]  # classes, -1 where one is missing
