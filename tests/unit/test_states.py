"""Diffusion maps of cells that coincide, or that fall apart."""

import warnings

import numpy as np
import pytest
from statediff import DataWarning, InputError
from statediff.states import diffusion_maps, distinct

HOW = {"n_components": 5, "knn": 15, "seed": 0, "metric": "euclidean", "option": "x"}


@pytest.fixture
def coordinates():
    t = np.random.default_rng(0).uniform(size=240)
    noise = np.random.default_rng(1).normal(size=(240, 6)) / 20
    return np.column_stack([np.cos(3 * t), np.sin(3 * t), t, 0 * t, 0 * t, 0 * t]) + noise


def test_distinct_cells_keep_their_order():
    values = np.array([[2.0, 0.0], [1.0, -0.0], [2.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    found, cells = distinct(values)
    np.testing.assert_array_equal(found, values[[0, 1, 4]])
    np.testing.assert_array_equal(cells, [0, 1, 0, 1, 2])


@pytest.mark.parametrize("count", [30, 120])
def test_identical_cells_have_identical_states(coordinates, count):
    copies = np.r_[np.arange(240), np.zeros(count, dtype=int)]
    states, values = diffusion_maps(coordinates[copies], **HOW)
    assert len(np.unique(states, axis=0)) == 240
    alone, _ = diffusion_maps(coordinates, **HOW)
    np.testing.assert_allclose(states, alone[copies])
    assert (values > 0).all()


def test_a_file_joined_with_itself(coordinates):
    states, _ = diffusion_maps(np.vstack([coordinates, coordinates]), **HOW)
    np.testing.assert_array_equal(states[:240], states[240:])


def test_too_few_cells_that_differ(coordinates):
    same = np.repeat(coordinates[:10], 20, axis=0)
    with pytest.raises(InputError, match=r"x\.knn: found 15, .* the 10 cells that differ, of 200"):
        diffusion_maps(same, **HOW)


def test_groups_without_a_link_are_reported(coordinates):
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        diffusion_maps(coordinates, **HOW)
    coordinates[:50] += 1e4
    coordinates[50:80] -= 1e4
    message = r"3 groups without a link between them \(of 160, 50, 30 cells\).* than 15 .*x\.knn"
    with pytest.warns(DataWarning, match=message):
        diffusion_maps(coordinates, **HOW)
