import dense
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from statediff import DataWarning
from statediff.abundance import differential_abundance
from statediff.basis import build_basis
from statediff.density import fit_density, fractal_dimension, log_ball_volume
from statediff.neighbours import length_scale, nearest_distances


@pytest.fixture(scope="module")
def states():
    rng = np.random.default_rng(0)
    return np.vstack([rng.normal(size=(110, 2)), rng.normal([3, 0], 0.3, size=(60, 2))])


@pytest.mark.parametrize("ls", [None, 1.5], ids=["rule", "short"])
def test_density_and_both_variances_against_the_dense_algebra(states, ls):
    rng = np.random.default_rng(1)
    everywhere = np.vstack([states, rng.uniform(-2, 4, size=(20, 2))])
    volumes = log_ball_volume(nearest_distances(states), fractal_dimension(states))
    mean = np.percentile(-volumes, 1) - 10
    scale = ls or length_scale(nearest_distances(states), 10.0)
    wanted = dense.density_mode(states, volumes, mean, scale)
    rates = np.exp(wanted + volumes)
    for uncertainty, variance in (
        ("full", dense.density_variance),
        ("diagonal", dense.density_variance_diagonal),
    ):
        density = fit_density(states, ls=ls, uncertainty=uncertainty, tol=1e-11)
        assert density.mean == pytest.approx(mean)
        assert density.basis.ls == pytest.approx(scale)
        phi = density.basis(everywhere)
        found = density(phi[: len(states)]) + np.log(len(states))
        np.testing.assert_allclose(found, wanted, atol=1e-4)
        np.testing.assert_allclose(
            density.variance(phi), variance(states, everywhere, rates, scale), rtol=2e-3
        )


def test_diagonal_variance_depends_on_the_order_and_full_does_not(states):
    for uncertainty, same in (("full", True), ("diagonal", False)):
        first = fit_density(states, ls=1.5, uncertainty=uncertainty)
        second = fit_density(states[::-1], ls=1.5, uncertainty=uncertainty)
        a, b = (d.variance(d.basis(states)) for d in (first, second))
        assert np.allclose(a, b, rtol=1e-5) == same


def test_density_recovers_a_known_ratio():
    """Cells on a line, four times as many per length on one side: distances differ by 4."""
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.uniform(0, 1, 800), rng.uniform(1, 2, 200)])
    density = fit_density(x[:, None], ls=0.5)
    inside = density(density.basis(np.array([[0.4], [1.6]])))
    assert inside[0] - inside[1] == pytest.approx(density.dimension * np.log(4), abs=0.25)


def test_a_given_basis_has_the_best_constant_as_its_prior_mean(states):
    density = fit_density(states, basis=build_basis(states, (0.7, 1.5, 3.0)))
    volumes = log_ball_volume(nearest_distances(states), density.dimension)

    def negative_log_likelihood(mean):
        return np.exp(mean + volumes).sum() - (mean + volumes).sum()

    best = minimize_scalar(negative_log_likelihood, bracket=(-5, 5), tol=1e-10).x
    assert density.mean == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("amplitude", [1.0, 4.0])
def test_density_by_a_given_basis_against_the_dense_algebra(states, monkeypatch, amplitude):
    monkeypatch.setattr("statediff.density.AMPLITUDES", (amplitude,))
    monkeypatch.setattr("statediff.density.START", amplitude)
    monkeypatch.setattr("statediff.density.LEAST", 1e-9)
    density = fit_density(states, basis=build_basis(states, 1.5, tol=1e-11))
    assert density.amplitude == amplitude
    volumes = log_ball_volume(nearest_distances(states), density.dimension)
    kernel = amplitude**2 * dense.matern52(states, states, 1.5) + 1e-9 * np.eye(len(states))
    phi = density.basis(states)
    log_density = density(phi) + np.log(len(states))
    rates = np.exp(log_density + volumes)
    # At the mode, f − μ = K (gradient of the log likelihood).
    np.testing.assert_allclose(kernel @ (1 - rates), log_density - density.mean, atol=1e-4)
    covariance = kernel - kernel @ np.linalg.solve(kernel + np.diag(1 / rates), kernel)
    np.testing.assert_allclose(density.variance(phi), np.diag(covariance), rtol=2e-3)


def test_functions_left_out_change_the_density_little(states, monkeypatch):
    basis = build_basis(states, (0.7, 1.5, 3.0), tol=1e-6)
    some = fit_density(states, basis=basis)
    assert len(some.weights) < basis.rank / 2
    monkeypatch.setattr("statediff.density.LEAST", 0.0)
    whole, phi = fit_density(states, basis=basis), basis(states)
    assert whole.amplitude == some.amplitude
    np.testing.assert_allclose(some(phi), whole(phi), atol=0.15)
    np.testing.assert_allclose(some.variance(phi), whole.variance(phi), rtol=0.1)


def test_the_amplitude_of_a_density_is_that_of_its_variation():
    rng = np.random.default_rng(7)
    flat = rng.uniform(size=(400, 2))
    peaks = np.vstack(
        [rng.normal(0.2, 0.01, (200, 2)), flat[:100], rng.normal(0.8, 0.01, (100, 2))]
    )
    found = [fit_density(x, basis=build_basis(x, 0.2)).amplitude for x in (flat, peaks)]
    assert found[0] < 1.0 < found[1]


def test_a_given_basis_recovers_a_known_density():
    """A normal distribution: the log density is a parabola, up to a constant."""
    x = np.random.default_rng(8).normal(size=(1500, 1))
    density = fit_density(x, basis=build_basis(x, (0.5, 1.0, 2.0), tol=1e-4))
    at = np.linspace(-1.8, 1.8, 13)
    found = density(density.basis(at[:, None])) / density.dimension
    error = found - norm.logpdf(at)
    np.testing.assert_allclose(error - error.mean(), 0, atol=0.3)


def test_given_distances_are_used(states):
    doubled = fit_density(states, distances=2 * nearest_distances(states))
    assert doubled.basis.ls == pytest.approx(2 * fit_density(states).basis.ls)


def test_a_given_distance_of_zero_gets_the_smallest_positive_one(states):
    distances = nearest_distances(states)
    distances[3] = 0.0
    with pytest.warns(DataWarning, match="1 of 170 cells share"):
        density = fit_density(states, distances=distances)
    assert np.isfinite(density(density.basis(states))).all()


@pytest.mark.parametrize("d", [1, 2, 3])
def test_fractal_dimension_grows_with_that_of_the_cells(d):
    # Ten neighbours see much of their own edge: the estimate is known to be low.
    x = np.random.default_rng(2).uniform(size=(600, d)) @ np.eye(d, 5)
    assert 0.6 * d < fractal_dimension(x) < 1.1 * d


def test_fractal_dimension_by_hand():
    """All pairs among each cell's nearest cells, a straight line through the log counts."""
    x = np.random.default_rng(5).normal(size=(40, 3))
    slopes = []
    for cell in x:
        near = x[np.argsort(np.linalg.norm(x - cell, axis=1))[:10]]
        pairs = sorted(np.linalg.norm(a - b) for i, a in enumerate(near) for b in near[:i])
        slopes.append(np.polyfit(np.log(pairs), np.log(np.arange(1, 46)), 1)[0])
    assert fractal_dimension(x) == pytest.approx(np.mean(slopes))


def test_duplicated_cells_work():
    x = np.random.default_rng(6).normal(size=(60, 2))
    with pytest.warns(DataWarning, match="share their state"):
        density = fit_density(np.vstack([x, x[:20]]))
    assert np.isfinite(density(density.basis(x))).all()


def test_unknown_uncertainty_is_refused(states):
    with pytest.raises(ValueError, match="'half'"):
        fit_density(states, uncertainty="half")


def test_ball_volume():
    # A disc, and a ball of three dimensions.
    np.testing.assert_allclose(np.exp(log_ball_volume(np.array([2.0]), 2.0)), 4 * np.pi)
    np.testing.assert_allclose(np.exp(log_ball_volume(np.array([1.0]), 3.0)), 4 / 3 * np.pi)


def test_differential_abundance_by_definition():
    a, b = np.array([0.0, 0.0, 1.0, 0.0]), np.array([2.0, 2.0, -1.0, 0.5])
    variance = np.array([1.0, 9.0, 0.25, 1e-4])
    result = differential_abundance(a, b, variance, lfc_threshold=1.0, ptp_threshold=0.05)
    np.testing.assert_allclose(result["lfc"], b - a)
    z = (b - a) / np.sqrt(variance + 1e-12)
    np.testing.assert_allclose(result["lfc_zscore"], z)
    np.testing.assert_allclose(10 ** -result["neg_log10_lfc_ptp"], norm.sf(np.abs(z)))
    # Sure and large; too uncertain; sure and negative; sure but too small.
    assert result["lfc_direction"].tolist() == [2, 1, 0, 1]


def test_two_sided_tail_probability_is_twice_the_one_sided():
    a, b, variance = np.zeros(2), np.array([1.7, 3.0]), np.ones(2)
    one, two = (differential_abundance(a, b, variance, sides=sides) for sides in (1, 2))
    ratio = 10 ** (one["neg_log10_lfc_ptp"] - two["neg_log10_lfc_ptp"])
    np.testing.assert_allclose(ratio, 2)
    # 1.7 standard deviations are enough on one side only.
    assert one["lfc_direction"].tolist() == [2, 2]
    assert two["lfc_direction"].tolist() == [1, 2]


def test_tail_probability_of_a_huge_z_is_finite():
    result = differential_abundance(np.zeros(1), np.array([500.0]), np.ones(1))
    assert np.isfinite(result["neg_log10_lfc_ptp"]).all()
