"""Adaptive shrinkage against the definition, and on changes that are known."""

import numpy as np
import pytest
from scipy.stats import norm, t
from statediff import shrinkage
from statediff.shrinkage import SCALES, shrink


def draw(rng, share, n=5000):
    """Changes of a share of n cells, and estimates of them with errors of different size."""
    changed = rng.uniform(size=n) < share
    true = np.where(changed, rng.normal(0, 1.5, size=n), 0.0)
    errors = rng.uniform(0.1, 0.6, size=n)
    return true, true + errors * rng.normal(size=n), errors


def test_posterior_mean_by_integration(monkeypatch):
    """With two scales, against the integral over their mixture, of which EM finds the halves."""
    monkeypatch.setattr(shrinkage, "SCALES", np.array([0.0, 1.5]))
    monkeypatch.setattr(shrinkage, "NULL_CELLS", 0.0)
    rng = np.random.default_rng(0)
    _, estimates, errors = draw(rng, 0.5, n=40_000)
    found = shrink(estimates, errors)
    for estimate, error, mean in zip(estimates[:5], errors, found, strict=False):
        x = np.linspace(-10.0, 10.0, 20_001)
        wide = norm.pdf(estimate, x, error) * norm.pdf(x, 0.0, 1.5)
        mass = np.trapezoid(wide, x) + norm.pdf(estimate, 0.0, error)
        assert mean == pytest.approx(np.trapezoid(wide * x, x) / mass, rel=0.05)


def test_closer_to_the_truth_whatever_share_changes():
    rng = np.random.default_rng(1)
    for share in (0.0, 0.05, 0.3, 1.0):
        true, estimates, errors = draw(rng, share)
        found = shrink(estimates, errors)
        assert np.mean((found - true) ** 2) < 0.9 * np.mean((estimates - true) ** 2)
        assert (np.sign(found) * np.sign(estimates) >= 0).all()
        assert (np.abs(found) <= np.abs(estimates)).all()
        if share == 0:
            assert found.std() < 0.02


def test_large_and_certain_estimates_stay():
    rng = np.random.default_rng(2)
    _, estimates, errors = draw(rng, 0.1)
    estimates[:3], errors[:3] = [4.0, -4.0, 3.0], 0.1
    np.testing.assert_allclose(shrink(estimates, errors)[:3], estimates[:3], rtol=0.02)


def test_unknown_and_few():
    estimates, errors = np.array([0.0, 2.0, 0.1]), np.array([np.inf, 0.3, 0.3])
    found = shrink(estimates, errors)
    assert found[0] == 0
    assert np.isfinite(found).all()
    # Three cells against the ten without a change that are assumed.
    assert 0.5 < found[1] < 2.0
    assert found[2] < 0.02
    # In blocks, and learnt from some of the cells.
    many = np.tile([0.0, 2.0], 120_000)
    found = shrink(many, np.full(240_000, 0.2))
    np.testing.assert_allclose(found[:2], found[-2:])
    assert found[1] > 1.9


def test_t_distribution_widens_the_errors():
    rng = np.random.default_rng(3)
    errors = np.full(4000, 0.3)
    estimates = errors * t.rvs(4, size=4000, random_state=rng)
    assert shrink(estimates, errors, 4).std() < 0.1 * shrink(estimates, errors).std()
    widened = shrinkage._normal_errors(estimates, errors, 4)
    np.testing.assert_allclose(
        norm.sf(np.abs(estimates) / widened), t.sf(np.abs(estimates) / errors, 4), rtol=1e-2
    )
    # However small the p-value is, and at infinite degrees of freedom the same.
    far = shrinkage._normal_errors(np.array([0.0, 50.0, 1e9]), np.ones(3), 1e4)
    assert np.isfinite(far).all()
    assert (far >= 1).all()
    np.testing.assert_array_equal(shrinkage._normal_errors(estimates, errors, np.inf), errors)


def test_scales_cover_the_changes_of_cells():
    """From 5 % to e⁶-fold, each at most 1.4 times the last."""
    assert SCALES[0] == 0
    assert SCALES[1] <= 0.05
    assert SCALES[-1] >= 6
    assert (SCALES[2:] / SCALES[1:-1]).max() < 1.4
