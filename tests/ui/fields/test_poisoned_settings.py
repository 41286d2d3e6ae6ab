"""Whatever is remembered is checked against the model at hand: nothing remembered can lock anybody out."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QByteArray, QSettings
from PySide6.QtWidgets import QComboBox, QWidget
from pytestqt.qtbot import QtBot

from sculptor_app.core.requests.parameter import ModelParameter, ParameterKind
from sculptor_app.core.requests.request import FIRST_GUIDANCE, FIRST_SAMPLER, FORMS, MATERIALS
from sculptor_app.session.engine import OpenedModel
from sculptor_app.ui.carve.controls import Controls
from sculptor_app.ui.fields.parameter_fields import ConditionField
from sculptor_app.ui.fields.remembered_settings import KEY
from sculptor_app.ui.why.controls import ExperimentControls
from sculptor_app.ui.why.experiments import Experiment, arrange
from tests.helpers.window import Driver

LABELS = (
    ModelParameter("form", "Form", ParameterKind.CHOICE, choices=FORMS, field="form"),
    ModelParameter("material", "Material", ParameterKind.CHOICE, choices=MATERIALS, field="material"),
)
BUST = {"choices": {"form": "bust", "material": "bronze", "sampler": "ddim"}, "texts": {"steps": "20"}}


def opened(model: str, *parameters: ModelParameter) -> OpenedModel:
    return OpenedModel(model, "a model", "some kind", parameters, (), ("ddim",))


def controls_of(qtbot: QtBot, model: str, settings: QSettings) -> Controls:
    controls = Controls(model)
    qtbot.addWidget(controls)
    controls.restore(settings)
    return controls


@pytest.mark.parametrize("is_poisoned", [False, True])
def test_a_model_without_forms_is_never_asked_for_one(qtbot: QtBot, settings: QSettings, is_poisoned: bool) -> None:
    """Started or closed before it is open, opened again, or remembered by an earlier version with a form."""
    if is_poisoned:
        settings.setValue(KEY, json.dumps([["/model", BUST]]))
    for _ in range(2):
        controls = controls_of(qtbot, "/model", settings)
        request = controls.request()
        assert request is not None
        assert (request.form, request.material) == (None, None)
        controls.save(settings)  # closed before the model was open
        controls.set_model(opened("/model"))
        request = controls.request()
        assert request is not None
        assert (request.form, request.material) == (None, None)


def test_labels_come_with_the_model_that_knows_them(qtbot: QtBot, settings: QSettings) -> None:
    controls = controls_of(qtbot, "/model", settings)
    controls.set_model(opened("/model", *LABELS))
    assert (controls.fields().form, controls.fields().material) == ("bust", "bronze")
    controls.form.setCurrentIndex(0)
    controls.save(settings)
    again = controls_of(qtbot, "/model", settings)
    again.save(settings)  # before it is open: what was remembered stays
    again.set_model(opened("/model", *LABELS))
    assert (again.fields().form, again.fields().material) == (None, "bronze")


def items(box: QComboBox) -> list[object]:
    return [box.itemData(row) for row in range(box.count())]


def test_a_field_offers_only_what_its_model_takes(qtbot: QtBot, settings: QSettings) -> None:
    """As a model that was learned on the page Learn knows two forms and no material."""
    two = ModelParameter("form", "Form", ParameterKind.CHOICE, choices=("vase", "column"), field="form")
    controls = controls_of(qtbot, "/model", settings)
    controls.set_model(opened("/model", *LABELS))
    controls.set_model(opened("/learned", two))
    assert items(controls.form) == [None, "vase", "column"]
    assert (controls.form.isHidden(), controls.material.isHidden(), controls.guidance.isHidden()) == (False, True, True)
    request = controls.request()
    assert request is not None
    assert (request.form, request.material) == (None, None)  # no bust, which was chosen for the model before
    assert controls.labelled("vase", "marble") == replace(request, form="vase")
    assert controls.labelled("bust", "marble") == request
    controls.set_model(opened("/model", *LABELS))
    assert items(controls.form) == [None, *FORMS]
    assert controls.fields().form == "bust"


def test_an_experiment_offers_only_what_its_model_takes(qtbot: QtBot) -> None:
    controls = ExperimentControls(Experiment.LABELS)
    qtbot.addWidget(controls)
    controls.labels.setCurrentIndex(controls.labels.findData("both"))
    controls.set_labels(("vase", "column"), ())
    assert items(controls.labels) == ["forms"]
    assert items(controls.form) == [None, "vase", "column"]
    assert not controls.material.isEnabled()
    assert controls.guidance.isEnabled()
    choices = controls.choices()
    assert choices is not None
    assert [cell.form for cell in arrange(choices, ("vase", "column"), ()).cells] == ["vase", "column"]
    controls.set_labels((), ())
    assert not controls.guidance.isEnabled()
    assert controls.choices() is not None


@pytest.mark.parametrize("kind", list(ParameterKind))
def test_a_field_takes_no_remembered_value_that_it_cannot_have(qtbot: QtBot, kind: ParameterKind) -> None:
    for value in ("x", [1], {"a": 1}, None, 10**400, -1, True, float("inf")):
        field = ConditionField(ModelParameter("eta", "Eta", kind, choices=("a", "b"), low=0, high=1))
        qtbot.addWidget(field)
        field.recall(value)
        assert field.problem == "", value


KEYS = (
    "window/geometry", "request/seed", "request/device", "models/told", "models/recent", "models/folder",
    "choices/theme", "choices/kinds", "choices/speed", "drown/steps", "drown/seed", "drown/layers", "drown/size",
    "drown/folder", "why/experiment", "why/kind", "why/noises/seed", "why/noises/form", "why/noises/steps",
    "why/paint/brush", "why/paint/reach", "why/paint/strokes", "learn/preset", "learn/size", "learn/pictures",
    "learn/total", "learn/folder", "learn/splitter", "learn/noise", "learn/kind", "files/folder",
    "latents/decoders", "window/layout", "gif/options", "gif/grid_options",
)  # fmt: skip


@pytest.mark.parametrize(
    "value", ["²", "9" * 5000, "[[[", '{"a": [null]}', QByteArray(b"\x00\xff" * 40), "a\0b", "~nouser/x", -1]
)
def test_the_window_opens_and_starts_whatever_is_remembered(
    open_window: Callable[..., Driver], settings: QSettings, tiny_model: Path, value: object
) -> None:
    for key in {*KEYS, *settings.allKeys()}:
        settings.setValue(key, value)
    driver = open_window()
    window = driver.window
    for entry in reversed(window.bench.pages.entries):  # Carve comes last
        window.bench.pages.show(entry.key)
    window.bench.menus.files.folder()
    driver.type_into(window.panels.controls.seed, "7")
    for field in (window.panels.controls.steps, window.panels.controls.guidance):
        assert isinstance(field, QWidget)
        driver.type_into(field, "2")
    assert window.panels.controls.request() is not None


def test_the_embedded_model_begins_with_what_was_measured_best_and_others_do_not(qtbot: QtBot) -> None:
    for model, expected in ((None, (FIRST_SAMPLER, f"{FIRST_GUIDANCE:g}")), ("x", ("ddim", "2.0"))):
        controls = Controls(model)
        qtbot.addWidget(controls)
        assert (controls.sampler.currentData(), controls.guidance.text()) == expected
