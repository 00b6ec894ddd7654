r"""Effects of samples that vary along the cell states, learnt from all genes.

In block k a gene's mean in sample s differs from what its condition (and its donor and covariates,
where the design has them, `statediff.design`) lets expect by a sample effect
:math:`u_{ks}` and by the noise of its cells. The effects have variance
:math:`\tau^2 t_k`, with :math:`t_k` what the expression level lets expect and :math:`\tau^2` the
gene's own factor, and the correlation between blocks, K, is common to the genes:

.. math:: \mathrm{cov}(u_{ks}, u_{ls}) = \tau^2 \sqrt{t_k t_l} K_{kl}, \qquad
    K = L L^T + \mathrm{diag}(r)

The product of the deviations of one sample in two blocks holds no noise of cells, since no cell is
in both; summed over samples and genes it estimates K. Only a few principal components, L, and the
rest of the diagonal, r, are kept.

References
----------
Smyth (2004), Statistical Applications in Genetics and Molecular Biology 3, for variances shared
over genes. Rubin & Thayer (1982), Psychometrika 47, for factor analysis.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from statediff.design import regress

__all__ = ["FACTORS", "SampleEffects", "fit_sample_effects", "within_variance"]

#: Values of τ²: the variance of sample effects, relative to what the expression level predicts. A
#: gene of one sex has hundreds to thousands.
FACTORS = np.concatenate([[0.0], np.geomspace(0.02, 2000.0, 20)])
# Principal components of the correlation between blocks.
COMPONENTS = 6
# The variance of a block is shrunk to the gene's as if seen in so many more cells.
PRIOR_CELLS = 5.0
ITERATIONS = 200
# Bins of expression level in which the variance between samples is measured.
LEVELS = 400
# Genes whose effects are this many times the expected count less for K.
OUTLYING = 4.0
# Part of the largest weight that a level without noise has at least.
TINY = 1e-12
# Values of τ² less probable than this for every gene are left out.
IMPROBABLE = 1e-8


@dataclass(frozen=True)
class SampleEffects:
    r"""Effects of samples of all genes.

    Attributes
    ----------
    trend : ndarray, shape (blocks, genes)
        :math:`t_k`, the variance between samples expected at the gene's level in each block.
    loadings : ndarray, shape (blocks, components)
        L, the leading component first.
    remainder : ndarray, shape (blocks,)
        r; the squared loadings of a block and its remainder add up to 1.
    factors : ndarray, shape (factors,)
        Values of τ².
    posterior : ndarray, shape (genes, factors)
        Probability of each.
    """

    trend: np.ndarray
    loadings: np.ndarray
    remainder: np.ndarray
    factors: np.ndarray
    posterior: np.ndarray

    def of_genes(self, genes):
        """The effects of some genes only."""
        return replace(self, trend=self.trend[:, genes], posterior=self.posterior[genes])

    @property
    def mean(self):
        """Posterior mean of τ², shape (genes,)."""
        return self.posterior @ self.factors


def fit_sample_effects(sums, known=None, threads=1):
    """Learn the variance between samples, its correlation between blocks, and τ² of each gene.

    Parameters
    ----------
    sums : statediff.residual.BlockSums
        With a block in which the design leaves a degree of freedom.
    known : SampleEffects, optional
        Of another partition of the same cells: τ² of the genes is taken from it.
    threads : int
        For the likelihood of some of the genes each.

    Returns
    -------
    SampleEffects
    """
    regression = regress(sums.cells, sums.design.matrix)
    trend = _level_trend(sums, regression)
    loadings, remainder = _components(_correlation(sums, regression, trend))
    if known is not None:
        return SampleEffects(trend, loadings, remainder, known.factors, known.posterior)

    def likelihood(genes):
        part = sums.of_genes(genes), regression, trend[:, genes]
        return _log_likelihood(*part, loadings, remainder)

    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(likelihood, sums.slices(COMPONENTS**2)))
    return SampleEffects(trend, loadings, remainder, *factor_posterior(np.concatenate(parts)))


def factor_posterior(log_likelihood):
    """Posterior of τ² of each gene; the prior, shared by the genes, is fitted to them.

    Parameters
    ----------
    log_likelihood : ndarray, shape (genes, len(FACTORS))

    Returns
    -------
    factors : ndarray, shape (factors,)
        Those of FACTORS that are probable for some gene.
    posterior : ndarray, shape (genes, factors)
    """
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    prior = np.full(len(FACTORS), 1.0 / len(FACTORS))
    # Expectation maximisation.
    for _ in range(ITERATIONS):
        posterior = likelihood * prior
        posterior /= posterior.sum(axis=1, keepdims=True)
        prior = posterior.mean(axis=0)
    # By the most probable gene: the mean over many genes would lose a value that one of them needs.
    kept = posterior.max(axis=0) > IMPROBABLE
    posterior = posterior[:, kept]
    return FACTORS[kept], posterior / posterior.sum(axis=1, keepdims=True)


def within_variance(sums):
    """Variance of the cells within the samples of each block, shrunk to the gene's.

    Parameters
    ----------
    sums : statediff.residual.BlockSums

    Returns
    -------
    ndarray, shape (blocks, genes)
    """
    squares = _within(sums)
    # Sums of squares of a constant differ by rounding only.
    squares = np.where(squares > 1e-9 * sums.squares, squares, 0.0)
    freedom = np.maximum(sums.cells - 1.0, 0.0).sum(axis=1)[:, None]
    pooled = squares.sum(axis=0) / max(freedom.sum(), 1.0)
    pooled = np.where(pooled > 0, pooled, 1.0)
    return (squares + PRIOR_CELLS * pooled) / (freedom + PRIOR_CELLS)


def _correlation(sums, regression, trend):
    """K, shape (blocks, blocks): each entry shrunk to their mean by its own uncertainty."""
    products, weights, squares = np.zeros((3, len(trend), len(trend)))
    effect, noise = regression.variances()
    for genes in sums.slices():
        part, expected = sums.of_genes(genes), trend[:, None, genes]
        within = within_variance(part)[:, None]
        deviation = regression.residuals(part.sums)
        variance = effect[:, :, None] * expected + noise[:, :, None] * within
        precision = np.divide(1.0, variance, out=np.zeros_like(variance), where=variance > 0)
        # One gene of huge effects would stand for all.
        mean = (deviation**2 * precision).sum(axis=(0, 1)) / max(np.count_nonzero(noise), 1)
        precision /= np.maximum(mean / OUTLYING, 1.0)
        scores = deviation * np.sqrt(precision)
        scale = np.sqrt(expected * precision)
        for s in np.flatnonzero(noise.any(axis=0)):
            own, fitting = regression.leverage[:, s], regression.fitting(s)
            common = 1.0 - own[:, None] - own + fitting @ fitting.T
            products += scores[:, s] @ scores[:, s].T
            weights += common * (scale[:, s] @ scale[:, s].T)
            squares += scores[:, s] ** 2 @ scores[:, s].T ** 2
    return _shrunk(products, weights, squares)


def _shrunk(products, weights, squares):
    """Ratio of products to weights, of which `squares` are the variances of the former."""
    known = weights > 0
    off = known & ~np.eye(len(products), dtype=bool)
    if not off.any():
        return np.ones_like(products)
    mean = np.clip(products[off].sum() / weights[off].sum(), 0.0, 1.0)
    ratio = np.divide(products, weights, out=np.full_like(products, mean), where=known)
    noise = np.divide(squares, weights**2, out=np.full_like(products, np.inf), where=known)
    precision = 1.0 / np.maximum(noise[off], 1e-12)
    spread = (precision * ((ratio[off] - mean) ** 2 - noise[off])).sum() / precision.sum()
    if spread <= 0:
        ratio = np.full_like(ratio, mean)
    else:
        ratio = mean + (ratio - mean) * spread / (spread + noise)
    np.fill_diagonal(ratio, 1.0)
    return np.clip((ratio + ratio.T) / 2.0, -1.0, 1.0)


def _components(correlation):
    """Loadings and remainder of the blocks, by principal factors."""
    correlation, communality = correlation.copy(), np.ones(len(correlation))
    for _ in range(ITERATIONS):
        np.fill_diagonal(correlation, communality)
        values, vectors = np.linalg.eigh(correlation)
        largest = np.argsort(-values)[:COMPONENTS]
        # A component that explains less than one block does belongs to the remainder.
        largest = largest[: max(1, np.count_nonzero(values > 1.0))]
        loadings = vectors[:, largest] * np.sqrt(np.maximum(values[largest], 0.0))
        before, communality = communality, np.minimum((loadings**2).sum(axis=1), 1.0)
        if np.abs(communality - before).max() < 1e-4:
            break
    loadings /= np.sqrt(np.maximum((loadings**2).sum(axis=1), 1.0))[:, None]
    return loadings, np.maximum(1.0 - (loadings**2).sum(axis=1), 0.0)


def _log_likelihood(sums, regression, trend, loadings, remainder):
    """Log likelihood of each τ² in FACTORS, shape (genes, len(FACTORS)).

    That of the samples' deviations from the design, as if these were independent but for what the
    design takes: the leverage of each, all samples being equal.
    """
    count = loadings.shape[1]
    within, found = within_variance(sums), np.zeros((trend.shape[1], len(FACTORS)))
    pairs = (loadings[:, :, None] * loadings[:, None]).reshape(len(loadings), -1)
    deviation, (effect, noise) = regression.residuals(sums.sums), regression.variances()
    shares = 1.0 - sums.design.leverage()
    for s in np.flatnonzero(noise.any(axis=0)):
        expected = trend * effect[:, s, None]
        # What the components leave out counts as noise, at τ² = 1.
        variance = within * noise[:, s, None] + remainder[:, None] * expected
        precision = np.divide(1.0, variance, out=np.zeros_like(variance), where=variance > 0)
        information = ((expected * precision).T @ pairs).reshape(-1, count, count)
        score = (np.sqrt(expected) * precision * deviation[:, s]).T @ loadings
        values, vectors = np.linalg.eigh(information)
        values, score = np.maximum(values, 0.0), np.einsum("gij,gi->gj", vectors, score)
        for i, factor in enumerate(FACTORS):
            added = 1.0 + factor * values
            gain = factor * score**2 / added - np.log(added)
            found[:, i] += 0.5 * shares[s] * gain.sum(axis=1)
    return found


def _level_trend(sums, regression):
    """Variance between samples expected at each gene's level in each block (blocks, genes).

    The squared deviations of samples from the design, less what their cells explain, rise
    with the expression level: an isotonic regression over all genes and blocks, in which each
    level counts by its precision, since the few highest would decide otherwise.
    """
    from scipy.optimize import isotonic_regression  # takes half a second, saved where not needed

    within = _by_genes(sums, _within)
    freedom = np.maximum(sums.cells - 1.0, 0.0).sum(axis=1)[:, None]
    noise = np.maximum(within, 0.0) / np.maximum(freedom, 1.0)
    level = sums.sums.sum(axis=1) / np.maximum(sums.cells.sum(axis=1), 1.0)[:, None]
    used = (regression.freedom >= 1) & (freedom[:, 0] > 0)
    between = _by_genes(sums, lambda part: _between(part, regression))
    excess = (between - noise * regression.freedom[:, None])[used].ravel()
    share = (sums.cells * regression.variances()[0]).sum(axis=1)
    levels = level[used].ravel()
    weight = np.broadcast_to(share[:, None], between.shape)[used].ravel()
    # The variance of a sum of squares of so many degrees of freedom, without sample effects.
    spread = (2.0 * regression.freedom[:, None] * noise**2)[used].ravel()
    bins = np.array_split(np.argsort(levels, kind="stable"), min(LEVELS, len(levels)))
    x, y, w, v = (
        np.array([value[i].sum() for i in bins]) for value in (levels, excess, weight, spread)
    )
    precision = np.divide(w**2, v, out=np.zeros_like(w), where=v > 0)
    fitted = isotonic_regression(y / w, weights=precision + TINY * precision.max()).x
    return np.maximum(np.interp(level, x / [len(i) for i in bins], fitted), 0.0)


def _by_genes(sums, function):
    """Join (blocks, genes) that a function makes of some genes at a time."""
    return np.concatenate([function(sums.of_genes(genes)) for genes in sums.slices()], axis=1)


def _within(sums):
    """Summed squares of deviations from the samples' means in each block."""
    counts = np.maximum(sums.cells, 1.0)
    return sums.squares - np.einsum("ksg,ks->kg", sums.sums**2, 1.0 / counts, optimize=True)


def _between(sums, regression):
    """Summed squares, over the cells, of deviations of samples' means from the design."""
    squares = regression.residuals(sums.sums) ** 2
    return np.einsum("ks,ksg->kg", sums.cells, squares, optimize=True)
