"""Weighted diffusion components against the diffusion itself on a small graph."""

import numpy as np
import pytest
from statediff.diffusion import scaled_components


@pytest.fixture(scope="module")
def walk():
    """Transition matrix of a lazy random walk along 14 cells, with shortcuts; it is symmetric."""
    rng = np.random.default_rng(0)
    weights = np.diag(np.ones(13), 1) + 0.2 * np.triu(rng.uniform(size=(14, 14)) < 0.2, 1)
    weights = weights + weights.T
    rates = weights / weights.sum(axis=1).max()
    return 0.5 * np.eye(14) + 0.5 * (np.eye(14) - np.diag(rates.sum(axis=1)) + rates)


def squared_distances(x):
    return ((x[:, None] - x[None]) ** 2).sum(axis=2)


def summed_diffusion_distances(walk):
    """Σ over t = ½, 1, 1½, … of n Σ_z (Pᵗ(x, z) − Pᵗ(y, z))² = n (e_x − e_y)' P²ᵗ (e_x − e_y)."""
    total, power = np.zeros_like(walk), np.eye(len(walk))
    for _ in range(20_000):
        power = power @ walk
        total += power
    diagonal = np.diag(total)
    return len(walk) * (diagonal[:, None] + diagonal[None] - 2 * total)


def test_distances_are_diffusion_distances_summed_over_time(walk):
    np.testing.assert_allclose(walk.sum(axis=1), 1)
    eigenvalues, vectors = np.linalg.eigh(walk)
    assert eigenvalues[-2] < 0.999
    states = scaled_components(vectors, eigenvalues)
    # All but the constant one, whose eigenvalue is 1.
    assert states.shape == (14, 13)
    np.testing.assert_allclose(
        squared_distances(states), summed_diffusion_distances(walk), rtol=1e-6
    )


def test_scale_sign_and_origin_of_components_do_not_matter(walk):
    eigenvalues, vectors = np.linalg.eigh(walk)
    rng = np.random.default_rng(1)
    factors = rng.uniform(0.1, 100, 14) * rng.choice([-1, 1], 14)
    moved = vectors * factors + rng.uniform(-0.1, 0.1, 14)
    wanted = squared_distances(scaled_components(vectors, eigenvalues))
    found = squared_distances(scaled_components(moved, eigenvalues))
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_variances_of_components():
    components = np.random.default_rng(2).normal(size=(50, 5)) * [1, 9, 1, 1, 1]
    states = scaled_components(components, [1.0, 0.9, 0.5, 0.0, -0.3])
    # What separates disconnected parts counts much, but not without limit.
    np.testing.assert_allclose(states.var(axis=0), [9999, 9, 1])
    np.testing.assert_allclose(states.mean(axis=0), 0, atol=1e-12)


def test_later_components_count_less(walk):
    """Results hardly depend on how many components there are."""
    eigenvalues, vectors = np.linalg.eigh(walk)
    whole = squared_distances(scaled_components(vectors, eigenvalues))
    some = squared_distances(scaled_components(vectors[:, -8:], eigenvalues[-8:]))
    assert np.corrcoef(whole.ravel(), some.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("value", [1.0, -250.0])
def test_components_that_are_constant_but_for_rounding_are_left_out(value):
    rng = np.random.default_rng(3)
    components = rng.normal(size=(50, 2))
    components[:, 0] = value * (1 + 1e-9 * components[:, 0])
    states = scaled_components(components.astype(np.float32), [1.0, 0.5])
    assert states.shape == (50, 1)
