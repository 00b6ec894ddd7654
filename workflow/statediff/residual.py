r"""The residual test: which genes differ between the conditions within blocks of cells.

What is left of a gene after its mean in each block (`statediff.blocks`) has no structure where
nothing differs, whatever the abundances. In block k let :math:`\delta_k` be the difference of the
conditions, with information :math:`m_k = \sum_i w_i^2`, and :math:`V_k` the variance of the cells:

.. math:: z_k = \sqrt{m_k / V_k}\, \delta_k, \qquad
          z \sim N(0, R + \tau^2 E E^T) \text{ where nothing differs}

with R the diagonal of variances relative to V, and E the effects of samples, whose variance
follows the expression level and is scaled by the gene's own :math:`\tau^2`. The statistic
:math:`T = \lVert L^T M^{1/2} (I + \hat\tau^2 E E^T)^{-1} z \rVert^2`, with :math:`L L^T` a kernel
between the blocks and M = diag(m), is a score test of smooth changes (Wu et al., 2011, American
Journal of Human Genetics 89): a sum of weighted χ² under the null. Its tail is averaged over
what is known of :math:`\tau^2`, so that with few samples it is as heavy as it should be (cf.
Smyth, 2004, for one dimension). Tests at three scales are combined.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import isotonic_regression
from scipy.spatial.distance import cdist
from scipy.special import ndtr

from statediff.blocks import permute_within
from statediff.kernels import matern52
from statediff.significance import cauchy_combination, weighted_chi2_tail

__all__ = ["BlockSums", "block_sums", "residual_test"]

# Length scales, in distances between neighbouring blocks: of changes in all states alike, broad
# and local ones; and of the windows in which the largest change counts.
SCALES = (np.inf, 1.0, 0.5)
WINDOW = 0.7
# Blocks around each whose median distance is that unit.
NEIGHBORS = 5
# Eigenvalues of a kernel between blocks below this share of the largest are dropped, and all
# beyond so many.
SMALL, RANK = 1e-3, 100
# The variance of a block is shrunk to the gene's as if seen in so many more cells.
PRIOR_CELLS = 5.0
# Variance of sample effects, relative to what the expression level predicts.
EFFECTS = np.concatenate([[0.0], np.geomspace(0.02, 20.0, 13)])
ITERATIONS = 200
# Bins of expression level in which the variance between samples is measured.
LEVELS = 400
# Permutations, the genes of similar support whose permuted p-values are pooled, and the quantile
# of these that is compared with its nominal value.
PERMUTATIONS, POOLED, TAIL = 6, 800, 0.002
TINY = 1e-300
GENES = 256


@dataclass(frozen=True)
class BlockSums:
    r"""All that the test needs of the expression matrix.

    Attributes
    ----------
    cells : ndarray, shape (blocks, samples)
        Number of cells.
    sums : ndarray, shape (blocks, samples, genes)
        Summed expression.
    squares : ndarray, shape (blocks, genes)
        Summed squares.
    contrast : ndarray, shape (blocks, genes)
        Sums with the weights of `statediff.blocks.contrast_weights`.
    information : ndarray, shape (blocks,)
        m, the summed squares of these weights.
    exposure : ndarray, shape (blocks, samples)
        The weights summed over each sample.
    conditions : ndarray of int, shape (samples,)
        0 or 1.
    permuted : ndarray, shape (permutations, blocks, genes)
        The contrast with the weights permuted within each block.
    support : ndarray, shape (genes,)
        Number of cells, in effect, that the contrast rests on: :math:`(\sum x^2)^2 / \sum x^4`
        with x = w y.
    """

    cells: np.ndarray
    sums: np.ndarray
    squares: np.ndarray
    contrast: np.ndarray
    information: np.ndarray
    exposure: np.ndarray
    conditions: np.ndarray
    permuted: np.ndarray
    support: np.ndarray


def block_sums(blocks, codes, samples, conditions, weights, seed=0):
    """Sums over blocks and samples, in one pass over the expression matrix.

    Parameters
    ----------
    blocks : iterable of (int, scipy.sparse.csr_matrix)
        As for `statediff.expression.cross_products`.
    codes : ndarray of int, shape (n,)
        Block of each cell of the matrix; −1 for cells that take no part.
    samples : ndarray of int, shape (n,)
        Sample of each cell (its condition, if there are no samples).
    conditions : ndarray of int, shape (samples,)
        Condition of each sample, 0 or 1.
    weights : ndarray, shape (n,)
        From `statediff.blocks.contrast_weights`.
    seed : int
        Of the permutations.

    Returns
    -------
    BlockSums
    """
    inside = codes >= 0
    generator = np.random.default_rng(seed)
    shuffled = [permute_within(weights, codes, generator) for _ in range(PERMUTATIONS)]
    shape = codes.max() + 1, len(conditions)
    group = codes * shape[1] + samples
    total = squares = contrast = permuted = moments = None
    for start, block in blocks:
        rows = np.flatnonzero(inside[start : start + block.shape[0]])
        if total is None:
            total = np.zeros((shape[0] * shape[1], block.shape[1]))
            squares, contrast = (np.zeros((shape[0], block.shape[1])) for _ in range(2))
            permuted = np.zeros((PERMUTATIONS, shape[0], block.shape[1]), dtype=np.float32)
            moments = np.zeros((2, block.shape[1]))
        part, at = block[rows].astype(np.float64), start + rows
        total += (_indicator(group[at], len(total)) @ part).toarray()
        contrast += (_indicator(codes[at], shape[0], weights[at]) @ part).toarray()
        for i, values in enumerate(shuffled):
            permuted[i] += (_indicator(codes[at], shape[0], values[at]) @ part).toarray()
        part.data **= 2
        moments[0] += weights[at] ** 2 @ part
        squares += (_indicator(codes[at], shape[0]) @ part).toarray()
        part.data **= 2
        moments[1] += weights[at] ** 4 @ part
    cells, exposure = (
        np.bincount(group[inside], values, shape[0] * shape[1]).reshape(shape)
        for values in (None, weights[inside])
    )
    return BlockSums(
        cells=cells.astype(np.float64),
        sums=total.reshape(*shape, -1),
        squares=squares,
        contrast=contrast,
        information=np.bincount(codes[inside], weights[inside] ** 2, shape[0]),
        exposure=exposure,
        conditions=np.asarray(conditions),
        permuted=permuted,
        support=moments[0] ** 2 / np.where(moments[1] > 0, moments[1], 1.0),
    )


def _indicator(codes, count, values=None):
    """Matrix that sums rows by code."""
    values = np.ones(len(codes)) if values is None else values
    return sparse.csr_matrix((values, (codes, np.arange(len(codes)))), shape=(count, len(codes)))


def residual_test(sums, centres, sample_effects):
    """P-value of every gene, and a distance that is about 1 where nothing differs.

    Parameters
    ----------
    sums : BlockSums
    centres : ndarray, shape (blocks, P)
        Where the blocks lie (`statediff.blocks.centroids`).
    sample_effects : bool
        Whether to count the variance between samples.

    Returns
    -------
    dict of ndarray, shape (genes,)
        `pvalue`; `standardised`, √(T/E[T]) averaged over the scales (root of the mean square);
        `sample_effect`, the variance between samples relative to that expected at the gene's
        expression level (0 without samples).
    """
    total, residual = _variances(sums)
    trend = np.zeros_like(total)
    effects, posterior = np.zeros(1), np.ones((total.shape[1], 1))
    if sample_effects:
        trend = _level_trend(sums)
        posterior = _sample_effects(sums, residual, trend)
        kept = posterior.mean(axis=0) > 1e-4
        kept[0] = True
        posterior = posterior[:, kept] / posterior[:, kept].sum(axis=1, keepdims=True)
        effects = EFFECTS[kept]
    used = sums.information > 1e-6
    scale = np.sqrt(np.where(used, sums.information, np.inf))
    z, permuted = (x / (scale[:, None] * np.sqrt(residual)) for x in (sums.contrast, sums.permuted))
    exposure, spread = sums.exposure / scale[:, None], np.sqrt(trend / residual)
    varies = total.max(axis=0) > 0
    scale = np.where(used, scale, 0.0)
    apart = np.sort(cdist(centres, centres), axis=1)[:, 1 : NEIGHBORS + 1]
    unit = np.median(apart)
    smoothers = [_kernel_root(centres, unit * factor).T * scale for factor in SCALES]
    smoothers.append(np.asarray(matern52(centres, centres, unit * WINDOW)) * scale)
    pvalues, null, ratios = [], [], []
    for start in range(0, z.shape[1], GENES):
        genes = slice(start, start + GENES)
        found = _gene_tests(
            smoothers,
            z[:, genes].T,
            permuted[:, :, genes].transpose(0, 2, 1),
            (total / residual)[:, genes].T,
            np.einsum("ks,kg->gks", exposure, spread[:, genes]),
            posterior[genes],
            effects,
        )
        for values, part in zip((pvalues, null, ratios), found, strict=True):
            values.append(part)
    pvalues, null, ratios = (np.concatenate(x, axis=-1) for x in (pvalues, null, ratios))
    order = np.argsort(sums.support, kind="stable")
    exponents = np.array([_tail_exponents(tests[:, order]) for tests in null])
    pvalues[:, order] = pvalues[:, order] ** exponents
    return {
        "pvalue": np.where(varies, cauchy_combination(pvalues), 1.0),
        "standardised": np.where(varies, np.sqrt(ratios.mean(axis=0)), 0.0),
        "sample_effect": posterior @ effects,
    }


def _gene_tests(smoothers, z, permuted, relative, exposure, posterior, effects):
    """P-values of some genes at every scale (tests, genes), the same of the permutations where
    samples have no effect (tests, permutations, genes), and T/E[T] (scales, genes)."""
    pvalues, null, ratios = [], [], []
    expected = posterior @ effects
    for smoother in smoothers[:-1]:
        reduced = _reduced(smoother, exposure, expected)
        cumulants = _power_sums(reduced, relative, exposure, effects)
        statistic = _squared(reduced, z)
        tails = [weighted_chi2_tail(statistic, *moments) for moments in cumulants]
        pvalues.append((posterior.T * tails).sum(axis=0))
        null.append([weighted_chi2_tail(_squared(reduced, x), *cumulants[0]) for x in permuted])
        mean = (posterior.T * cumulants[:, 0]).sum(axis=0)
        ratios.append(np.divide(statistic, mean, out=np.zeros_like(mean), where=mean > 0))
    reduced = _reduced(smoothers[-1], exposure, expected)
    noise = np.einsum("grk,gk->gr", reduced**2, relative)
    shared = ((reduced @ exposure) ** 2).sum(axis=2)
    tails = [_windows(reduced, z, noise + effect * shared) for effect in effects]
    pvalues.append(cauchy_combination(np.einsum("gt,tgr->rg", posterior, tails)))
    null.append([cauchy_combination(_windows(reduced, x, noise).T) for x in permuted])
    return np.maximum(pvalues, TINY), np.maximum(null, TINY), np.array(ratios)


def _squared(reduced, z):
    return (np.einsum("grk,gk->gr", reduced, z, optimize=True) ** 2).sum(axis=1)


def _windows(reduced, z, variance):
    """P-value of the mean around each block, shape (genes, blocks)."""
    mean = np.einsum("grk,gk->gr", reduced, z, optimize=True)
    score = np.divide(mean, np.sqrt(variance), out=np.zeros_like(mean), where=variance > 0)
    return np.maximum(2.0 * ndtr(-np.abs(score)), TINY)


def _tail_exponents(null):
    """Exponents b ≤ 1 of the p-values of genes, such that p^b holds its level (genes,).

    A contrast that rests on few cells has heavier tails than the normal law. Among the permuted
    p-values of genes with about the same support, the smallest in 200 should be 1/200.
    """
    reach, window = null.shape[1], min(POOLED, null.shape[1])
    starts = np.unique(np.linspace(0, reach - window, max(2, 4 * reach // window)).astype(int))
    quantiles = [np.quantile(null[:, i : i + window], TAIL) for i in starts]
    found = np.log(TAIL) / np.log(np.minimum(quantiles, TAIL))
    return np.interp(np.arange(reach), starts + window / 2, found)


def _variances(sums):
    """Variance of the cells within each block: as seen, and shrunk to the gene's.

    Over both conditions, so that a gene seen in a single cell of a block has a variance there.
    """
    cells = sums.cells.sum(axis=1)[:, None]
    deviation = sums.squares - sums.sums.sum(axis=1) ** 2 / np.maximum(cells, 1.0)
    # Sums of squares of a constant differ by rounding only.
    deviation = np.where(deviation > 1e-9 * sums.squares, deviation, 0.0)
    freedom = np.maximum(cells - 1.0, 0.0)
    pooled = deviation.sum(axis=0) / freedom.sum()
    pooled = np.where(pooled > 0, pooled, 1.0)
    seen = deviation / np.maximum(freedom, 1.0)
    return seen, (deviation + PRIOR_CELLS * pooled) / (freedom + PRIOR_CELLS)


def _means(sums, samples):
    """Means of some samples, and of these together, in each block."""
    cells = sums.cells[:, samples]
    means = sums.sums[:, samples] / np.maximum(cells, 1.0)[:, :, None]
    joint = sums.sums[:, samples].sum(axis=1) / np.maximum(cells.sum(axis=1), 1.0)[:, None]
    return cells, means, joint


def _replicated(sums):
    """Samples of each condition that has more than one."""
    groups = [np.flatnonzero(sums.conditions == condition) for condition in (0, 1)]
    return [samples for samples in groups if len(samples) >= 2]


def _level_trend(sums):
    """Variance between samples expected at each gene's level in each block (blocks, genes).

    The squared deviations of samples from their condition, less what their cells explain, rise
    with the expression level: an isotonic regression over all genes and blocks.
    """
    within = sums.squares - np.einsum(
        "ksg,ks->kg", sums.sums**2, 1.0 / np.maximum(sums.cells, 1.0), optimize=True
    )
    freedom = np.maximum(sums.cells - 1.0, 0.0).sum(axis=1)[:, None]
    noise = np.maximum(within, 0.0) / np.maximum(freedom, 1.0)
    level = sums.sums.sum(axis=1) / np.maximum(sums.cells.sum(axis=1), 1.0)[:, None]
    levels, excess, weight = [], [], []
    for samples in _replicated(sums):
        cells, means, joint = _means(sums, samples)
        shared = ((cells > 0).sum(axis=1) >= 2) & (freedom[:, 0] > 0)
        between = np.einsum("ks,ksg->kg", cells, (means - joint[:, None]) ** 2, optimize=True)
        explained = noise * ((cells > 0).sum(axis=1) - 1.0)[:, None]
        together = cells.sum(axis=1)
        share = together - (cells**2).sum(axis=1) / np.maximum(together, 1.0)
        levels.append(level[shared].ravel())
        excess.append((between - explained)[shared].ravel())
        weight.append(np.broadcast_to(share[:, None], between.shape)[shared].ravel())
    levels, excess, weight = map(np.concatenate, (levels, excess, weight))
    bins = np.array_split(np.argsort(levels, kind="stable"), min(LEVELS, len(levels)))
    x, y, w = (np.array([v[i].sum() for i in bins]) for v in (levels, excess, weight))
    fitted = isotonic_regression(y / w, weights=w).x
    return np.maximum(np.interp(level, x / [len(i) for i in bins], fitted), 0.0)


def _sample_effects(sums, variance, trend):
    """Posterior of each gene's τ² over EFFECTS, shape (genes, len(EFFECTS)).

    The likelihood is that of the samples' deviations from their condition with the means of
    block and condition projected out (restricted); the prior, shared by the genes, is fitted
    by expectation maximisation.
    """
    ratio, information, scores = trend / variance, [], []
    for samples in _replicated(sums):
        cells, means, joint = _means(sums, samples)
        inner = np.einsum("ks,st->kst", cells, np.eye(len(samples)))
        inner -= (
            cells[:, :, None]
            * cells[:, None, :]
            / np.maximum(cells.sum(axis=1), 1.0)[:, None, None]
        )
        precision = np.einsum("kg,kst->gst", ratio, inner, optimize=True)
        deviation = (means - joint[:, None]) * np.sqrt(ratio / variance)[:, None]
        score = np.einsum("ks,ksg->gs", cells, deviation, optimize=True)
        values, vectors = np.linalg.eigh(precision)
        # The first is that of the mean: no information.
        information.append(values[:, 1:])
        scores.append(np.einsum("gst,gs->gt", vectors, score)[:, 1:])
    information = np.maximum(np.concatenate(information, axis=1), 1e-9)[:, :, None]
    scores = np.concatenate(scores, axis=1)[:, :, None]
    added = 1.0 + EFFECTS * information
    log_likelihood = -0.5 * (np.log(added) + scores**2 / (information * added)).sum(axis=1)
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    prior = np.full(len(EFFECTS), 1.0 / len(EFFECTS))
    for _ in range(ITERATIONS):
        posterior = likelihood * prior
        posterior /= posterior.sum(axis=1, keepdims=True)
        prior = posterior.mean(axis=0)
    return posterior


def _kernel_root(centres, ls):
    """L with LL' the Matérn kernel between blocks; a constant for an infinite length scale."""
    if np.isinf(ls):
        return np.ones((len(centres), 1))
    values, vectors = np.linalg.eigh(np.asarray(matern52(centres, centres, ls)))
    kept = (values > SMALL * values[-1]) & (np.arange(len(values)) >= len(values) - RANK)
    return vectors[:, kept] * np.sqrt(values[kept])


def _reduced(smoother, exposure, expected):
    r"""N = :math:`L^T M^{1/2} (I + \hat\tau^2 E E^T)^{-1}` of each gene, (genes, r, blocks).

    Parameters
    ----------
    smoother : ndarray, shape (r, blocks)
        :math:`L^T M^{1/2}`.
    exposure : ndarray, shape (genes, blocks, samples)
        E.
    expected : ndarray, shape (genes,)
        :math:`\hat\tau^2`.
    """
    transposed = exposure.swapaxes(1, 2)
    inner = np.eye(exposure.shape[2]) + expected[:, None, None] * (transposed @ exposure)
    removed = expected[:, None, None] * np.linalg.solve(inner, transposed)
    return smoother - (smoother @ exposure) @ removed


def _power_sums(reduced, relative, exposure, effects):
    """First four power sums of the weights of T = ‖Nz‖² at each τ², shape (t, 4, genes)."""
    noise = (reduced * relative[:, None, :]) @ reduced.swapaxes(1, 2)
    shared = reduced @ exposure
    shared = shared @ shared.swapaxes(1, 2)
    sums = np.empty((len(effects), 4, len(reduced)))
    for i, effect in enumerate(effects):
        covariance = noise + effect * shared
        square = covariance @ covariance
        sums[i, 0] = np.trace(covariance, axis1=1, axis2=2)
        sums[i, 1] = (covariance**2).sum(axis=(1, 2))
        sums[i, 2] = (square * covariance).sum(axis=(1, 2))
        sums[i, 3] = (square**2).sum(axis=(1, 2))
    return sums
