"""From the controls to the grid that Start makes."""

from __future__ import annotations

from sculptor_app.core.requests.grid import GridRequest
from sculptor_app.core.requests.noise_recipe import Stroke
from sculptor_app.core.requests.request import FORMS, MATERIALS
from sculptor_app.ui.why.controls import ExperimentControls
from sculptor_app.ui.why.experiments import Arrangement, arrange


class Plan:
    """What all grids have in common: the model with its labels, and the device.

    Args:
        model: Folder of the model; None is the embedded one.
    """

    def __init__(self, model: str | None) -> None:
        self.model = model
        self.device = "auto"
        self._forms, self._materials = FORMS, MATERIALS

    @property
    def has_labels(self) -> bool:
        """Whether the model knows forms and materials."""
        return bool(self._forms and self._materials)

    def take_labels(self, forms: tuple[str, ...], materials: tuple[str, ...]) -> bool:
        """Note which labels the model has; whether they are others than before."""
        before = self._forms, self._materials
        self._forms = tuple(form for form in FORMS if form in forms)
        self._materials = tuple(material for material in MATERIALS if material in materials)
        return before != (self._forms, self._materials)

    def of(
        self, controls: ExperimentControls, strokes: tuple[Stroke, ...], stays_noise: bool
    ) -> tuple[Arrangement, GridRequest] | None:
        """The cells and the request for them; None while something is wrong in a field.

        Raises:
            RequestError: The fields are right one by one, but not together.
        """
        common, choices = controls.request(), controls.choices(strokes, stays_noise)
        if common is None or choices is None:
            return None
        arrangement = arrange(choices, self._forms, self._materials)
        cells, steps, sampler, guidance = arrangement.cells, common.steps, common.sampler, common.guidance
        return arrangement, GridRequest(cells, steps, sampler, guidance, self.device, self.model)
