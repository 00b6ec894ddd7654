import dense
import numpy as np
import pytest
from scipy import sparse
from scipy.stats import chi2
from statediff import EPS
from statediff.basis import build_basis
from statediff.expression import (
    Posterior,
    cross_products,
    mahalanobis,
    neg_log10_ptp,
    replicate_deviations,
    triangular_factor,
    whitener,
)


@pytest.fixture(
    scope="module",
    params=[(1.0, False), (0.4, False), (1.0, True)],
    ids=["sigma 1", "sigma 0.4", "linear"],
)
def case(request):
    """Two conditions, cells of neither, and both the dense and the low-rank posteriors."""
    (noise, linear), ls = request.param, 5.0
    rng = np.random.default_rng(0)
    x = rng.normal(size=(170, 3))
    condition = rng.choice(3, size=170, p=[0.4, 0.45, 0.15])
    y = np.sin(x @ rng.normal(size=(3, 12))) + (condition == 1)[:, None] * np.cos(x[:, :1])
    y = sparse.csr_matrix(np.round(np.maximum(y + 0.3 * rng.normal(size=y.shape), 0), 2))
    members = [condition == 0, condition == 1]
    exact = [dense.GaussianProcess(x[m], y[m].toarray(), noise, ls, linear) for m in members]
    basis = build_basis(x[members[0] | members[1]], ls, tol=1e-13, noise=noise, linear=linear)
    phi = basis(x)
    crosses = cross_products([(0, y[:50]), (50, y[50:51]), (51, y[51:])], phi, members)
    fits = [Posterior.fit(phi[m].T @ phi[m], noise, basis.prior(x[m])) for m in members]
    weights = [fit.weights(cross) for fit, cross in zip(fits, crosses, strict=True)]
    return x, members, exact, basis, phi, fits, weights


def test_smoothed_expression(case):
    x, _, exact, _, phi, _, weights = case
    for gp, weight in zip(exact, weights, strict=True):
        np.testing.assert_allclose(phi @ weight, gp.mean(x), atol=1e-6)


def test_posterior_variance_in_and_outside_of_the_data(case):
    x, _, exact, basis, phi, fits, _ = case
    for gp, fit in zip(exact, fits, strict=True):
        found = fit.variance(phi, basis.unexplained(phi))
        np.testing.assert_allclose(found, np.diag(gp.covariance(x)), atol=1e-7)


@pytest.mark.parametrize("few", [False, True], ids=["all cells", "6 cells"])
@pytest.mark.parametrize("pooled", ["sum", "mean"])
def test_mahalanobis_distance(case, few, pooled):
    x, members, exact, _, phi, fits, weights = case
    where = np.flatnonzero(members[0] | members[1])[: 6 if few else None]
    whiten = whitener(triangular_factor(phi[where]), fits, pooled)
    found = mahalanobis(whiten, weights[1] - weights[0])
    wanted = dense.mahalanobis(*exact, x[where], EPS, halved=pooled == "mean")
    assert wanted.min() > 0.3
    np.testing.assert_allclose(found, wanted, rtol=2e-4)


@pytest.mark.parametrize("radius", [0.9, 2.0])
def test_mahalanobis_distance_in_a_group(case, radius):
    """Some cells, also of the third condition; the basis is built on these too."""
    x, members, _, built, _, fits, _ = case
    y, noise, linear = case_expression(x, members), fits[0].noise, built.centre is not None
    basis = build_basis(x, built.ls, tol=1e-13, noise=noise, linear=linear)
    phi = basis(x)
    group = np.linalg.norm(x, axis=1) < radius
    assert (group & ~members[0] & ~members[1]).any()
    fits = [Posterior.fit(phi[m].T @ phi[m], noise, basis.prior(x[m])) for m in members]
    weights = [fit.weights(phi[m].T @ y[m]) for fit, m in zip(fits, members, strict=True)]
    found = mahalanobis(whitener(triangular_factor(phi[group]), fits), weights[1] - weights[0])
    exact = [dense.GaussianProcess(x[m], y[m], noise, built.ls, linear) for m in members]
    np.testing.assert_allclose(found, dense.mahalanobis(*exact, x[group], EPS), rtol=1e-6)


def test_no_difference_is_distance_zero(case):
    _, _, _, _, phi, fits, _ = case
    whiten = whitener(triangular_factor(phi), fits)
    assert mahalanobis(whiten, np.zeros((phi.shape[1], 3))).tolist() == [0, 0, 0]


@pytest.mark.parametrize("one_sided", [False, True])
def test_mahalanobis_distance_with_replicates(case, one_sided):
    """The covariance of every gene written out, n × n."""
    x, members, exact, basis, phi, fits, _ = case
    y, noise, linear = case_expression(x, members), fits[0].noise, basis.centre is not None
    rng = np.random.default_rng(4)
    groups = [rng.integers(0, n, len(x)) for n in ((1, 2) if one_sided else (3, 2))]
    masks = [
        [member & (group == i) for i in range(group.max() + 1)]
        for member, group in zip(members, groups, strict=True)
    ]
    crosses = [[phi[m].T @ y[m] for m in group] for group in masks]
    priors = [basis.prior(x[m]) for m in members]
    between = replicate_deviations(phi, masks, crosses, priors, noise)
    where = members[0] | members[1]
    change = [phi[m].T @ y[m] for m in members]
    difference = fits[1].weights(change[1]) - fits[0].weights(change[0])
    whiten = whitener(triangular_factor(phi[where]), fits)
    found = mahalanobis(whiten, difference, between)

    spread = sum(gp.covariance(x[where]) for gp in exact) + EPS * np.eye(where.sum())
    means = [
        [
            dense.GaussianProcess(x[m], y[m], noise, basis.ls, linear, x[member]).mean(x[where])
            for m in group
        ]
        for group, member in zip(masks, members, strict=True)
    ]
    fold_change = phi[where] @ difference
    for gene in range(y.shape[1]):
        covariance = spread.copy()
        for group in means[1:] * 2 if one_sided else means:
            covariance += np.cov(np.array(group)[:, :, gene].T)
        d = fold_change[:, gene]
        assert found[gene] == pytest.approx(np.sqrt(d @ np.linalg.solve(covariance, d)), rel=1e-3)


def case_expression(x, members):
    rng = np.random.default_rng(5)
    y = np.sin(x @ rng.normal(size=(3, 6))) + members[1][:, None] * np.cos(x[:, :1])
    return y + 0.3 * rng.normal(size=y.shape)


def test_replicates_are_needed_in_one_condition_at_least(case):
    _, members, _, _, phi, _, _ = case
    crosses = [[np.zeros((phi.shape[1], 2))]] * 2
    with pytest.raises(ValueError, match="two replicates"):
        replicate_deviations(phi, [[m] for m in members], crosses, [np.eye(phi.shape[1])] * 2)


def test_unknown_pooling_is_refused(case):
    _, _, _, _, phi, fits, _ = case
    with pytest.raises(ValueError, match="'max'"):
        whitener(triangular_factor(phi), fits, "max")


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
