"""Means and deviations that values are standardised by."""

import numpy as np
import pytest

from neuro2voc.standardisation import mean_and_scale


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_mean_and_scale_are_those_of_numpy_without_nan(kind):
    values = np.random.default_rng(0).normal(3, 2, (50, 4, 4)).astype(kind)
    values[:20, :, 0] = np.nan
    values[..., 1] = 0.1  # whose sum rounds
    values[..., 2] = np.nan
    mean, scale = mean_and_scale(values)
    flat = values.reshape(-1, 4).astype(float)[:, [0, 3]]
    np.testing.assert_allclose(mean[[0, 3]], np.nanmean(flat, axis=0))
    exact = 4 * np.finfo(kind).eps
    np.testing.assert_allclose(scale[[0, 3]], np.nanstd(flat, axis=0), rtol=exact)
    assert mean[1] == pytest.approx(0.1) and mean[2] == 0
    assert (scale[1:3] == 1).all() and np.isinf(mean_and_scale(values, np.inf)[1][1:3]).all()
    assert mean.dtype == scale.dtype == float


def test_whole_numbers_have_a_mean_between_them():
    mean, scale = mean_and_scale(np.array([[0], [1], [1]]))
    assert mean == pytest.approx(2 / 3) and scale == pytest.approx(2**0.5 / 3)
