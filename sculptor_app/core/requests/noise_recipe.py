"""How a noise comes about, as plain settings: of a seed, on the way to another seed, painted on by hand."""

from dataclasses import dataclass

from sculptor_app.core.requests.request import MAX_SEED, RequestError

Point = tuple[float, float]
"""A place of a picture: across and down, 0..1 each."""

MOST_SHIFT = 8.0
"""Standard deviations by which one stroke may shift the noise; its eye sees no more than black or white beyond 3."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """One movement of the brush over a noise.

    Attributes:
        points: where the brush went, at least one place.
        radius: of the brush, as a share of the picture's width; its edge is soft, a Gaussian's.
        shift: what is added to red, green and blue under the brush, in standard deviations of the noise.
        seed: the brush puts the noise of this seed in place of what is there, instead of shifting it.

    Raises:
        RequestError: when a value is outside what is allowed.
    """

    points: tuple[Point, ...]
    radius: float
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    seed: int | None = None

    def __post_init__(self) -> None:
        if not self.points:
            raise RequestError("A stroke goes over no place; give at least one point.")
        if not 0 < self.radius <= 1:
            raise RequestError(f"The brush has the radius {self.radius}; choose more than 0, up to 1.")
        for value in self.shift:
            if not -MOST_SHIFT <= value <= MOST_SHIFT:
                raise RequestError(f"A stroke shifts the noise by {value}; choose {-MOST_SHIFT:g} to {MOST_SHIFT:g}.")
        if self.seed is not None:
            _check_seed(self.seed)


@dataclass(frozen=True, slots=True)
class NoiseRecipe:
    """A noise.

    Attributes:
        seed: of the generator that draws it, as that of a `RunRequest`.
        towards: the seed of another noise that it is blended with; None for none.
        share: how far it has gone towards that one, 0..1.
        strokes: painted on it, in this order.
        stays_noise: whether what is painted is held to what noise can be like; see `painting.painted`.

    Raises:
        RequestError: when a value is outside what is allowed.
    """

    seed: int
    towards: int | None = None
    share: float = 0.0
    strokes: tuple[Stroke, ...] = ()
    stays_noise: bool = True

    def __post_init__(self) -> None:
        _check_seed(self.seed)
        if self.towards is not None:
            _check_seed(self.towards)
        if not 0 <= self.share <= 1:
            raise RequestError(f"The share of a blend is {self.share}; choose 0 to 1.")

    @property
    def is_of_one_seed(self) -> bool:
        """Whether it is the very noise of `seed`: a single run of that seed starts from it, too."""
        return not self.strokes and (self.towards is None or self.share == 0)

    @property
    def words(self) -> str:
        """What it is in plain English, for files: empty where the seed alone says it."""
        parts = []
        if self.towards is not None and self.share > 0:
            parts.append(f"noise {100 * self.share:.4g} % of the way from seed {self.seed} to seed {self.towards}")
        if self.strokes:
            count = len(self.strokes)
            parts.append(f"noise painted on with {count} stroke{'s' if count > 1 else ''}")
        return ", ".join(parts)


def _check_seed(seed: int) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        raise RequestError(f"The seed {seed!r} is no seed; choose a whole number from 0 to {MAX_SEED}.")
