r"""The residual test: which genes differ between the conditions within blocks of cells.

What is left of a gene after its mean in each block (`statediff.blocks`) has no structure where
nothing differs, whatever the abundances. A region is a set of neighbouring blocks, from a few up
to all of them. With :math:`d_k` the weighted sum of the gene in block k (its adjusted difference of
conditions times the information :math:`m_k = \sum_i w_i^2`) and :math:`V_k` the variance of the
cells, where nothing differs

.. math:: d \sim (0, D + \tau^2 F F^T), \qquad D = \mathrm{diag}(m_k V_k)

with F the exposure of the blocks to each sample, times the variance between samples that the
expression level lets expect, and :math:`\tau^2` the gene's own factor. The score of a region is
:math:`t_r = 1_r^T D (D + \epsilon \hat\tau^2 F F^T)^{-1} d`, without samples the sum of its blocks;
with :math:`\epsilon = 0.2` it leans little on F, which is known roughly. Its tail is that of a
gamma law with the mean, variance and skewness that it has when the weights of the cells are
permuted within blocks. It is averaged over what is known of :math:`\tau^2`, so that with few
samples it is as heavy as it should be (cf. Smyth, 2004, for one dimension). The regions' p-values
are combined.

References
----------
Winkler, Ridgway, Douaud, Nichols & Smith (2016), NeuroImage 141, for the gamma approximation of
permutation tests.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.optimize import isotonic_regression
from scipy.special import gammaincc, ndtr

from statediff.significance import cauchy_combination

__all__ = ["BlockSums", "block_sums", "residual_test"]

# The variance of a block is shrunk to the gene's as if seen in so many more cells.
PRIOR_CELLS = 5.0
# Variance of sample effects, relative to what the expression level predicts.
EFFECTS = np.concatenate([[0.0], np.geomspace(0.02, 20.0, 13)])
ITERATIONS = 200
# How much of the sample effects the filter removes: how they spread over blocks is known roughly.
REMOVED = 0.2
# Bins of expression level in which the variance between samples is measured.
LEVELS = 400
# Below this skewness a gamma law is a normal one.
SYMMETRIC = 1e-3
TINY = 1e-300
# Numbers (genes × blocks × regions or samples) in memory at a time, beside the sums.
AT_ONCE = 4_000_000


@dataclass(frozen=True)
class BlockSums:
    r"""All that the test needs of the expression matrix.

    Attributes
    ----------
    cells : ndarray, shape (blocks, samples)
        Number of cells.
    sums : ndarray, shape (blocks, samples, genes)
        Summed expression.
    squares, cubes : ndarray, shape (blocks, genes)
        Summed squares and third powers.
    contrast : ndarray, shape (blocks, genes)
        Sums with the weights of `statediff.blocks.contrast_weights`.
    information, skew : ndarray, shape (blocks,)
        m, the summed squares of these weights, and their summed third powers.
    exposure : ndarray, shape (blocks, samples)
        The weights summed over each sample.
    conditions : ndarray of int, shape (samples,)
        0 or 1.
    """

    cells: np.ndarray
    sums: np.ndarray
    squares: np.ndarray
    cubes: np.ndarray
    contrast: np.ndarray
    information: np.ndarray
    skew: np.ndarray
    exposure: np.ndarray
    conditions: np.ndarray

    def of_genes(self, genes):
        """The sums of some genes only."""
        names = ("sums", "squares", "cubes", "contrast")
        return replace(self, **{name: getattr(self, name)[..., genes] for name in names})

    def slices(self, wide=1):
        """Slices of the genes for what takes a number per block and sample (or more)."""
        blocks, samples = self.cells.shape
        step = max(1, AT_ONCE // (blocks * max(samples, wide)))
        return [slice(start, start + step) for start in range(0, self.contrast.shape[1], step)]


def block_sums(blocks, codes, samples, conditions, weights):
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
    weights : sequence of ndarray, shape (n,)
        From `statediff.blocks.contrast_weights`, and others to see what they would give.

    Returns
    -------
    list of BlockSums
        One for each of the weights.
    """
    inside = codes >= 0
    shape = codes.max() + 1, len(conditions)
    group = codes * shape[1] + samples
    total = squares = cubes = contrasts = None
    for start, block in blocks:
        rows = np.flatnonzero(inside[start : start + block.shape[0]])
        if total is None:
            total = np.zeros((shape[0] * shape[1], block.shape[1]))
            squares, cubes, *contrasts = np.zeros((2 + len(weights), shape[0], block.shape[1]))
        part, at = block[rows].astype(np.float64), start + rows
        of_block = _indicator(codes[at], shape[0])
        total += (_indicator(group[at], len(total)) @ part).toarray()
        for contrast, weight in zip(contrasts, weights, strict=True):
            contrast += (_indicator(codes[at], shape[0], weight[at]) @ part).toarray()
        squares += (of_block @ part.power(2)).toarray()
        cubes += (of_block @ part.power(3)).toarray()
    cells = _counted(group[inside], shape)
    found = []
    for contrast, weight in zip(contrasts, weights, strict=True):
        used = weight[inside]
        information, skew = (np.bincount(codes[inside], used**power, shape[0]) for power in (2, 3))
        found.append(
            BlockSums(
                cells=cells,
                sums=total.reshape(*shape, -1),
                squares=squares,
                cubes=cubes,
                contrast=contrast,
                information=information,
                skew=skew,
                exposure=_counted(group[inside], shape, used),
                conditions=np.asarray(conditions),
            )
        )
    return found


def _counted(groups, shape, values=None):
    """Cells of each block and sample, or their summed values."""
    return np.bincount(groups, values, shape[0] * shape[1]).reshape(shape).astype(np.float64)


def _indicator(codes, count, values=None):
    """Matrix that sums rows by code."""
    values = np.ones(len(codes)) if values is None else values
    return sparse.csr_matrix((values, (codes, np.arange(len(codes)))), shape=(count, len(codes)))


def residual_test(sums, regions, sample_effects):
    """P-value of every gene, and a distance that is about 1 where nothing differs.

    Parameters
    ----------
    sums : BlockSums
    regions : array of bool, shape (regions, blocks)
        Sets of blocks (`statediff.blocks.nested_regions`); all blocks last.
    sample_effects : bool
        Whether to count the variance between samples, which must meet in some block
        (`statediff.blocks.samples_meet`).

    Returns
    -------
    dict of ndarray, shape (genes,)
        `pvalue`; `standardised`, the root mean square of the regions' scores, each by its standard
        deviation; `sample_effect`, the variance between samples relative to that expected at
        the gene's expression level (0 without samples).
    """
    total, shrunk = _variances(sums)
    spread, effects, posterior = np.zeros_like(total), np.zeros(1), np.ones((total.shape[1], 1))
    if sample_effects:
        trend = _level_trend(sums)
        posterior = _sample_effects(sums, shrunk, trend)
        kept = posterior.mean(axis=0) > 1e-4
        kept[0] = True
        posterior = posterior[:, kept] / posterior[:, kept].sum(axis=1, keepdims=True)
        effects, spread = EFFECTS[kept], np.sqrt(trend)
    information = sums.information[:, None]
    used = information > 1e-6
    precision = np.divide(1.0, information * shrunk, out=np.zeros_like(shrunk), where=used)
    regions, third = np.asarray(regions, dtype=np.float64), _third_moments(sums)
    pvalues, scores = np.empty((2, len(regions), total.shape[1]))
    for genes in sums.slices(len(regions)):
        exposure = np.einsum("ks,kg->gks", np.where(used, sums.exposure, 0.0), spread[:, genes])
        pvalues[:, genes], scores[:, genes] = _region_tests(
            regions,
            *(x[:, genes].T for x in (sums.contrast, information * total, third, precision)),
            exposure,
            posterior[genes],
            effects,
        )
    tests = [pvalues[-1]]
    if len(regions) > 1:
        tests.append(cauchy_combination(pvalues[:-1]))
    varies = (total * used).max(axis=0) > 0
    return {
        "pvalue": np.where(varies, np.maximum(cauchy_combination(np.array(tests)), TINY), 1.0),
        "standardised": np.where(varies, np.sqrt((scores**2).mean(axis=0)), 0.0),
        "sample_effect": posterior @ effects,
    }


def _region_tests(regions, contrast, noise, third, precision, exposure, posterior, effects):
    r"""P-values and standardised scores of some genes in all regions, (regions, genes) each.

    Parameters
    ----------
    regions : ndarray, shape (r, blocks)
    contrast, noise, third : ndarray, shape (genes, blocks)
        d, and its variance and third moment where samples have no effect.
    precision : ndarray, shape (genes, blocks)
        Diagonal of :math:`D^{-1}`.
    exposure : ndarray, shape (genes, blocks, samples)
        F.
    posterior : ndarray, shape (genes, effects)
        Of each τ² in `effects`.
    """
    filters = _filters(regions, precision, exposure, REMOVED * (posterior @ effects))
    score = np.einsum("grk,gk->gr", filters, contrast, optimize=True)
    variance = np.einsum("grk,gk->gr", filters**2, noise, optimize=True)
    skewed = np.einsum("grk,gk->gr", filters**3, third, optimize=True)
    shared = ((filters @ exposure) ** 2).sum(axis=2)
    tails = np.zeros_like(score)
    for effect, share in zip(effects, posterior.T, strict=True):
        tails += share[:, None] * _gamma_tail(score, variance + effect * shared, skewed)
    variance += (posterior @ effects)[:, None] * shared
    score = np.divide(score, np.sqrt(variance), out=np.zeros_like(score), where=variance > 0)
    return np.maximum(tails, TINY).T, score.T


def _filters(regions, precision, exposure, removed):
    r"""Rows :math:`1_r^T D (D + x F F^T)^{-1}`, x being `removed`, shape (genes, r, blocks)."""
    if not removed.any():
        return np.broadcast_to(regions, (len(precision), *regions.shape))
    weighted = (exposure * precision[:, :, None]).swapaxes(1, 2)
    inner = np.eye(exposure.shape[2]) + removed[:, None, None] * (weighted @ exposure)
    return regions - (regions @ exposure) @ (
        removed[:, None, None] * np.linalg.solve(inner, weighted)
    )


def _gamma_tail(score, variance, third):
    """Two-sided tail of a shifted gamma law with these moments; the thin side as if normal."""
    positive = variance > 0
    spread = np.sqrt(np.where(positive, variance, 1.0))
    score, skewness = score / spread, third / spread**3
    along = score * skewness > 0
    shape = 4.0 / np.maximum(np.abs(skewness), SYMMETRIC) ** 2
    heavy = gammaincc(shape, shape + np.sqrt(shape) * np.abs(score))
    tail = np.where(along & (np.abs(skewness) > SYMMETRIC), heavy, ndtr(-np.abs(score)))
    return np.where(positive, np.minimum(2.0 * tail, 1.0), 1.0)


def _third_moments(sums):
    r"""Third moment of the contrast when weights are permuted within blocks (blocks, genes).

    :math:`n \sum_i w_i^3 \sum_i (y_i - \bar y)^3 / ((n - 1)(n - 2))` with n the block's cells.
    """
    cells = sums.cells.sum(axis=1)[:, None]
    mean = sums.sums.sum(axis=1) / np.maximum(cells, 1.0)
    central = sums.cubes - 3.0 * mean * sums.squares + 2.0 * cells * mean**3
    return cells / np.maximum((cells - 1.0) * (cells - 2.0), 1.0) * sums.skew[:, None] * central


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
    within = _by_genes(sums, _within)
    freedom = np.maximum(sums.cells - 1.0, 0.0).sum(axis=1)[:, None]
    noise = np.maximum(within, 0.0) / np.maximum(freedom, 1.0)
    level = sums.sums.sum(axis=1) / np.maximum(sums.cells.sum(axis=1), 1.0)[:, None]
    levels, excess, weight = [], [], []
    for samples in _replicated(sums):
        cells = sums.cells[:, samples]
        shared = ((cells > 0).sum(axis=1) >= 2) & (freedom[:, 0] > 0)
        between = _by_genes(sums, lambda part, samples=samples: _between(part, samples))
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


def _by_genes(sums, function):
    """Join (blocks, genes) that a function makes of some genes at a time."""
    return np.concatenate([function(sums.of_genes(genes)) for genes in sums.slices()], axis=1)


def _within(sums):
    """Summed squares of deviations from the samples' means in each block."""
    counts = np.maximum(sums.cells, 1.0)
    return sums.squares - np.einsum("ksg,ks->kg", sums.sums**2, 1.0 / counts, optimize=True)


def _between(sums, samples):
    """Summed squares, over the cells, of deviations of samples' means from their joint one."""
    cells, means, joint = _means(sums, samples)
    return np.einsum("ks,ksg->kg", cells, (means - joint[:, None]) ** 2, optimize=True)


def _sample_effects(sums, variance, trend):
    """Posterior of each gene's τ² over EFFECTS, shape (genes, len(EFFECTS)).

    The prior, shared by the genes, is fitted by expectation maximisation.
    """
    log_likelihood = np.concatenate(
        [
            _log_likelihood(sums.of_genes(genes), variance[:, genes], trend[:, genes])
            for genes in sums.slices()
        ]
    )
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    prior = np.full(len(EFFECTS), 1.0 / len(EFFECTS))
    for _ in range(ITERATIONS):
        posterior = likelihood * prior
        posterior /= posterior.sum(axis=1, keepdims=True)
        prior = posterior.mean(axis=0)
    return posterior


def _log_likelihood(sums, variance, trend):
    """Log likelihood of each τ² in EFFECTS, shape (genes, len(EFFECTS)): that of the samples'
    deviations from their condition, the means of block and condition projected out (restricted).
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
    return -0.5 * (np.log(added) + scores**2 / (information * added)).sum(axis=1)
