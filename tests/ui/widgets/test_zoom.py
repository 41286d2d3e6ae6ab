"""The arithmetic of zooming."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.ui.widgets.picture_view import FIT, STEPS, View, fit_scale, looks_better_smooth, scale_of, stepped


@pytest.mark.parametrize(
    ("size", "room", "expected"),
    [
        ((64, 64), (512, 512), 8),
        ((64, 64), (500, 700), 500 / 64),
        ((512, 512), (256, 256), 0.5),
        ((64, 32), (64, 64), 1),
    ],
)
def test_fit(size: tuple[int, int], room: tuple[int, int], expected: float) -> None:
    assert fit_scale(*size, *room) == pytest.approx(expected)


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="0 x 4"):
        fit_scale(0, 4, 10, 10)


@pytest.mark.parametrize(
    ("scale", "steps", "fit", "expected"),
    [
        (7.8, 1, 7.8, 8),
        (7.8, 2, 7.8, 10),
        (8, 1, 7.8, 10),
        (10, -1, 7.8, 8),
        (8, -1, 7.8, None),
        (7.8, -1, 7.8, None),
        (0.5, 1, 0.5, 1),
        (1, -1, 0.5, None),
        (64, 1, 7.8, 64),
    ],
)
def test_steps(scale: float, steps: int, fit: float, expected: int | None) -> None:
    assert stepped(scale, steps, fit) == expected


@pytest.mark.parametrize(
    ("scale", "expected"), [(0.5, True), (1, False), (2.6, True), (3, False), (4.9, True), (7.8, False)]
)
def test_smoothing_only_where_pixels_would_look_uneven(scale: float, expected: bool) -> None:
    assert looks_better_smooth(scale) is expected


@given(st.floats(0.05, 40), st.integers(1, 20))
def test_in_and_out_again_comes_back_to_fit(fit: float, steps: int) -> None:
    scale: float | None = fit
    for _ in range(steps):
        inner = stepped(scale, 1, fit)
        scale = fit if inner is None else inner
    assert scale in STEPS or fit >= STEPS[-1]
    assert stepped(scale, -len(STEPS), fit) is None


@given(st.floats(1.01, 30), st.floats(0.05, 40))
def test_a_zoomed_view_has_whole_pixels_in_every_widget(magnification: float, fit: float) -> None:
    scale = scale_of(View(magnification), fit)
    assert scale == int(scale) >= 1
    assert scale_of(FIT, fit) == fit
