"""Length scale, signal-to-noise ratio and noise by the evidence: dense algebra, known truth."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from statediff import DataWarning, InputError
from statediff.basis import build_basis
from statediff.basis_values import triangular_factor
from statediff.expression import (
    Posterior,
    cross_products,
    distances,
    gene_weights,
    neg_log10_ptp,
    whitener,
)
from statediff.kernels import Kernel
from statediff.smoothness import (
    LEVELS,
    SignalToNoise,
    choose_cells,
    extent,
    kernel_evidence,
    learn_scale,
    learn_signal_to_noise,
    length_scales,
    warn_of_few,
)

SCALES = length_scales(2.0)


def curves(states, scales, genes, rng):
    """Functions of the states from the prior, shape (n, genes)."""
    kernel = Kernel.of(scales)(states, states) + 1e-9 * np.eye(len(states))
    return np.linalg.cholesky(kernel) @ rng.normal(size=(len(states), genes))


def dense_evidence(kernels, parts, rho):
    """Log density at the best noise of all parts over that of a constant, for one gene."""
    covariances = [np.eye(len(kernel)) + rho * kernel for kernel in kernels]
    n = sum(map(len, parts))

    def log_density(covariances):
        squares = sum(
            part @ np.linalg.solve(covariance, part)
            for covariance, part in zip(covariances, parts, strict=True)
        )
        return sum(
            multivariate_normal(cov=squares / n * covariance).logpdf(part)
            for covariance, part in zip(covariances, parts, strict=True)
        )

    return log_density(covariances) - log_density([np.eye(len(part)) for part in parts])


def shares_of(log_evidence):
    """Shares of levels (rows) among the genes, by expectation maximisation."""
    shares = np.full(len(log_evidence), 1 / len(log_evidence))
    for _ in range(100):
        joint = log_evidence + np.log(shares)[:, None]
        shares = np.exp(joint - logsumexp(joint, axis=0)).mean(axis=1)
    return shares


def test_evidence_of_a_kernel_is_that_of_the_normal_distribution():
    rng = np.random.default_rng(0)
    states = rng.normal(size=(60, 2))
    values = np.hstack([curves(states, SCALES, 3, rng), np.zeros((60, 2))])
    values += 0.7 * rng.normal(size=values.shape)
    values -= values.mean(axis=0)
    kernel = Kernel.of(SCALES)(states, states)
    of_levels = np.zeros((len(LEVELS) + 1, 5))
    for index, rho in enumerate(LEVELS):
        of_levels[index] = [dense_evidence([kernel], [gene], rho) for gene in values.T]
    wanted = logsumexp(of_levels + np.log(shares_of(of_levels))[:, None], axis=0).sum()
    assert wanted > 20
    assert kernel_evidence(kernel, values) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(("dimensions", "multiple"), [(2, 0.3), (2, 1.0), (10, 1.2)])
def test_a_known_length_scale_is_recovered(dimensions, multiple):
    rng = np.random.default_rng(1)
    states = rng.normal(size=(300, dimensions)) * np.linspace(2, 1, dimensions)
    true = multiple * extent(states)
    y = curves(states, length_scales(true), 80, rng) + rng.normal(size=(300, 80))
    found = learn_scale(states, y)
    assert 0.5 <= found.ls / true <= 2.0
    assert not found.at_end
    assert found.evidence.max() == found.evidence[found.multiples == found.ls / found.extent]
    # Genes were drawn with a signal as strong as the noise.
    assert 0.3 < found.rho < 3.0


@pytest.fixture(scope="module")
def learnt():
    rng = np.random.default_rng(2)
    states = rng.normal(size=(200, 3))
    y = np.maximum(curves(states, length_scales(1.5), 50, rng) + rng.normal(size=(200, 50)), 0)
    return states, y, learn_scale(states, y)


def test_units_of_states_and_expression_do_not_matter(learnt):
    states, y, wanted = learnt
    found = learn_scale(7.0 * states, 3.32 * y)
    assert found.ls == pytest.approx(7.0 * wanted.ls)
    np.testing.assert_allclose(found.evidence, wanted.evidence, rtol=1e-6)
    assert (found.rho, found.genes) == (wanted.rho, wanted.genes)


def test_order_of_cells_and_storage_do_not_matter(learnt):
    states, y, wanted = learnt
    order = np.random.default_rng(3).permutation(len(states))
    found = learn_scale(states[order], sparse.csr_matrix(y[order]))
    assert found.ls == pytest.approx(wanted.ls)
    np.testing.assert_allclose(found.evidence, wanted.evidence, rtol=1e-6)


def test_few_genes_that_follow_the_states_are_enough():
    rng = np.random.default_rng(14)
    states = rng.normal(size=(300, 2))
    y = rng.normal(size=(300, 150))
    y[:, :4] += 1.5 * curves(states, length_scales(0.5 * extent(states)), 4, rng)
    found = learn_scale(states, y)
    assert not found.at_end
    assert 0.25 <= found.ls / found.extent <= 1.0
    assert found.rho > 0.3


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("noisy", ["expression", "states"])
def test_nothing_follows_noise(noisy, seed):
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(200, 3))
    y = rng.normal(size=(200, 60))
    if noisy == "states":
        y += 3.0 * curves(states, length_scales(2.0), 60, rng)
        assert not learn_scale(states, y).at_end
        states = rng.normal(size=(200, 3))
    found = learn_scale(states, y)
    assert found.at_end
    assert found.evidence.max() < 3
    assert found.ls == pytest.approx(found.extent / 2)
    assert found.rho == LEVELS[0]
    assert found.tolerance(200) == 1e-2


def test_genes_that_few_cells_have_or_that_do_not_vary_are_not_looked_at(learnt):
    states, y, wanted = learnt
    rare = np.zeros((200, 3))
    rare[:9, 0], rare[:, 1], rare[:10, 2] = 5.0, 2.0, 5.0
    assert learn_scale(states, np.hstack([y, rare])).genes == wanted.genes + 1
    without = learn_scale(states, rare[:, :2])
    assert without.at_end
    assert without.genes == 0
    assert without.ls == pytest.approx(without.extent / 2)
    assert 0 < without.tolerance(200) <= 1e-2


def test_states_that_coincide_are_refused(learnt):
    with pytest.raises(InputError, match="all 200 cells looked at share one state"):
        learn_scale(np.ones((200, 3)), learnt[1])


def test_cells_are_drawn_from_the_mask(monkeypatch):
    monkeypatch.setattr("statediff.smoothness.CELLS", 30)
    mask = np.random.default_rng(5).uniform(size=200) < 0.5
    cells = choose_cells(mask)
    assert len(np.unique(cells)) == 30
    assert mask[cells].all()
    np.testing.assert_array_equal(cells, np.sort(cells))
    np.testing.assert_array_equal(choose_cells(np.arange(200) < 20), np.arange(20))


@pytest.fixture(scope="module")
def two():
    """Two conditions, some of whose genes follow the states, and the exact basis."""
    rng = np.random.default_rng(6)
    states = rng.normal(size=(150, 2))
    members = [np.arange(150) < 60, np.arange(150) >= 60]
    rho = np.repeat([0.0, 0.1, 3.0], 8)
    y = np.vstack([curves(states[m], SCALES, 24, rng) for m in members]) * np.sqrt(rho)
    y = 2.0 + (y + rng.normal(size=y.shape)) * np.geomspace(0.1, 10, 24)
    return states, members, y


def learn(states, members, y, tol=1e-12, scales=SCALES, known=None):
    """Posteriors, centred products and what was learnt, by the steps of the workflow."""
    phi = build_basis(states, scales, tol=tol)(states)
    phi = np.hstack([phi, np.ones((len(phi), 1))])
    prior = np.eye(phi.shape[1] - 1, phi.shape[1])
    posteriors = [Posterior.fit(phi[m].T @ phi[m], prior) for m in members]
    crosses, squares = cross_products([(0, sparse.csr_matrix(y))], phi, members)
    counts, totals = [m.sum() for m in members], [phi[m].sum(axis=0) for m in members]
    sums = [cross[-1] for cross in crosses]
    signal = learn_signal_to_noise(posteriors, crosses, sums, squares, counts, totals, known)
    crosses = [c - np.outer(t, signal.mean) for c, t in zip(crosses, totals, strict=True)]
    return phi, posteriors, crosses, signal


def changes(states, members, y, **chosen):
    """Fold changes at the cells, distances and what was learnt."""
    phi, posteriors, crosses, signal = learn(states, members, y, **chosen)
    a, b = (gene_weights(*each, signal) for each in zip(posteriors, crosses, strict=True))
    factor = triangular_factor(phi)
    whiteners = [whitener(factor, posteriors, rho) for rho in signal.levels]
    return phi @ (b - a), distances(whiteners, signal, b - a), signal


@pytest.fixture(scope="module")
def brute_force(two):
    """Evidence of every level and gene by densities of both conditions, and the best noise."""
    states, members, y = two
    centred = y - y.mean(axis=0)
    kernels = [Kernel.of(SCALES)(states[m], states[m]) for m in members]
    evidence = np.empty((len(LEVELS), y.shape[1]))
    noise = np.empty_like(evidence)
    for gene, values in enumerate(centred.T):
        parts = [values[m] for m in members]
        for index, rho in enumerate(LEVELS):
            evidence[index, gene] = dense_evidence(kernels, parts, rho)
            squares = sum(
                part @ np.linalg.solve(np.eye(len(part)) + rho * kernel, part)
                for kernel, part in zip(kernels, parts, strict=True)
            )
            noise[index, gene] = np.sqrt(squares / len(values))
    return evidence, noise


@pytest.mark.parametrize("level", [0, 3, 7])
def test_evidence_and_noise_of_genes_are_those_of_both_conditions(two, brute_force, level):
    evidence, noise = brute_force
    known = np.full(24, LEVELS[level])
    *_, signal = learn(*two, known=known)
    np.testing.assert_array_equal(signal.level, level)
    np.testing.assert_allclose(signal.evidence, evidence[level], atol=1e-4)
    np.testing.assert_allclose(signal.noise, noise[level], rtol=1e-6)
    np.testing.assert_allclose(signal.mean, two[2].mean(axis=0))


def test_the_level_is_the_most_probable_with_their_shares_as_the_prior(two, brute_force):
    evidence, noise = brute_force
    posterior = evidence + np.log(shares_of(evidence))[:, None]
    *_, signal = learn(*two)
    level = posterior.argmax(axis=0)
    assert len(np.unique(level)) > 1
    np.testing.assert_array_equal(signal.level, level)
    np.testing.assert_allclose(signal.noise, noise[level, np.arange(24)], rtol=1e-6)


def test_signal_and_noise_of_simulated_genes_are_recovered():
    rng = np.random.default_rng(7)
    states, half = rng.normal(size=(600, 2)), np.arange(600) < 300
    true = np.repeat(LEVELS[[2, 4, 6]], 40)
    noise = rng.uniform(0.1, 10, 120)
    kernels = np.vstack([curves(states[m], SCALES, 120, rng) for m in (half, ~half)])
    y = noise * (np.sqrt(true) * kernels + rng.normal(size=kernels.shape))
    *_, signal = learn(states, [half, ~half], y, tol=1e-6)
    found = np.log(signal.levels[signal.level]).reshape(3, 40)
    np.testing.assert_allclose(found.mean(axis=1), np.log(LEVELS[[2, 4, 6]]), atol=np.log(2))
    np.testing.assert_allclose(signal.noise, noise, rtol=0.15)


def test_genes_have_units_of_their_own(two):
    states, members, y = two
    units = np.random.default_rng(8).uniform(0.01, 100, y.shape[1])
    change, found, signal = changes(states, members, y, tol=1e-6)
    other_change, other, scaled = changes(states, members, units * y, tol=1e-6)
    np.testing.assert_array_equal(scaled.level, signal.level)
    np.testing.assert_allclose(scaled.noise, units * signal.noise, rtol=1e-6)
    np.testing.assert_allclose(other, found, rtol=1e-6)
    np.testing.assert_allclose(other_change, units * change, atol=1e-6 * units.max())


def test_genes_without_variation(two):
    states, members, y = two
    y = np.hstack([y, np.zeros((150, 1)), np.full((150, 1), 3.7)])
    change, found, signal = changes(states, members, y, tol=1e-6)
    assert np.isfinite(signal.noise).all()
    assert signal.evidence[-2:].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(signal.mean[-2:], [0.0, 3.7])
    np.testing.assert_allclose(change[:, -2:], 0.0, atol=1e-9)
    np.testing.assert_allclose(found[-2:], 0.0, atol=1e-7)
    assert found[:-2].min() > 0


def test_a_difference_of_the_conditions_is_no_noise():
    rng = np.random.default_rng(9)
    states, half = rng.normal(size=(300, 2)), np.arange(300) < 150
    y = rng.normal(size=(300, 40))
    y[half, :20] += 6.0
    assert y[:, :20].std() > 3
    change, found, signal = changes(states, [half, ~half], y, tol=1e-6)
    np.testing.assert_allclose(signal.noise, 1.0, rtol=0.2)
    np.testing.assert_allclose(change[:, :20].mean(axis=0), -6.0, rtol=0.1)
    assert found[:20].min() > 3 * found[20:].max()


def test_given_noise_is_the_published_posterior():
    rng = np.random.default_rng(10)
    phi, y = rng.normal(size=(40, 6)), rng.normal(size=(40, 5))
    sigma, fit = 0.4, Posterior.fit(phi.T @ phi)
    signal = SignalToNoise.given(sigma, 5)
    precision = phi.T @ phi / sigma**2 + np.eye(6)
    weights = np.linalg.solve(precision, phi.T @ y / sigma**2)
    np.testing.assert_allclose(gene_weights(fit, phi.T @ y, signal), weights)
    (rho,) = signal.levels
    np.testing.assert_allclose(sigma**2 * fit.covariance(rho), np.linalg.inv(precision))
    assert signal.mean.tolist() == [0.0] * 5


def test_degrees_of_freedom_are_the_trace_of_the_smoother():
    phi = np.random.default_rng(11).normal(size=(40, 6))
    fit = Posterior.fit(phi.T @ phi)
    for rho in (0.01, 1.0):
        smoother = phi @ np.linalg.inv(phi.T @ phi + np.eye(6) / rho) @ phi.T
        assert fit.freedom(rho) == pytest.approx(np.trace(smoother))


def example(evidence):
    level = np.array([0, 1, 3, 3])
    return SignalToNoise(LEVELS, level, np.ones(4), np.zeros(4), np.array(evidence))


def test_freedom_is_that_of_a_typical_gene_that_follows_the_states():
    phi = np.random.default_rng(12).normal(size=(40, 6))
    fit = Posterior.fit(phi.T @ phi)
    assert example([0, 9, 9, 9.0]).freedom([fit, fit]) == [fit.freedom(LEVELS[3])] * 2
    assert example([9, 9, 0, 0.0]).freedom([fit]) == [fit.freedom(LEVELS[:2].mean())]
    assert example([0, 0, 0, 0.0]).freedom([fit, fit]) == [0.0, 0.0]
    # No evidence is known where the noise is given.
    assert SignalToNoise.given(0.5, 4).freedom([fit]) == [pytest.approx(fit.freedom(4.0))]


def test_some_genes_and_levels():
    some = example([1, 2, 3, 4.0]).of_genes([3, 1])
    assert some.evidence.tolist() == [4, 2]
    assert [(rho, i, genes.tolist()) for rho, i, genes in some.slices()] == [
        (LEVELS[1], 1, [1]), (LEVELS[3], 3, [0]),
    ]  # fmt: skip
    used = some.used()
    np.testing.assert_array_equal(used.levels, LEVELS[[1, 3]])
    assert used.level.tolist() == [1, 0]


def test_few_degrees_of_freedom_draw_a_warning():
    with pytest.warns(DataWarning, match=r"few effective degrees of freedom \(1.4 in 'b'; "):
        warn_of_few([3.0, 1.4], ["a", "b"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_few([3.0, 17.0], ["a", "b"])


@pytest.fixture(scope="module")
def counts():
    """States, conditions, and counts that follow both, of 300 cells and 60 genes."""
    rng = np.random.default_rng(13)
    states, half = rng.normal(size=(300, 2)), rng.uniform(size=300) < 0.5
    rates = 0.7 * curves(states, length_scales(1.5), 60, rng)
    rates[half, :10] += np.linspace(0.5, 2.0, 10)
    return states, [half, ~half], rng.poisson(np.exp(rates))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_results_do_not_depend_on_the_base_of_the_logarithm(counts, dtype):
    """From the length scale to distances, with expression as exact as files have it."""
    states, members, raw = counts
    results = []
    for log in (np.log1p, lambda x: np.log2(1.0 + x)):
        y = log(raw).astype(dtype)
        smoothness = learn_scale(states, sparse.csr_matrix(y))
        tol, scales = smoothness.tolerance(300), length_scales(smoothness.ls)
        results.append((smoothness, *changes(states, members, y, tol=tol, scales=scales)))
    (natural, change, found, signal), (binary, change2, found2, signal2) = results
    precise = 1e-7 if dtype is np.float64 else 1e-4
    assert natural.ls == binary.ls
    assert natural.tolerance(300) == pytest.approx(binary.tolerance(300))
    np.testing.assert_array_equal(signal.level, signal2.level)
    np.testing.assert_allclose(found2, found, rtol=precise)
    np.testing.assert_allclose(neg_log10_ptp(found2, 2), neg_log10_ptp(found, 2), rtol=3 * precise)
    np.testing.assert_allclose(np.log(2) * change2, change, atol=precise)
    assert found[:10].min() > np.median(found[10:])


def test_what_the_tolerance_leaves_out_changes_distances_little(counts):
    states, members, raw = counts
    y = np.log1p(raw)
    smoothness = learn_scale(states, y)
    tol, scales = smoothness.tolerance(300), length_scales(smoothness.ls)
    assert tol > 1e-5
    change, found, signal = changes(states, members, y, tol=tol, scales=scales)
    exact_change, exact, other = changes(states, members, y, tol=1e-10, scales=scales)
    same = signal.level == other.level
    assert same.mean() > 0.9
    np.testing.assert_allclose(found[same], exact[same], rtol=0.04)
    assert np.corrcoef(change.ravel(), exact_change.ravel())[0, 1] > 0.999


def test_tolerance_by_its_formula(learnt):
    _, _, smoothness = learnt
    for cells in (200, 5000):
        scaled = smoothness.rho * smoothness.eigenvalues * cells / 200
        freedom = (scaled / (1 + scaled)).sum()
        wanted = min(3e-2 * freedom / smoothness.rho / cells, 1e-2)
        assert smoothness.tolerance(cells) == pytest.approx(wanted)
    # More cells tell more.
    assert smoothness.tolerance(10**5) < smoothness.tolerance(1000)
