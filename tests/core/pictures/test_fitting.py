"""Pictures for a model: the middle of them, at exactly its size."""

import numpy as np
import pytest

from sculptor_app.core.pictures.fitting import fit_square


def ramp(height: int, width: int) -> np.ndarray:
    """Red grows from left to right, green from top to bottom, blue is flat."""
    across, down = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    return np.stack([across, down, np.full_like(across, 0.25)]).astype(np.float32)


def test_a_picture_of_the_size_is_left_as_it_is():
    picture = ramp(16, 16)
    assert fit_square(picture, 16) is picture


@pytest.mark.parametrize(("height", "width"), [(64, 64), (48, 96), (96, 48), (8, 8), (2, 300)])
def test_the_middle_is_kept_and_the_colours_with_it(height: int, width: int):
    fitted = fit_square(ramp(height, width), 16)
    assert fitted.shape == (3, 16, 16)
    assert fitted.dtype == np.float32
    assert abs(fitted).max() <= 1
    np.testing.assert_allclose(fitted[2], 0.25, atol=1e-5)
    np.testing.assert_allclose(fitted[:2].mean(axis=(1, 2)), 0, atol=0.02)  # as much on either side is cut off
    side = min(height, width)
    assert fitted[0, 0, -1] == pytest.approx(side / width, abs=0.12)  # how far from the middle the square's edge is


def test_nothing_leaves_the_scale_where_a_sharp_edge_overshoots():
    checks = np.where(np.indices((40, 40)).sum(axis=0) // 5 % 2, 1.0, -1.0).astype(np.float32)
    assert abs(fit_square(np.stack([checks] * 3), 33)).max() <= 1
