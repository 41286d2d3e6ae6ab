"""A watch over the gradients: one that is far larger than usual can undo a whole run, and is not followed."""

from __future__ import annotations

import math

from sculptor_app.training.errors import Diverged

SPIKE = 4.0
"""A gradient so many times as long as usual is not followed."""
MOST_REFUSED = 40
"""So many in a row mean that the run has come apart; the weights before them are better."""
FOLLOWS = 0.02
"""How fast the usual length follows the lengths seen."""


class GradientGuard:
    """Remembers how long gradients usually are.

    Attributes:
        usual: Length of a usual gradient; 0 before the first.
        refused: Gradients refused in a row.
    """

    def __init__(self) -> None:
        self.usual, self.refused = 0.0, 0

    def is_usual(self, norm: float) -> bool:
        """Whether a gradient of this length may be followed; it is counted.

        Raises:
            Diverged: Too many in a row may not.
        """
        if self.usual == 0.0 and math.isfinite(norm):
            self.usual = norm
        if norm <= SPIKE * self.usual:
            self.usual += FOLLOWS * (norm - self.usual)
            self.refused = 0
            return True
        self.refused += 1
        if self.refused == MOST_REFUSED:
            raise Diverged(f"{MOST_REFUSED} gradients in a row were more than {SPIKE:g} times as long as usual.")
        return False
