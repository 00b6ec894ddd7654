import dense
import numpy as np
import pytest
from scipy import sparse
from scipy.stats import chi2
from statediff import EPS
from statediff.basis import build_basis
from statediff.basis_values import grams, triangular_factor
from statediff.expression import (
    Posterior,
    cross_products,
    distances,
    gene_weights,
    neg_log10_ptp,
    replicate_deviations,
    whitener,
)
from statediff.smoothness import SignalToNoise


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
    crosses, _ = cross_products([(0, y[:50]), (50, y[50:51]), (51, y[51:])], phi, members)
    fits = [Posterior.fit(phi[m].T @ phi[m], basis.prior(x[m])) for m in members]
    weights = [fit.weights(cross, noise**-2) for fit, cross in zip(fits, crosses, strict=True)]
    return x, members, exact, basis, phi, fits, weights, noise


def published_distances(factor, fits, difference, noise, pooled="sum", between=None):
    """Distances where all genes have the same noise and a prior variance of 1."""
    whiten = whitener(factor, fits, noise**-2, pooled, EPS / noise**2)
    signal = SignalToNoise.given(noise, difference.shape[1])
    return distances([whiten], signal, difference, between)


def test_smoothed_expression(case):
    x, _, exact, _, phi, _, weights, _ = case
    for gp, weight in zip(exact, weights, strict=True):
        np.testing.assert_allclose(phi @ weight, gp.mean(x), atol=1e-6)


def test_posterior_variance_in_and_outside_of_the_data(case):
    x, _, exact, basis, phi, fits, _, noise = case
    for gp, fit in zip(exact, fits, strict=True):
        found = noise**2 * fit.variance(phi, basis.unexplained(phi), noise**-2)
        np.testing.assert_allclose(found, np.diag(gp.covariance(x)), atol=1e-7)


@pytest.mark.parametrize("few", [False, True], ids=["all cells", "6 cells"])
@pytest.mark.parametrize("pooled", ["sum", "mean"])
def test_mahalanobis_distance(case, few, pooled):
    x, members, exact, _, phi, fits, weights, noise = case
    where = np.flatnonzero(members[0] | members[1])[: 6 if few else None]
    factor = triangular_factor(phi[where])
    found = published_distances(factor, fits, weights[1] - weights[0], noise, pooled)
    wanted = dense.mahalanobis(*exact, x[where], EPS, halved=pooled == "mean")
    assert wanted.min() > 0.3
    np.testing.assert_allclose(found, wanted, rtol=2e-4)


@pytest.mark.parametrize("radius", [0.9, 2.0])
def test_mahalanobis_distance_in_a_group(case, radius):
    """Some cells, also of the third condition; the basis is built on these too."""
    x, members, _, built, _, _, _, noise = case
    y, linear = case_expression(x, members), built.centre is not None
    basis = build_basis(x, built.ls, tol=1e-13, noise=noise, linear=linear)
    phi = basis(x)
    group = np.linalg.norm(x, axis=1) < radius
    assert (group & ~members[0] & ~members[1]).any()
    fits = [Posterior.fit(phi[m].T @ phi[m], basis.prior(x[m])) for m in members]
    weights = [
        fit.weights(phi[m].T @ y[m], noise**-2) for fit, m in zip(fits, members, strict=True)
    ]
    factor = triangular_factor(phi[group])
    found = published_distances(factor, fits, weights[1] - weights[0], noise)
    exact = [dense.GaussianProcess(x[m], y[m], noise, built.ls, linear) for m in members]
    np.testing.assert_allclose(found, dense.mahalanobis(*exact, x[group], EPS), rtol=1e-6)


def test_no_difference_is_distance_zero(case):
    _, _, _, _, phi, fits, _, noise = case
    none = np.zeros((phi.shape[1], 3))
    assert published_distances(triangular_factor(phi), fits, none, noise).tolist() == [0, 0, 0]


@pytest.mark.parametrize("one_sided", [False, True])
def test_mahalanobis_distance_with_replicates(case, one_sided):
    """The covariance of every gene written out, n × n."""
    x, members, exact, basis, phi, fits, _, noise = case
    y, linear = case_expression(x, members), basis.centre is not None
    rng = np.random.default_rng(4)
    groups = [rng.integers(0, n, len(x)) for n in ((1, 2) if one_sided else (3, 2))]
    masks = [
        [member & (group == i) for i in range(group.max() + 1)]
        for member, group in zip(members, groups, strict=True)
    ]
    crosses = [[phi[m].T @ y[m] for m in group] for group in masks]
    priors = [basis.prior(x[m]) for m in members]
    signal = SignalToNoise.given(noise, y.shape[1])
    between = replicate_deviations([grams(phi, own)[0] for own in masks], crosses, priors, signal)
    where = members[0] | members[1]
    change = [phi[m].T @ y[m] for m in members]
    difference = fits[1].weights(change[1], noise**-2) - fits[0].weights(change[0], noise**-2)
    factor = triangular_factor(phi[where])
    found = published_distances(factor, fits, difference, noise, between=between)

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


def test_sums_and_squares_of_groups_of_cells(case):
    x, members, _, _, phi, *_ = case
    y = np.where(case_expression(x, members) > 0.2, case_expression(x, members), 0.0)
    stored = sparse.csr_matrix(y)
    groups = [*members, members[0] & (x[:, 0] > 0)]
    sums, squares = cross_products([(0, stored[:99]), (99, stored[99:])], phi, groups)
    for group, total, square in zip(groups, sums, squares, strict=True):
        np.testing.assert_allclose(total, phi[group].T @ y[group], atol=1e-10)
        np.testing.assert_allclose(square, (y[group] ** 2).sum(axis=0))


@pytest.mark.parametrize("replicates", [False, True])
def test_every_gene_under_its_own_signal_and_noise(case, replicates):
    """A prior variance ρσ² and the noise σ are those of one process in units of σ√ρ."""
    x, members, _, basis, phi, fits, *_ = case
    y, linear = case_expression(x, members), basis.centre is not None
    signal = SignalToNoise(
        levels=np.array([0.1, 2.0, 30.0]),
        # No gene has the second level.
        level=np.array([0, 2, 2, 0, 0, 2]),
        noise=np.array([0.3, 1.0, 0.5, 2.0, 0.1, 0.7]),
        mean=np.linspace(-1, 1, 6),
        evidence=np.full(6, 9.0),
    )
    eps, where = 1e-8, members[0] | members[1]
    crosses = [phi[m].T @ (y[m] - signal.mean) for m in members]
    weights = [gene_weights(*each, signal) for each in zip(fits, crosses, strict=True)]
    factor = triangular_factor(phi[where])
    whiteners = [whitener(factor, fits, rho, eps=eps) for rho in signal.levels]
    masks = [[m & (np.arange(len(x)) % 3 == i) for i in range(3)] for m in members]
    between = None
    if replicates:
        of_masks = [[phi[m].T @ (y[m] - signal.mean) for m in group] for group in masks]
        priors = [basis.prior(x[m]) for m in members]
        between = replicate_deviations(
            [grams(phi, own)[0] for own in masks], of_masks, priors, signal
        )
    found = distances(whiteners, signal, weights[1] - weights[0], between)
    for gene in range(6):
        rho = signal.levels[signal.level[gene]]
        unit = signal.noise[gene] * np.sqrt(rho)
        values = (y[:, [gene]] - signal.mean[gene]) / unit

        def process(cells, condition, rho=rho, values=values):
            given = rho**-0.5, basis.ls, linear, x[condition]
            return dense.GaussianProcess(x[cells], values[cells], *given)

        exact = [process(m, m) for m in members]
        for gp, weight in zip(exact, weights, strict=True):
            np.testing.assert_allclose(phi @ weight[:, gene], unit * gp.mean(x)[:, 0], atol=1e-5)
        covariance = sum(gp.covariance(x[where]) for gp in exact) + eps / rho * np.eye(where.sum())
        if replicates:
            for group, member in zip(masks, members, strict=True):
                means = [process(mask, member).mean(x[where])[:, 0] for mask in group]
                covariance += np.cov(np.transpose(means))
        d = (exact[1].mean(x[where]) - exact[0].mean(x[where]))[:, 0]
        wanted = np.sqrt(d @ np.linalg.solve(covariance, d))
        assert found[gene] == pytest.approx(wanted, rel=1e-3)


def case_expression(x, members):
    rng = np.random.default_rng(5)
    y = np.sin(x @ rng.normal(size=(3, 6))) + members[1][:, None] * np.cos(x[:, :1])
    return y + 0.3 * rng.normal(size=y.shape)


def test_replicates_are_needed_in_one_condition_at_least(case):
    _, members, _, _, phi, _, _, noise = case
    crosses, priors = [[np.zeros((phi.shape[1], 2))]] * 2, [np.eye(phi.shape[1])] * 2
    signal = SignalToNoise.given(noise, 2)
    with pytest.raises(ValueError, match="two replicates"):
        replicate_deviations([grams(phi, [m])[0] for m in members], crosses, priors, signal)


def test_unknown_pooling_is_refused(case):
    _, _, _, _, phi, fits, _, noise = case
    with pytest.raises(ValueError, match="'max'"):
        whitener(triangular_factor(phi), fits, noise**-2, "max")


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
