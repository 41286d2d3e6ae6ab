"""What a person asks for when many runs go side by side: checked before anything is loaded."""

from dataclasses import dataclass

from sculptor_app.core.requests.noise_recipe import NoiseRecipe
from sculptor_app.core.requests.request import RequestError, RunRequest

MOST_CELLS = 64


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a grid.

    Attributes:
        noise: what it starts from.
        form: as that of a `RunRequest`.
        material: as that of a `RunRequest`.
    """

    noise: NoiseRecipe
    form: str | None = None
    material: str | None = None


@dataclass(frozen=True, slots=True)
class GridRequest:
    """Runs that differ in noise and labels and are alike in all else.

    Attributes:
        cells: 1..MOST_CELLS of them.
        steps, sampler, guidance, device, model: as those of a `RunRequest`, for all of them.

    Raises:
        RequestError: when a value is outside what is allowed.
    """

    cells: tuple[Cell, ...]
    steps: int = 20
    sampler: str = "ddim"
    guidance: float = 2.0
    device: str = "auto"
    model: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.cells) <= MOST_CELLS:
            raise RequestError(f"The grid has {len(self.cells)} cells; choose 1 to {MOST_CELLS}.")
        for cell in self.cells:
            self.single(cell)

    def single(self, cell: Cell) -> RunRequest:
        """The request of one of its runs; of a noise that is not one seed's it has the first seed."""
        return RunRequest(
            form=cell.form, material=cell.material, seed=cell.noise.seed, steps=self.steps, sampler=self.sampler,
            guidance=self.guidance, device=self.device, model=self.model,
        )  # fmt: skip
