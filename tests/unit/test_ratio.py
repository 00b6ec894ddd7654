"""The ratio of two densities against textbook computations, and its calibration."""

import dense
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import f as f_distribution
from scipy.stats import norm, t
from statediff.abundance import calibrated_changes
from statediff.basis import build_basis
from statediff.design import Design
from statediff.overdispersion import _moderated, find_overdispersion
from statediff.ratio import (
    AMPLITUDES,
    Ratio,
    fit_ratio,
    informative,
    learn_amplitude,
)

LS = 2.0
TWO = Design.unpaired([0, 1])


@pytest.fixture(scope="module")
def cells():
    """States, of which b has more to the right; and labels without any difference."""
    rng = np.random.default_rng(0)
    states = rng.normal(size=(240, 2))
    return states, rng.uniform(size=240) < expit(states[:, 0] - 0.6)


@pytest.fixture(scope="module")
def everywhere(cells):
    return np.vstack([cells[0], np.random.default_rng(1).uniform(-3, 3, size=(20, 2))])


def test_mode_and_variance_against_the_dense_algebra(cells, everywhere):
    """The mode over all n values, and what a Newton step from it makes of random labels."""
    states, labels = cells
    basis = build_basis(states, LS, tol=1e-10)
    phi = basis(everywhere)
    ratio = fit_ratio(phi[: len(states)], labels.astype(int), TWO)
    kernel = dense.matern52(states, states, LS) + 1e-9 * np.eye(len(states))
    lower, offset = np.linalg.cholesky(kernel), np.log(labels.mean() / (1 - labels.mean()))

    def negative_log_posterior(z):
        f = lower @ z
        value = np.logaddexp(0, offset + f).sum() - labels @ (offset + f) + z @ z / 2
        return value, z - lower.T @ (labels - expit(offset + f))

    options = {"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-9}
    found = minimize(
        negative_log_posterior, np.zeros(240), jac=True, method="L-BFGS-B", options=options
    )
    f = lower @ found.x
    np.testing.assert_allclose(ratio(phi[: len(states)]), f, atol=1e-5)

    # f = K (K + D⁻¹)⁻¹ (working response), whose covariance under random labels is D⁻¹.
    noise = np.diag(1 / (expit(offset + f) * expit(-offset - f)))
    smoother = np.linalg.solve(kernel + noise, dense.matern52(states, everywhere, LS)).T
    wanted = np.einsum("nm,mk,nk->n", smoother, noise, smoother)
    np.testing.assert_allclose(ratio.variance(phi), wanted, rtol=1e-4)


def test_functions_left_out_change_nothing(cells):
    states, labels = cells
    basis = build_basis(states, LS, tol=1e-10)
    phi, few = basis(states), informative(basis.eigenvalues)
    assert few < basis.rank / 2
    whole, leading = (
        fit_ratio(phi, labels.astype(int), TWO),
        fit_ratio(phi[:, :few], labels.astype(int), TWO),
    )
    np.testing.assert_allclose(leading(phi[:, :few]), whole(phi), atol=0.02)
    np.testing.assert_allclose(leading.variance(phi[:, :few]), whole.variance(phi), rtol=0.05)


@pytest.mark.parametrize("amplitude", [0.25, 1.0, 8.0])
def test_evidence_of_an_amplitude_against_the_dense_algebra(cells, monkeypatch, amplitude):
    """Laplace approximation over all n values, less the likelihood of a constant share."""
    states, labels = cells
    monkeypatch.setattr("statediff.ratio.AMPLITUDES", (amplitude,))
    monkeypatch.setattr("statediff.ratio.START", amplitude)
    monkeypatch.setattr("statediff.ratio.LEAST", 1e-9)
    basis = build_basis(states, LS, tol=1e-10)
    found, evidence = learn_amplitude(basis(states), labels.astype(int), TWO, basis.eigenvalues)
    assert found == amplitude
    kernel = amplitude**2 * dense.matern52(states, states, LS) + 1e-9 * np.eye(240)
    offset = np.log(labels.mean() / (1 - labels.mean()))
    f = np.zeros(240)
    for _ in range(100):
        p = expit(offset + f)
        d = p * (1 - p)
        f = kernel @ np.linalg.solve(np.diag(1 / d) + kernel, f + (labels - p) / d)
    p = expit(offset + f)
    assert np.abs(kernel @ (labels - p) - f).max() < 1e-6
    root = np.sqrt(p * (1 - p))
    complexity = np.linalg.slogdet(np.eye(240) + root[:, None] * kernel * root)[1]
    likelihood = np.log(np.where(labels, p, 1 - p)).sum()
    constant = np.log(np.where(labels, labels.mean(), 1 - labels.mean())).sum()
    wanted = likelihood - f @ (labels - p) / 2 - complexity / 2 - constant
    assert evidence == pytest.approx(wanted, abs=1e-3)


def test_the_amplitude_of_the_largest_evidence_is_chosen(cells, monkeypatch):
    states, labels = cells
    basis = build_basis(states, LS)
    phi, evidences = basis(states), {}
    best = learn_amplitude(phi, labels.astype(int), TWO, basis.eigenvalues)
    for amplitude in AMPLITUDES:
        monkeypatch.setattr("statediff.ratio.AMPLITUDES", (amplitude,))
        monkeypatch.setattr("statediff.ratio.START", amplitude)
        evidences[amplitude] = learn_amplitude(phi, labels.astype(int), TWO, basis.eigenvalues)[1]
    assert best[0] == max(evidences, key=evidences.get)
    assert best[1] == pytest.approx(evidences[best[0]], abs=1e-6)


def test_amplitudes_of_no_change_and_of_a_strong_one():
    rng = np.random.default_rng(8)
    states = rng.normal(size=(600, 2))
    basis = build_basis(states, 1.5, tol=1e-3)
    phi = basis(states)
    chosen = [
        learn_amplitude(phi, (rng.permutation(600) < 250).astype(int), TWO, basis.eigenvalues)[0]
        for _ in range(9)
    ]
    assert np.median(chosen) == AMPLITUDES[0]
    strong = rng.uniform(size=600) < expit(6 * np.sin(2 * states[:, 0]))
    amplitude, evidence = learn_amplitude(phi, strong.astype(int), TWO, basis.eigenvalues)
    assert amplitude >= 2
    assert evidence > 50


def test_log_densities_are_those_of_all_cells_divided(cells):
    states, labels = cells
    phi = build_basis(states, LS)(states)
    ratio, together = (
        fit_ratio(phi, labels.astype(int), TWO),
        np.random.default_rng(2).normal(size=len(states)),
    )
    a, b = ratio.log_densities(together, ratio(phi))
    np.testing.assert_allclose(b - a, ratio(phi), rtol=1e-12, atol=1e-12)
    n = len(labels)
    mixture = (np.exp(a) * (~labels).sum() + np.exp(b) * labels.sum()) / n
    np.testing.assert_allclose(mixture, np.exp(together))


def test_a_known_log_ratio_is_recovered():
    """Two normal densities one apart: the log ratio is a straight line."""
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(-0.5, 1, 3000), rng.normal(0.5, 1, 1000)])[:, None]
    basis = build_basis(x, 5.0)
    ratio = fit_ratio(basis(x), np.repeat([0, 1], [3000, 1000]), TWO)
    at = np.linspace(-1.5, 1.5, 7)
    np.testing.assert_allclose(ratio(basis(at[:, None])), at, atol=0.25)


# With 80 cells of b few regions expect enough of them for a normal distribution: z is smaller.
@pytest.mark.parametrize(("share", "low"), [(0.5, 1.76), (0.1, 1.4)])
def test_z_scores_of_shuffled_labels_are_calibrated(share, low):
    rng = np.random.default_rng(4)
    states = rng.normal(size=(800, 2))
    phi = build_basis(states, 1.5, tol=1e-3)(states)
    z = []
    for _ in range(25):
        labels = rng.permutation(800) < share * 800
        ratio = fit_ratio(phi, labels.astype(int), TWO)
        z.append(ratio(phi) / np.sqrt(ratio.variance(phi)))
    assert low < np.quantile(np.abs(z), 0.95) < 2.16


def samples_of(states, sizes, spread, rng):
    """Codes of samples, each with a tilt of its own of this size along the first axis."""
    logits = np.log(sizes) + spread * np.outer(states[:, 0], rng.normal(size=len(sizes)))
    return (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)


@pytest.mark.parametrize(("spread", "low", "high"), [(0.0, 1.0, 1.3), (0.6, 3.0, np.inf)])
def test_overdispersion_is_that_of_the_samples(spread, low, high):
    rng = np.random.default_rng(5)
    states = rng.normal(size=(1500, 2))
    phi = build_basis(states, 3.0, tol=1e-3)(states)
    which = rng.uniform(size=1500) < 0.4
    design = Design.unpaired(np.repeat([0, 1], 4))
    means, factors = [], []
    for _ in range(8):
        samples = np.where(
            which, *(4 * i + samples_of(states, [3, 2, 2, 1], spread, rng) for i in (0, 1))
        )
        ratio = fit_ratio(phi, samples, design)
        found = find_overdispersion(phi, np.arange(1500), ratio, samples, design)
        means.append(found.mean)
        factors.append(found.factor)
        assert found.factor.min() >= 1
        assert found.freedom >= 6
    assert low <= np.mean(means) <= high
    # Samples tilted along one axis differ far out on it, not at its origin.
    inner, outer = np.abs(states[:, 0]) < 0.2, np.abs(states[:, 0]) > 1.5
    ratio = np.mean(factors, axis=0)[outer].mean() / np.mean(factors, axis=0)[inner].mean()
    assert (ratio > 1.5) == (spread > 0)


def test_overdispersion_by_hand():
    """Two samples of 10 and 30 cells in one condition, one of 20 in the other."""
    rng = np.random.default_rng(6)
    states = rng.normal(size=(60, 2))
    phi = build_basis(states, LS, tol=1e-6)(states)
    samples, design = np.repeat([0, 1, 2], [10, 30, 20]), Design.unpaired([0, 0, 1])
    ratio = fit_ratio(phi, samples, design)
    of_reference = expit(np.log(40 / 20) - ratio(phi))
    sums, raw = [phi[samples == s].sum(axis=0) for s in (0, 1)], 0.0
    for s, share in ((0, 0.25), (1, 0.75)):
        p = share * of_reference
        information = phi.T @ ((p * (1 - p))[:, None] * phi)
        inverse = np.linalg.inv(np.eye(phi.shape[1]) + information)
        u = phi @ inverse @ (sums[s] - share * (sums[0] + sums[1]))
        variance = np.einsum("nr,rs,ns->n", phi, inverse @ information @ inverse, phi)
        raw = raw + (1 - (10, 30)[s] / 60) * u**2 / variance
    # Of the variance between samples: its part of the difference of the conditions, over its
    # part of the mean square of what sets samples apart from the rest of their condition.
    apart = sum(
        (1 - part) * (1 + (1 - part) ** 2 / (1 - part) ** 2) / (1 / size + 1 / (40 - size))
        for part, size in ((0.25, 10), (0.75, 30))
    )
    more = (0.25**2 + 0.75**2 + 1.0) / (1 / 40 + 1 / 20) / apart
    wanted, found = (
        _moderated(raw, 1),
        find_overdispersion(phi, np.arange(60), ratio, samples, design),
    )
    np.testing.assert_allclose(found.factor, 1 + more * (wanted.factor - 1), rtol=1e-6)
    assert found.freedom == pytest.approx(wanted.freedom)


def donors(rng, states, tilt, change, pairs=5):
    """Samples 2d and 2d + 1 of donor d, whose composition has a tilt of its own, and a change of
    the second of each along the first axis."""
    sizes = rng.uniform(0.5, 2.0, size=2 * pairs)
    slopes = np.repeat(tilt * rng.normal(size=pairs), 2) + np.tile([0.0, change], pairs)
    logits = np.log(sizes) + np.outer(states[:, 0], slopes)
    samples = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    conditions, of_donor = np.tile([0, 1], pairs), np.repeat(np.arange(pairs), 2)
    return samples, Design(conditions, np.empty((2 * pairs, 0)), of_donor)


def test_pairs_take_the_composition_of_donors_out():
    """Without a change z is calibrated, and with one it is found, whatever donors differ."""
    rng = np.random.default_rng(9)
    states = rng.normal(size=(1500, 2))
    phi = build_basis(states, 3.0, tol=1e-3)(states)
    z, alone, factors = [], [], []
    for _ in range(10):
        samples, design = donors(rng, states, 1.0, 0.0)
        ratio = fit_ratio(phi, samples, design)
        found = find_overdispersion(phi, np.arange(1500), ratio, samples, design)
        z.append(ratio(phi) / np.sqrt(ratio.variance(phi) * found.factor))
        factors.append(found.mean)
        unpaired = Design.unpaired(design.conditions)
        alone.append(
            find_overdispersion(
                phi, np.arange(1500), fit_ratio(phi, samples, unpaired), samples, unpaired
            ).mean
        )
    assert np.mean(factors) < 1.4 < 3.0 < np.mean(alone)
    assert np.quantile(np.abs(z), 0.95) < 2.4
    samples, design = donors(rng, states, 1.0, 1.0)
    ratio = fit_ratio(phi, samples, design)
    found = find_overdispersion(phi, np.arange(1500), ratio, samples, design)
    middle = np.abs(states[:, 0]) < 1.0
    slope = np.polyfit(states[middle, 0], ratio(phi[middle]), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.3)
    assert found.mean < 2.0


def test_covariates_take_what_goes_with_them_out():
    """Composition goes with age, which goes with the condition: only the change is left."""
    rng = np.random.default_rng(10)
    states = rng.normal(size=(3000, 2))
    phi = build_basis(states, 3.0, tol=1e-3)(states)
    conditions, age = np.repeat([0, 1], 6), np.tile(np.linspace(-1.5, 1.5, 6), 2)
    age = age + 0.8 * conditions
    age = (age - age.mean()) / age.std()
    logits = np.outer(states[:, 0], 1.0 * age) + np.outer(states[:, 1], 0.7 * conditions)
    samples = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    adjusted = fit_ratio(phi, samples, Design(conditions, age[:, None]))
    plain = fit_ratio(phi, samples, Design.unpaired(conditions))
    slopes = [np.linalg.lstsq(states, ratio(phi), rcond=None)[0] for ratio in (adjusted, plain)]
    np.testing.assert_allclose(slopes[0], [0.0, 0.7], atol=0.15)
    assert slopes[1][0] > 0.4
    found = find_overdispersion(
        phi, np.arange(3000), adjusted, samples, Design(conditions, age[:, None])
    )
    assert found.mean < 1.3


def test_numbers_change_the_composition_in_proportion():
    """Eight samples of four doses, whose log odds along the first axis are linear in the dose."""
    rng = np.random.default_rng(11)
    states = rng.normal(size=(3000, 2))
    phi = build_basis(states, 3.0, tol=1e-3)(states)
    doses = np.repeat([0.0, 1.0, 2.0, 5.0], 2)
    design = Design((doses > 1.5).astype(int), np.empty((8, 0)), values=(doses - 0.5) / 3.0)
    z = []
    for change in (0.3, *np.zeros(8)):
        logits = np.log(rng.uniform(0.5, 2.0, 8)) + np.outer(states[:, 0], change * doses)
        samples = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
        ratio = fit_ratio(phi, samples, design)
        found = find_overdispersion(phi, np.arange(3000), ratio, samples, design)
        if change:
            slope = np.linalg.lstsq(states, ratio(phi), rcond=None)[0]
            # From a dose of 0.5 to one of 3.5.
            np.testing.assert_allclose(slope, [0.9, 0.0], atol=0.15)
            # The mixture of all doses is the density of all cells.
            low, high = ratio.log_densities(np.zeros(3000), ratio(phi))
            np.testing.assert_allclose(high - low, ratio(phi))
            shares = np.bincount(samples, minlength=8) / 3000
            mixed = [
                n * np.exp(low + v * ratio(phi)) for n, v in zip(shares, design.values, strict=True)
            ]
            np.testing.assert_allclose(np.sum(mixed, axis=0), 1.0)
        else:
            z.append(ratio(phi) / np.sqrt(ratio.variance(phi) * found.factor))
    assert 1.6 < np.quantile(np.abs(z), 0.95) < 2.4


def test_moderation_recovers_the_prior():
    rng = np.random.default_rng(7)
    true = 3 / f_distribution.rvs(1e9, 12, size=40000, random_state=rng)
    raw = 1 / true * 9 * rng.chisquare(4, size=40000) / 4
    found = _moderated(raw, 4)
    assert found.freedom - 4 == pytest.approx(12, rel=0.15)
    wanted = (found.freedom - 4) * raw.mean() + 4 * raw
    np.testing.assert_allclose(found.factor, np.maximum(wanted / found.freedom, 1))
    # Factors that vary as chance makes them vary are all the same.
    alike = _moderated(np.full(50, 2.5), 4)
    assert np.isinf(alike.freedom)
    np.testing.assert_array_equal(alike.factor, 2.5)


def test_calibrated_changes_by_definition():
    log_ratio, zscore = np.array([2.0, -2.0, 2.0, 0.5]), np.array([5.0, -4.0, 0.5, 9.0])
    variance, shrunk = (log_ratio / zscore) ** 2, np.array([1.9, -1.8, 0.1, 0.4])
    result = calibrated_changes(shrunk, log_ratio, variance)
    pvalue = 2 * norm.sf(np.abs(zscore))
    np.testing.assert_array_equal(result["lfc"], shrunk)
    np.testing.assert_allclose(result["lfc_zscore"], zscore)
    np.testing.assert_allclose(result["neg_log10_lfc_ptp"], -np.log10(pvalue / 2))
    np.testing.assert_allclose(result["pvalue"], pvalue)
    np.testing.assert_allclose(result["qvalue"], pvalue * 4 / np.array([2, 3, 4, 1]))
    # Sure; sure and negative; too uncertain; small, but sure.
    assert result["lfc_direction"].tolist() == [2, 0, 1, 2]
    # Standard errors are 0.4, 0.5, 4 and 1/18.
    beyond = calibrated_changes(shrunk, log_ratio, variance, lfc_threshold=1.0)
    wanted = [norm.sf(2.5) + norm.sf(7.5), norm.sf(2) + norm.sf(6), norm.sf(0.25) + norm.sf(0.75),
              norm.sf(-9) + norm.sf(27)]  # fmt: skip
    np.testing.assert_allclose(beyond["pvalue"], wanted)
    assert beyond["lfc_direction"].tolist() == [2, 0, 1, 1]
    # What is shown as smaller than the threshold is not called.
    small = calibrated_changes(shrunk / 2, log_ratio, variance, lfc_threshold=1.0)
    assert small["lfc_direction"].tolist() == [1, 1, 1, 1]
    with_samples = calibrated_changes(shrunk, log_ratio, variance, freedom=4.0)
    np.testing.assert_allclose(with_samples["pvalue"], 2 * t.sf(np.abs(zscore), 4))
    strict = calibrated_changes(shrunk, log_ratio, variance, fdr_threshold=1e-5)
    assert strict["lfc_direction"].tolist() == [2, 1, 1, 2]


def test_reliability_is_what_estimates_keep_of_a_change():
    """Over functions from the prior, the estimate at a cell is b times the function."""
    rng = np.random.default_rng(12)
    states = np.vstack([rng.normal(size=(600, 1)), [[3.5], [-3.5]]])
    basis, amplitude = build_basis(states, LS, tol=1e-6), 0.5
    phi = amplitude * basis(states)
    true, found = [], []
    for _ in range(300):
        f = phi @ rng.normal(size=phi.shape[1])
        labels = (rng.uniform(size=602) < expit(f)).astype(int)
        ratio = fit_ratio(phi, labels, TWO)
        # The log ratio of the densities: without what is the same at every cell.
        true.append(f - f.mean())
        found.append(ratio(phi))
    true, found = np.array(true), np.array(found)
    reliability = ratio.reliability(phi, amplitude**2)
    slope = (true * found).sum(axis=0) / (true**2).sum(axis=0)
    some = np.argsort(states[:, 0])[[0, 1, 30, 150, 300, 450, 570, -2, -1]]
    np.testing.assert_allclose(slope[some], reliability[some], atol=0.08)
    assert reliability.min() < 0.8 * reliability.max() < 1.0
    log_ratio, variance = ratio.unshrunk(phi, amplitude**2)
    np.testing.assert_allclose(log_ratio * reliability, ratio(phi))
    zscore = log_ratio / np.sqrt(variance)
    np.testing.assert_allclose(zscore, ratio(phi) / np.sqrt(ratio.variance(phi)))


def test_a_cell_far_from_all_others_has_no_change(cells):
    states, labels = cells
    basis = build_basis(states, LS)
    ratio, far = fit_ratio(basis(states), labels.astype(int), TWO), basis(np.full((1, 2), 1e3))
    assert isinstance(ratio, Ratio)
    np.testing.assert_allclose([ratio(far), ratio.variance(far)], 0, atol=1e-12)
    assert ratio.unshrunk(far, 1.0) == (np.zeros(1), np.array([np.inf]))
    change = calibrated_changes(np.zeros(1), *ratio.unshrunk(far, 1.0), lfc_threshold=0.2)
    assert [change["lfc_zscore"], change["pvalue"]] == [0, 1]
