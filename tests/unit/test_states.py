"""Diffusion maps of cells that coincide, or that fall apart."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import subspace_angles
from statediff import DataWarning, InputError, embedding
from statediff import states as states_module
from statediff.diffusion import affinity, leading_components
from statediff.nearest import nearest_among_many
from statediff.neighbours import nearest_of
from statediff.states import diffusion_maps, distinct
from threadpoolctl import threadpool_limits

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


def curve(n_cells, scale=1.0):
    """Cells on a branching curve in twelve dimensions."""
    rng = np.random.default_rng(2)
    t, branch = rng.uniform(size=n_cells), rng.integers(0, 3, n_cells)
    ways = rng.normal(size=(3, 12))
    after = np.maximum(t - 0.3, 0.0)[:, None]
    course = np.sin(2.0 * np.arange(1, 4) * t[:, None]) @ rng.normal(size=(3, 12))
    return scale * (course + 4.0 * after * ways[branch] + rng.normal(size=(n_cells, 12)) / 8)


def test_many_cells_have_the_states_that_palantir_gives_them():
    """More cells than Palantir searches for neighbours of exactly."""
    coordinates = curve(8300)
    _, wanted, wanted_values = states_module._by_palantir(coordinates, 10, 15, seed=0)
    found, values = diffusion_maps(coordinates, **HOW | {"n_components": 10})
    np.testing.assert_allclose(values, wanted_values, atol=1e-3)
    # The space of all components: those whose eigenvalues hardly differ mix.
    assert subspace_angles(found, wanted).max() < 0.1
    again, _ = diffusion_maps(coordinates, **HOW | {"n_components": 10})
    np.testing.assert_array_equal(again, found)


def signs(found, wanted):
    return np.sign((found * wanted).sum(axis=0))


def test_the_affinity_is_that_of_palantir():
    from palantir.utils import compute_kernel

    coordinates = curve(1000)
    found = affinity(*nearest_among_many(coordinates, 14), nearer=5)
    wanted = compute_kernel(pd.DataFrame(coordinates), knn=15)
    assert abs(found - wanted).max() < 1e-9


def test_components_are_eigenvectors_of_the_transitions():
    kernel = affinity(*nearest_among_many(curve(400), 14), nearer=5)
    dense = kernel.toarray()
    np.testing.assert_allclose(dense, dense.T)
    transitions = dense / dense.sum(axis=1, keepdims=True)
    components, eigenvalues = leading_components(kernel, 6, seed=0)
    np.testing.assert_allclose(transitions @ components, components * eigenvalues, atol=1e-6)
    values, vectors = np.linalg.eig(transitions)
    largest = np.argsort(values.real)[::-1][:6]
    np.testing.assert_allclose(eigenvalues, values.real[largest], atol=1e-9)
    wanted = vectors.real[:, largest]
    assert np.linalg.norm(components * signs(components, wanted) - wanted, axis=0).max() < 1e-4


@pytest.mark.parametrize("probed", [1, 20])
def test_nearly_all_neighbours_are_found(probed):
    """Also if too few lists are looked at in the beginning."""
    values = curve(12_000, scale=5.0) + 100.0
    found, distances = nearest_among_many(values, 15, probed=probed)
    exact = nearest_of(values, np.arange(600), 16)[:, 1:]
    shares = [np.isin(own, true).mean() for own, true in zip(found[:600], exact, strict=True)]
    assert np.mean(shares) > 0.985
    assert not (found == np.arange(12_000)[:, None]).any()
    wanted = np.linalg.norm(values[found[:600]] - values[:600, None], axis=2)
    np.testing.assert_allclose(distances[:600], wanted)
    assert (np.diff(distances, axis=1) >= 0).all()


def test_neighbours_of_cells_in_small_groups():
    """Fewer cells in the nearest clusters than neighbours to find."""
    values = np.repeat(np.arange(30.0), 20)[:, None] * 1e3 + np.random.default_rng(0).normal(
        size=(600, 1)
    )
    found, distances = nearest_among_many(values, 599)
    assert all(set(own) == set(range(600)) - {cell} for cell, own in enumerate(found))
    assert np.isfinite(distances).all()


@pytest.mark.parametrize("many", [10_000, 400])
def test_the_layout_of_many_cells_keeps_neighbours(monkeypatch, many):
    """With the neighbours of clusters, and with a start from the coordinates and fewer epochs."""
    from sklearn.manifold import trustworthiness

    for name, value in (("SEARCHED_EXACTLY", 300), ("EXACT", many), ("MANY", many)):
        monkeypatch.setattr(embedding, name, value)
    values = curve(600)
    found = embedding.umap(values, 15, seed=0)
    assert found.shape == (600, 2)
    assert trustworthiness(values, found, n_neighbors=15) > 0.95
    np.testing.assert_array_equal(embedding.umap(values, 15, seed=0), found)


def test_groups_far_apart_and_threads_change_no_neighbours():
    values = curve(3000)
    values[:700] += 1e5
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(nearest_among_many(values, 15))
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
    wanted = nearest_of(values - values.mean(axis=0), np.arange(3000), 16)
    assert np.mean([np.isin(a, b).mean() for a, b in zip(found[0][0], wanted, strict=True)]) > 0.99
    assert (found[0][0][:700] < 700).all()
    assert (found[0][0][700:] >= 700).all()
