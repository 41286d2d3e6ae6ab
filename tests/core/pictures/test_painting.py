"""Painting on a step: what strokes make of guess and state; what is erased is the run's own to the last bit."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.pictures.painting import (
    REACH,
    Ground,
    frame_to_copy,
    painted_frame,
    painted_state,
    stroke_mask,
    with_stroke,
)
from sculptor_app.core.requests.painting import PaintedFrame, Painting, PaintStroke, StrokeKind, kinds_on
from sculptor_app.core.requests.request import RequestError
from sculptor_app.core.trajectory.levels import UNKNOWN
from tests.helpers.runs import made_run

SIZE, STEPS, K = 32, 10, 6
GUESS, STATE = PaintedFrame.GUESS, PaintedFrame.STATE
COLOUR, SHIFT, NOISE, ERASE, COPY = StrokeKind
RUN = made_run(steps=STEPS, size=SIZE)
EVERYWHERE = ((0.0, 0.0), (1.0, 1.0))


def noise_of(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(RUN.shape).astype(np.float32)


def stroke(kind: StrokeKind, *points: tuple[float, float], **values: Any) -> PaintStroke:
    given = {"colour": "#c04030"} if kind is COLOUR else {"shift": (1.0, -0.5, 2.0)} if kind is SHIFT else {}
    return PaintStroke(kind, points or ((0.5, 0.5),), **(given | values))


def state_after(frame: PaintedFrame, *strokes: PaintStroke, copied: Any = ()) -> np.ndarray:
    return painted_state(Ground.of(RUN, K), Painting(frame, strokes, copied), noise_of)


def test_a_painted_guess_determines_the_state_as_the_noise_stays() -> None:
    """x' = a x0' + s e, with the e of the run's own state and guess."""
    ground = Ground.of(RUN, K)
    painting = Painting(GUESS, (stroke(COLOUR, (0.3, 0.3), (0.6, 0.5), radius=0.2),))
    guess = painted_frame(ground, painting, noise_of)
    a, s = RUN.levels[K].signal, RUN.levels[K].noise
    own_noise = (RUN.state(K).astype(np.float64) - a * RUN.guess(K)) / s
    made = painted_state(ground, painting, noise_of)
    np.testing.assert_allclose(made, a * guess + s * own_noise, atol=1e-6)
    assert np.abs(made - RUN.state(K)).max() > 0.1


def test_colour_is_there_in_the_middle_of_a_stroke_and_nothing_beyond_its_reach() -> None:
    guess = painted_frame(Ground.of(RUN, K), Painting(GUESS, (stroke(COLOUR, radius=0.1),)), noise_of)
    middle = guess[:, SIZE // 2, SIZE // 2]
    np.testing.assert_allclose(middle, np.array([0xC0, 0x40, 0x30]) / 127.5 - 1, atol=0.1)
    away = np.hypot(*np.meshgrid((np.arange(SIZE) + 0.5) / SIZE - 0.5, (np.arange(SIZE) + 0.5) / SIZE - 0.5))
    np.testing.assert_array_equal(guess[:, away > REACH * 0.1], RUN.guess(K)[:, away > REACH * 0.1])


def test_half_the_strength_goes_half_the_way() -> None:
    box = {"points": EVERYWHERE, "is_box": True}
    whole, half = (
        painted_frame(Ground.of(RUN, K), Painting(GUESS, (PaintStroke(COLOUR, colour="#ffffff", strength=s, **box),)),
                      noise_of)
        for s in (1.0, 0.5)
    )  # fmt: skip
    np.testing.assert_allclose(whole, 1)
    np.testing.assert_allclose(half, (1 + RUN.guess(K).astype(np.float64)) / 2)


def test_a_shift_is_in_standard_deviations_of_the_noise() -> None:
    made = state_after(STATE, PaintStroke(SHIFT, EVERYWHERE, shift=(1.0, -2.0, 0.5), is_box=True))
    change = (made - RUN.state(K)).mean((1, 2)) / RUN.levels[K].noise
    np.testing.assert_allclose(change, (1.0, -2.0, 0.5), atol=1e-5)


def test_other_noise_takes_the_place_of_the_states_own() -> None:
    made = state_after(STATE, PaintStroke(NOISE, EVERYWHERE, seed=3, is_box=True))
    level = RUN.levels[K]
    np.testing.assert_allclose(made, level.signal * RUN.guess(K) + level.noise * noise_of(3), atol=1e-6)
    half = state_after(STATE, PaintStroke(NOISE, EVERYWHERE, seed=3, is_box=True, strength=0.5))
    left = (half - level.signal * RUN.guess(K)) / level.noise
    assert left.std() == pytest.approx(1, abs=0.03)  # of two noises in these shares: noise again


def test_a_part_of_another_run_is_copied_whole() -> None:
    other = made_run(steps=STEPS, size=SIZE)
    picture = np.flip(other.guess(K), 2).copy()
    box = PaintStroke(COPY, ((0.25, 0.5), (0.5, 1.0)), is_box=True)
    made = painted_frame(Ground.of(RUN, K), Painting(GUESS, (box,), (picture,)), noise_of)
    np.testing.assert_array_equal(made[:, 16:, 8:16], picture[:, 16:, 8:16])
    np.testing.assert_array_equal(made[:, :16], RUN.guess(K)[:, :16])
    dot = PaintStroke(COPY, ((0.5, 0.5),), radius=0.2)
    made = painted_frame(Ground.of(RUN, K), Painting(GUESS, (dot,), (picture,)), noise_of)
    np.testing.assert_array_equal(made[:, 14:18, 14:18], picture[:, 14:18, 14:18])


points = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=4).map(tuple)


@st.composite
def strokes_on(draw: st.DrawFn, frame: PaintedFrame) -> PaintStroke:
    kind = draw(st.sampled_from([each for each in kinds_on(frame) if each not in (ERASE, COPY)]))
    return stroke(kind, *draw(points), radius=draw(st.floats(0.02, 0.5)), strength=draw(st.floats(0.1, 1)))


@given(st.data(), st.sampled_from(list(PaintedFrame)))
def test_what_is_erased_everywhere_is_the_runs_own_to_the_last_bit(data: st.DataObject, frame: PaintedFrame) -> None:
    strokes = data.draw(st.lists(strokes_on(frame), min_size=1, max_size=3))
    made = state_after(frame, *strokes, PaintStroke(ERASE, EVERYWHERE, is_box=True))
    np.testing.assert_array_equal(made, RUN.state(K))


@given(st.data(), st.sampled_from(list(PaintedFrame)), points)
def test_the_brush_that_erases_gives_back_whole_what_is_under_it(
    data: st.DataObject, frame: PaintedFrame, places: tuple[tuple[float, float], ...]
) -> None:
    first, erasing = data.draw(strokes_on(frame)), PaintStroke(ERASE, places, radius=0.2)
    made, painted = state_after(frame, first, erasing), state_after(frame, first)
    mask = stroke_mask(erasing, SIZE, SIZE)
    np.testing.assert_array_equal(made[:, mask == 1], RUN.state(K)[:, mask == 1])
    np.testing.assert_array_equal(made[:, mask == 0], painted[:, mask == 0])


@given(points, st.floats(0.02, 0.5), st.sampled_from([(24, 40), (40, 24), (17, 17)]))
def test_the_mask_is_that_of_distances_measured_pixel_by_pixel(places: Any, radius: float, shape: Any) -> None:
    height, width = shape
    mask = stroke_mask(PaintStroke(SHIFT, places, radius), height, width)
    y, x = (np.indices(shape) + 0.5) / width
    ends = np.array(places) * (1, height / width)
    nearest = np.full(shape, np.inf)
    for start, end in zip(ends, [*ends[1:], ends[-1]], strict=True):
        along = end - start
        length = float(along @ along)
        share = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length, 0, 1) if length else 0.0
        nearest = np.minimum(nearest, np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1]))
    expected = np.exp(-((nearest / radius) ** 2))
    np.testing.assert_allclose(mask, np.where(expected < 1 / 256, 0, expected), atol=0.004)
    inner = nearest < 2.3 * radius
    np.testing.assert_allclose(mask[inner], expected[inner], rtol=1e-6)


def test_what_a_frame_cannot_have_is_refused_in_a_sentence() -> None:
    def refused(run: Any, painting: Painting, k: int = K) -> str:
        with pytest.raises(RequestError) as caught:
            painted_state(Ground.of(run, k), painting, noise_of)
        return str(caught.value)

    red, shift = Painting(GUESS, (stroke(COLOUR),)), Painting(STATE, (stroke(SHIFT),))
    latents = made_run(steps=STEPS, size=SIZE, channels=4, space="latents")
    assert "no red, green and blue" in refused(latents, red)
    assert "no red, green and blue" in refused(latents, shift)
    unknown = made_run(steps=STEPS, size=SIZE, guesses=False)
    assert "No exact guess is known at this step; paint on the noisy state" in refused(unknown, red)
    assert "No exact noise is known" in refused(unknown, Painting(STATE, (stroke(NOISE),)))
    assert "choose 1 to 10" in refused(RUN, red, 0)
    copy = Painting(GUESS, (stroke(COPY),))
    assert "not known any more; paint it anew" in refused(RUN, copy)
    assert "another size" in refused(RUN, replace(copy, copied=(np.zeros((3, 8, 8), np.float32),)))
    lost = made_run(steps=STEPS, size=SIZE)
    lost._set_levels([UNKNOWN] * (STEPS + 1))
    assert "The noise levels of this run are not known" in refused(lost, red)


def test_what_can_be_copied_is_of_the_same_level() -> None:
    other, longer = made_run(steps=STEPS, size=SIZE, fresh_noise=True), made_run(steps=2 * STEPS, size=SIZE)
    np.testing.assert_array_equal(frame_to_copy(RUN, K, other, GUESS), other.guess(K))
    np.testing.assert_array_equal(frame_to_copy(RUN, K, other, STATE), other.state(K))
    near = min(range(1, 21), key=lambda j: abs(np.log(longer.levels[j].snr / RUN.levels[K].snr) if j < 20 else 99))
    assert near in (2 * K, 2 * K + 1)
    np.testing.assert_array_equal(frame_to_copy(RUN, K, longer, GUESS), longer.guess(near))
    with pytest.raises(RequestError, match="another size"):
        frame_to_copy(RUN, K, made_run(steps=STEPS, size=16), GUESS)
    with pytest.raises(RequestError, match="no guess at this step"):
        frame_to_copy(RUN, K, made_run(steps=STEPS, size=SIZE, guesses=False), GUESS)
    with pytest.raises(RequestError, match="no state at this noise level"):
        frame_to_copy(RUN, K, made_run(steps=STEPS, size=SIZE, taken=3), STATE)


def test_latents_take_other_noise_and_are_erased() -> None:
    latents = made_run(steps=STEPS, size=SIZE, channels=4, space="latents")
    noise = np.random.default_rng(1).standard_normal(latents.shape).astype(np.float32)
    ground, values = Ground.of(latents, K), latents.state(K).astype(np.float64)
    other = with_stroke(values, ground, STATE, stroke(NOISE, radius=0.3), None, lambda _: noise)
    assert np.abs(other - values).max() > 0.1
    erased = with_stroke(other, ground, STATE, PaintStroke(ERASE, EVERYWHERE, is_box=True), None, lambda _: noise)
    np.testing.assert_array_equal(erased, values)
