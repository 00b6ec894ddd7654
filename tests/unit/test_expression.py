import dense
import numpy as np
import pytest
from scipy import sparse
from scipy.stats import chi2
from statediff.basis import build_basis, triangular_factor
from statediff.expression import (
    EPS,
    Posterior,
    cross_products,
    mahalanobis,
    neg_log10_ptp,
    whitener,
)


@pytest.fixture(scope="module", params=[1.0, 0.4], ids=["sigma 1", "sigma 0.4"])
def case(request):
    """Two conditions, cells of neither, and both the dense and the low-rank posteriors."""
    noise, ls = request.param, 5.0
    rng = np.random.default_rng(0)
    x = rng.normal(size=(170, 3))
    condition = rng.choice(3, size=170, p=[0.4, 0.45, 0.15])
    y = np.sin(x @ rng.normal(size=(3, 12))) + (condition == 1)[:, None] * np.cos(x[:, :1])
    y = sparse.csr_matrix(np.round(np.maximum(y + 0.3 * rng.normal(size=y.shape), 0), 2))
    members = [condition == 0, condition == 1]
    exact = [dense.GaussianProcess(x[m], y[m].toarray(), noise, ls) for m in members]
    basis = build_basis(x[members[0] | members[1]], ls, tol=1e-13, noise=noise)
    phi = basis(x)
    crosses = cross_products([(0, y[:50]), (50, y[50:51]), (51, y[51:])], phi, members)
    fits = [
        Posterior.fit(phi[m].T @ phi[m], cross, noise)
        for m, cross in zip(members, crosses, strict=True)
    ]
    return x, members, exact, phi, fits


def test_smoothed_expression(case):
    x, _, exact, phi, fits = case
    for gp, fit in zip(exact, fits, strict=True):
        np.testing.assert_allclose(phi @ fit.coefficients, gp.mean(x), atol=1e-6)


def test_posterior_variance_in_and_outside_of_the_data(case):
    x, _, exact, phi, fits = case
    for gp, fit in zip(exact, fits, strict=True):
        np.testing.assert_allclose(fit.variance(phi), np.diag(gp.covariance(x)), atol=1e-7)


def test_mahalanobis_distance(case):
    x, members, exact, phi, fits = case
    where = members[0] | members[1]
    whiten = whitener(triangular_factor(phi[where]), fits)
    found = mahalanobis(whiten, fits[1].coefficients - fits[0].coefficients)
    wanted = dense.mahalanobis(*exact, x[where], EPS)
    assert wanted.min() > 0.5
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_mahalanobis_distance_on_fewer_cells_than_functions(case):
    x, members, exact, phi, fits = case
    where = np.flatnonzero(members[0])[:6]
    whiten = whitener(triangular_factor(phi[where]), fits)
    found = mahalanobis(whiten, fits[1].coefficients - fits[0].coefficients)
    np.testing.assert_allclose(found, dense.mahalanobis(*exact, x[where], EPS), rtol=1e-4)


def test_no_difference_is_distance_zero(case):
    _, _, _, phi, fits = case
    whiten = whitener(triangular_factor(phi), fits)
    assert mahalanobis(whiten, np.zeros((phi.shape[1], 3))).tolist() == [0, 0, 0]


def test_blocks_must_cover_the_cells_in_order():
    y, phi, all_cells = sparse.eye(10, format="csr"), np.ones((10, 2)), [np.ones(10, dtype=bool)]
    with pytest.raises(ValueError, match="expected 4"):
        cross_products([(0, y[:4]), (5, y[5:])], phi, all_cells)
    with pytest.raises(ValueError, match="has 4 cells, the basis 10"):
        cross_products([(0, y[:4])], phi, all_cells)


@pytest.mark.parametrize("dimensions", [1, 2, 7, 20, 40])
def test_tail_probability_in_log_space(dimensions):
    d = np.array([0.0, 0.1, 1.0, 3.0, 10.0, 25.0])
    wanted = -chi2.logsf(d**2, dimensions) / np.log(10)
    np.testing.assert_allclose(neg_log10_ptp(d, dimensions), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dimensions", [1, 2, 40])
def test_tail_probability_far_beyond_what_scipy_can_represent(dimensions):
    # Q(a, x) is bracketed by x^(a-1) e^-x / Γ(a) and that times x / (x - a + 1).
    from scipy.special import gammaln

    a, x = dimensions / 2, 181.0**2 / 2
    first = (a - 1) * np.log(x) - x - gammaln(a)
    bounds = sorted([first, first + np.log(x / (x - a + 1))])
    found = -neg_log10_ptp(181.0, dimensions) * np.log(10)
    assert bounds[0] - 1e-6 <= found <= bounds[1] + 1e-6
