"""Noise between two noises, on the arc between them, and painted noise: what a stroke does, and that it stays noise."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.pictures.start import Z_99, brush_mask, painted, power_bound, rings, slerp
from sculptor_app.core.requests.request import NoiseRecipe, RequestError, Stroke

SIZE = 32
WHITE = (2.0, 2.0, 2.0)
CORNER = Stroke(((0.25, 0.25),), 0.2, WHITE)


def noise(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((3, SIZE, SIZE)).astype(np.float32)


def paint(values: np.ndarray, *strokes: Stroke, stays_noise: bool = True) -> np.ndarray:
    others = [noise(stroke.seed) if stroke.seed is not None else values for stroke in strokes]
    return painted(values, strokes, others, stays_noise)


def ring_powers(values: np.ndarray) -> np.ndarray:
    """Mean power per ring along light and two axes of colour, (3, R), by another way than the code's: ring by ring."""
    r, g, b = values.astype(np.float64)
    planes = ((r + g + b) / 3**0.5, (r - g) / 2**0.5, (r + g - 2 * b) / 6**0.5)
    f = np.fft.fftfreq(SIZE) * SIZE
    distance = np.rint(np.sqrt(f[:, None] ** 2 + f[None] ** 2))
    rows = []
    for plane in planes:
        power = np.abs(np.fft.fft2(plane)) ** 2 / SIZE**2
        rows.append([power[distance == ring].mean() for ring in range(1, int(distance.max()) + 1)])
    return np.array(rows)


def test_no_stroke_changes_nothing() -> None:
    values = noise()
    assert painted(values, (), ()) is values


def test_the_mask_is_one_on_the_line_and_a_gaussian_beside_it() -> None:
    mask = brush_mask(Stroke(((0.25, 0.5), (0.75, 0.5)), 0.1), 200, 200)
    assert mask[99:101, 60:140].min() > 0.998
    assert mask[120, 100] == pytest.approx(np.exp(-(((120.5 - 100) / 20) ** 2)))
    assert mask[100, 20] == pytest.approx(np.exp(-(((50 - 20.5) ** 2 + 0.25) / 400)))  # from its end
    dot = brush_mask(Stroke(((0.5, 0.5),), 0.1), 200, 200)
    np.testing.assert_allclose(dot, dot.T)
    assert dot.max() > 0.998


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.05, 0.5), st.floats(-4, 4), st.booleans())
def test_mean_and_variance_are_those_of_noise(x: float, y: float, radius: float, shift: float, held: bool) -> None:
    result = paint(noise(), Stroke(((x, y),), radius, (shift, 0.0, -shift)), stays_noise=held)
    np.testing.assert_allclose(result.mean((1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(result.std((1, 2)), 1, atol=1e-5)
    assert result.dtype == np.float32


@given(st.integers(0, 500), st.floats(0.05, 0.5), st.floats(0.5, 8))
def test_every_ring_is_held_to_what_one_noise_in_a_hundred_has(seed: int, radius: float, shift: float) -> None:
    result = paint(noise(seed), Stroke(((0.3, 0.6), (0.5, 0.4)), radius, (shift, shift, -shift)))
    _, counts = rings(SIZE, SIZE)
    bound = power_bound(counts, Z_99)[1:]
    assert (ring_powers(result) <= 1.15 * bound).all()  # at 1,024 pixels a noise's own variance is 1 ± 0.04


def test_strokes_of_several_colours_are_held_together() -> None:
    strokes = [Stroke(((x, 0.3),), 0.3, shift) for x, shift in [(0.2, (3.0, 3.0, 3.0)), (0.8, (3.0, -3.0, 0.0))]]
    strokes.append(Stroke(((0.5, 0.9),), 0.3, (-2.0, -2.0, 4.0)))
    _, counts = rings(SIZE, SIZE)
    together = power_bound(3 * counts, Z_99)[1:]
    assert (ring_powers(paint(noise(), *strokes)).mean(0) <= 1.15 * together).all()
    assert (ring_powers(paint(noise(), *strokes, stays_noise=False)).mean(0) > 5 * together).any()


def test_unheld_strokes_leave_what_no_noise_has() -> None:
    assert ring_powers(paint(noise(), CORNER, stays_noise=False))[0, 0] > 20


def test_a_patch_of_light_lies_where_it_was_painted() -> None:
    held = paint(noise(), CORNER).mean(0)
    quarter = held[: SIZE // 2, : SIZE // 2].mean()
    assert quarter > 0.1
    assert quarter > 3 * abs(held.mean())
    before = noise().mean(0)
    assert quarter > before[: SIZE // 2, : SIZE // 2].mean() + 0.1
    dark = paint(noise(), Stroke(CORNER.points, CORNER.radius, (-2.0, -2.0, -2.0))).mean(0)
    assert dark[: SIZE // 2, : SIZE // 2].mean() < -0.1


def test_colour_goes_into_its_channel() -> None:
    red = paint(noise(), Stroke(((0.5, 0.5),), 0.2, (2.0, -1.0, -1.0)))
    middle = red[:, 10:22, 10:22].mean((1, 2))
    assert middle[0] > middle[1] + 0.2
    assert middle[0] > middle[2] + 0.2


def test_another_noise_takes_the_place_of_the_first_and_leaves_white_noise() -> None:
    values = noise(1)
    result = paint(values, Stroke(((0.25, 0.25),), 0.12, seed=2), stays_noise=False)
    centre = (slice(None), slice(7, 9), slice(7, 9))
    assert np.corrcoef(result[centre].ravel(), noise(2)[centre].ravel())[0, 1] > 0.95
    far = (slice(None), slice(24, None), slice(24, None))
    np.testing.assert_allclose(result[far], values[far], atol=0.2)
    _, counts = rings(SIZE, SIZE)
    assert (ring_powers(result) <= power_bound(counts, 4.0)[1:]).all()


def test_the_bound_is_the_chi_square_quantile() -> None:
    """Against the tables: 99 % of chi square with 8, 24 and 100 degrees is 20.090, 42.980 and 135.807."""
    bounds = power_bound(np.array([8.0, 24.0, 100.0]), Z_99)
    np.testing.assert_allclose(bounds, [20.090 / 8, 42.980 / 24, 135.807 / 100], rtol=0.01)


def test_rings_are_counted() -> None:
    ring, counts = rings(4, 4)
    assert ring.tolist() == [[0, 1, 2, 1], [1, 1, 2, 1], [2, 2, 3, 2], [1, 1, 2, 1]]
    assert counts.tolist() == [1, 8, 6, 1]


def test_what_no_brush_does_is_refused() -> None:
    with pytest.raises(RequestError, match="no place"):
        Stroke((), 0.1)
    with pytest.raises(RequestError, match="radius 0"):
        Stroke(((0.5, 0.5),), 0)
    with pytest.raises(RequestError, match="shifts the noise by 9"):
        Stroke(((0.5, 0.5),), 0.1, (9.0, 0.0, 0.0))
    with pytest.raises(RequestError, match="seed -1"):
        Stroke(((0.5, 0.5),), 0.1, seed=-1)


def test_a_recipe_says_in_words_what_no_seed_says() -> None:
    assert NoiseRecipe(7).words == ""
    assert NoiseRecipe(7, 8, 0.0).words == ""
    assert NoiseRecipe(7, 8, 0.25).words == "noise 25 % of the way from seed 7 to seed 8"
    assert NoiseRecipe(7, strokes=(CORNER,)).words == "noise painted on with 1 stroke"
    assert NoiseRecipe(7).is_of_one_seed
    assert not NoiseRecipe(7, 8, 0.25).is_of_one_seed
    assert not NoiseRecipe(7, strokes=(CORNER,)).is_of_one_seed
    with pytest.raises(RequestError, match="share of a blend is 2"):
        NoiseRecipe(7, 8, 2)
    with pytest.raises(RequestError, match="no seed"):
        NoiseRecipe(7, "8", 0.5)  # type: ignore[arg-type]


def noise_of(seed: int, size: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((3, size, size)).astype(np.float32)


def plane(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(1, 1, -1)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, (2, 0)), (1 / 3, (3**0.5, 1)), (0.5, (2**0.5, 2**0.5)), (2 / 3, (1, 3**0.5)), (1.0, (0, 2))],
)
def test_known_answers_on_a_quarter_of_a_circle(share: float, expected: tuple[float, float]) -> None:
    np.testing.assert_allclose(slerp(plane(2, 0), plane(0, 2), share).ravel(), expected, atol=1e-6)


def test_the_radius_goes_evenly_from_one_to_the_other() -> None:
    half = slerp(plane(1, 0), plane(0, 3), 0.5)
    np.testing.assert_allclose(half.ravel(), [2**0.5, 2**0.5], atol=1e-6)  # radius 2


@given(st.integers(0, 1000), st.integers(0, 1000), st.floats(0, 1))
def test_the_norm_is_kept_on_the_sphere(first: int, second: int, share: float) -> None:
    one, other = noise_of(first), noise_of(second)
    other *= np.linalg.norm(one) / np.linalg.norm(other)
    assert np.linalg.norm(slerp(one, other, share)) == pytest.approx(np.linalg.norm(one), rel=1e-5)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_both_ends_are_exact_copies(first: int, second: int) -> None:
    one, other = noise_of(first), noise_of(second)
    start, end = slerp(one, other, 0), slerp(one, other, 1)
    np.testing.assert_array_equal(start, one)
    np.testing.assert_array_equal(end, other)
    assert start is not one
    assert end is not other


def test_equal_noises_have_only_themselves_between_them() -> None:
    np.testing.assert_allclose(slerp(noise_of(1), noise_of(1), 0.3), noise_of(1), rtol=1e-6)
    np.testing.assert_allclose(slerp(noise_of(1), 3 * noise_of(1), 0.5), 2 * noise_of(1), rtol=1e-6)


def test_from_a_noise_to_its_opposite_one_way_is_gone() -> None:
    one = noise_of(4)
    radius = np.linalg.norm(one)
    way = [slerp(one, -one, share) for share in np.linspace(0, 1, 9)]
    steps = [np.linalg.norm(later - earlier) for earlier, later in itertools.pairwise(way)]
    np.testing.assert_allclose(steps, 2 * radius * np.sin(np.pi / 16), rtol=1e-4)  # chords of eighths of half a circle
    assert all(np.linalg.norm(each) == pytest.approx(radius, rel=1e-5) for each in way)


def test_what_cannot_be_blended_is_refused() -> None:
    with pytest.raises(ValueError, match=r"share of a blend is 1\.2"):
        slerp(noise_of(1), noise_of(2), 1.2)
    with pytest.raises(ValueError, match="shapes"):
        slerp(noise_of(1), noise_of(2, 4), 0.5)
    with pytest.raises(ValueError, match="zero everywhere"):
        slerp(np.zeros((3, 8, 8), np.float32), noise_of(2), 0.5)
    with pytest.raises(ValueError, match="opposite noises"):
        slerp(plane(1, 1), plane(-1, -1), 0.5)
