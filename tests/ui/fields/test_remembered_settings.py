"""What each model was told last is remembered."""

import pytest
from PySide6.QtCore import QSettings

from sculptor_app.ui.fields.remembered_settings import KEY, MOST_MODELS, ModelSettings, RememberedSettings

BUST = ModelSettings(
    {"form": "bust", "material": None}, {"steps": "20"}, {"prompt": "a bust", "eta": 0.5, "clip": True, "x": None}
)


def test_what_is_kept_comes_back_in_another_session(settings: QSettings) -> None:
    first, second = RememberedSettings(), RememberedSettings()
    first.keep(None, ModelSettings(texts={"steps": "12"}))
    first.keep("/models/one", BUST)
    first.save(settings)
    second.restore(settings)
    assert second.of("/models/one") == BUST
    assert second.of(None).texts == {"steps": "12"}
    assert second.of("/models/two") == ModelSettings()


def test_the_models_told_last_are_kept() -> None:
    told = RememberedSettings()
    for number in range(MOST_MODELS + 3):
        told.keep(str(number), ModelSettings(texts={"steps": str(number)}))
        told.keep("0", BUST)
    assert told.of("0") == BUST
    assert told.of("3") == ModelSettings()
    assert told.of(str(MOST_MODELS + 2)).texts


def test_a_model_with_endless_words_does_not_fill_the_settings(settings: QSettings) -> None:
    told, again = RememberedSettings(), RememberedSettings()
    told.keep("a", ModelSettings(options={"prompt": "x" * 10**6}))
    told.keep("b", BUST)
    told.save(settings)
    again.restore(settings)
    assert (again.of("a"), again.of("b")) == (ModelSettings(), BUST)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "{}",
        "[1]",
        '[["a", 5]]',
        '[["a", {"texts": 3}]]',
        "[[7, {}]]",
        '[["a", {"what": {}}]]',
        "[" * 5000,
    ],
)
def test_settings_that_cannot_be_read_are_forgotten(settings: QSettings, text: str) -> None:
    settings.setValue(KEY, text)
    told = RememberedSettings()
    told.restore(settings)
    assert told.of("a") == ModelSettings()
