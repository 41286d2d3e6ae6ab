"""What each model was told last is remembered."""

import pytest
from PySide6.QtCore import QSettings

from sculptor_app.ui.fields.remembered_settings import KEY, MOST_MODELS, Told, ToldModels

BUST = Told(
    {"form": "bust", "material": None}, {"steps": "20"}, {"prompt": "a bust", "eta": 0.5, "clip": True, "x": None}
)


def test_what_is_kept_comes_back_in_another_session(settings: QSettings) -> None:
    first, second = ToldModels(), ToldModels()
    first.keep(None, Told(texts={"steps": "12"}))
    first.keep("/models/one", BUST)
    first.save(settings)
    second.restore(settings)
    assert second.of("/models/one") == BUST
    assert second.of(None).texts == {"steps": "12"}
    assert second.of("/models/two") == Told()


def test_the_models_told_last_are_kept() -> None:
    told = ToldModels()
    for number in range(MOST_MODELS + 3):
        told.keep(str(number), Told(texts={"steps": str(number)}))
        told.keep("0", BUST)
    assert told.of("0") == BUST
    assert told.of("3") == Told()
    assert told.of(str(MOST_MODELS + 2)).texts


def test_a_model_with_endless_words_does_not_fill_the_settings(settings: QSettings) -> None:
    told, again = ToldModels(), ToldModels()
    told.keep("a", Told(options={"prompt": "x" * 10**6}))
    told.keep("b", BUST)
    told.save(settings)
    again.restore(settings)
    assert (again.of("a"), again.of("b")) == (Told(), BUST)


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
    told = ToldModels()
    told.restore(settings)
    assert told.of("a") == Told()
