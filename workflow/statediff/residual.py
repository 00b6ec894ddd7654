r"""The residual test: which genes differ between the conditions within blocks of cells.

What is left of a gene after its mean in each block (`statediff.blocks`) has no structure where
nothing differs, whatever the abundances. A region is a set of neighbouring blocks, from a few up
to all of them. With :math:`d_k` the weighted sum of the gene in block k (its adjusted difference of
conditions times the information :math:`m_k = \sum_i w_i^2`) and :math:`V_k` the variance of the
cells, where nothing differs

.. math:: d \sim (0, D + \tau^2 F F^T), \qquad D = \mathrm{diag}(m_k V_k + \tau^2 t_k r_k
    \sum_s e_{ks}^2)

with :math:`e_{ks}` the exposure of block k to sample s (the weights summed over the sample's
cells), a column :math:`e_{ks} \sqrt{t_k} L_{kc}` of F for each sample s and component c, and
t, L, r and :math:`\tau^2` those of `statediff.sample_effects`. The score of a region is
:math:`1_r^T D (D + \epsilon \hat\tau^2 F F^T)^{-1} d`, with the leading components in F; without
samples it is the sum of the region's blocks. With :math:`\epsilon = 0.2` the filter depends little
on K, which is known roughly; the variance of the score is that of the whole model. Its tail is that
of a gamma law with this variance and the skewness that the score has when the weights of the cells
are permuted within blocks, averaged over the posterior of :math:`\tau^2`, so that with few samples
it is as heavy as it should be (cf. Smyth, 2004, for one dimension). The p-values of the regions
are combined, and so are those of several partitions of the cells into blocks.

References
----------
Winkler, Ridgway, Douaud, Nichols & Smith (2016), NeuroImage 141, for the gamma approximation of
permutation tests.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.special import gammaincc, ndtr

from statediff.design import Design, regress
from statediff.sample_effects import PRIOR_CELLS, SampleEffects, fit_sample_effects
from statediff.significance import cauchy_combination

__all__ = ["BlockSums", "block_sums", "region_tests", "residual_test"]

# How much of the sample effects the filter removes, and the leading components of them.
REMOVED, FILTERED = 0.2, 2
# Below the first skewness a gamma law is a normal one, and above the second far from one.
SYMMETRIC, SKEWED = 1e-3, 0.5
# Closer to the mean of a gamma law the formula of its tail loses digits, and a series has enough.
NEAR = 0.02
# How close to the end of its thin side a gamma law is looked at.
TINY_SHARE = 1e-9
# Values of τ² less probable than this for a gene do not count for it.
IMPROBABLE = 1e-7
TINY = 1e-300
# Numbers (genes × blocks × regions or samples) in memory at a time, beside the sums.
AT_ONCE = 2_000_000


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
    design : statediff.design.Design
        Of the samples.
    """

    cells: np.ndarray
    sums: np.ndarray
    squares: np.ndarray
    cubes: np.ndarray
    contrast: np.ndarray
    information: np.ndarray
    skew: np.ndarray
    exposure: np.ndarray
    design: Design

    def of_genes(self, genes):
        """The sums of some genes only."""
        names = ("sums", "squares", "cubes", "contrast")
        return replace(self, **{name: getattr(self, name)[..., genes] for name in names})

    def slices(self, wide=1):
        """Slices of the genes for what takes a number per block and sample (or more)."""
        blocks, samples = self.cells.shape
        step = max(1, AT_ONCE // (blocks * max(samples, wide)))
        return [slice(start, start + step) for start in range(0, self.contrast.shape[1], step)]


def block_sums(blocks, partitions, samples, design, threads=1):
    """Sums over blocks and samples, in one pass over the expression matrix.

    Parameters
    ----------
    blocks : iterable of (int, scipy.sparse.csr_matrix)
        As for `statediff.expression.cross_products`.
    partitions : sequence of (ndarray of int, sequence of ndarray), each of shape (n,)
        Block of each cell of the matrix, −1 for cells that take no part; and weights, those of
        `statediff.blocks.contrast_weights` and others to see what they would give.
    samples : ndarray of int, shape (n,)
        Sample of each cell (its condition, if there are no samples).
    design : statediff.design.Design
        Of the samples.
    threads : int
        That add up some of the partitions each.

    Returns
    -------
    list of list of BlockSums
        For each partition, one for each of its weights.
    """
    count = len(design.conditions)
    adders = [_Adder(codes, samples, count, weights) for codes, weights in partitions]
    with ThreadPoolExecutor(threads) as pool:
        for start, block in blocks:
            values = block.astype(np.float64)
            powers = values, values.power(2), values.power(3)
            list(pool.map(lambda adder, at=start, of=powers: adder.add(at, of), adders))
    return [adder.sums(design) for adder in adders]


class _Adder:
    """Sums of one partition, to which the blocks of the matrix add up."""

    def __init__(self, codes, samples, n_samples, weights):
        self.codes, self.weights = np.asarray(codes), weights
        self.inside = self.codes >= 0
        self.shape = self.codes.max() + 1, n_samples
        self.group = self.codes * n_samples + samples
        self.total = None

    def add(self, start, powers):
        """Add consecutive cells from `start` on: their values, squares and third powers."""
        rows = np.flatnonzero(self.inside[start : start + powers[0].shape[0]])
        n_blocks, at, shape = self.shape[0], start + rows, powers[0].shape
        if self.total is None:
            self.total = np.zeros((n_blocks * self.shape[1], shape[1]))
            self.squares, self.cubes = np.zeros((2, n_blocks, shape[1]))
            self.contrasts = np.zeros((len(self.weights), n_blocks, shape[1]))
        of_block = _indicator(self.codes[at], rows, (n_blocks, shape[0]))
        of_group = _indicator(self.group[at], rows, (len(self.total), shape[0]))
        self.total += (of_group @ powers[0]).toarray()
        self.squares += (of_block @ powers[1]).toarray()
        self.cubes += (of_block @ powers[2]).toarray()
        for contrast, weight in zip(self.contrasts, self.weights, strict=True):
            weighted = _indicator(self.codes[at], rows, (n_blocks, shape[0]), weight[at])
            contrast += (weighted @ powers[0]).toarray()

    def sums(self, design):
        group, codes = self.group[self.inside], self.codes[self.inside]
        cells, found = _counted(group, self.shape), []
        for contrast, weight in zip(self.contrasts, self.weights, strict=True):
            used = weight[self.inside]
            information, skew = (np.bincount(codes, used**power, self.shape[0]) for power in (2, 3))
            found.append(
                BlockSums(
                    cells=cells,
                    sums=self.total.reshape(*self.shape, -1),
                    squares=self.squares,
                    cubes=self.cubes,
                    contrast=contrast,
                    information=information,
                    skew=skew,
                    exposure=_counted(group, self.shape, used),
                    design=design,
                )
            )
        return found


def _counted(groups, shape, values=None):
    """Cells of each block and sample, or their summed values."""
    return np.bincount(groups, values, shape[0] * shape[1]).reshape(shape).astype(np.float64)


def _indicator(codes, rows, shape, values=None):
    """Matrix that sums some rows by code."""
    values = np.ones(len(codes)) if values is None else values
    return sparse.csr_matrix((values, (codes, rows)), shape=shape)


def residual_test(partitions, sample_effects, lfc=0.0, threads=1):
    r"""P-value of every gene, and a distance that is about 1 where nothing differs.

    With a threshold c the hypothesis is that the log fold change is at most c in size in every
    block: with :math:`\bar y_k` the gene's mean there, the expected sum :math:`d_k` is at most
    :math:`m_k \, 2 \bar y_k (2^c - 1) / (2^c + 1)` in size, and the tail of a region's score begins
    at its sum with the filter's weights.

    Parameters
    ----------
    partitions : sequence of (BlockSums, array of bool, shape (regions, blocks))
        Sums of each partition of the cells into blocks, and its sets of blocks
        (`statediff.blocks.nested_regions`); all blocks last.
    sample_effects : bool or statediff.sample_effects.SampleEffects
        Whether to count the variance between samples, which must meet in some block of each
        partition (`statediff.blocks.samples_meet`); or their effects, if they are known of the
        first partition.
    lfc : float
        c, a log2 fold change.
    threads : int
        That test some of the genes each.

    Returns
    -------
    dict of ndarray, shape (genes,)
        `pvalue`; `standardised`, the root mean square of the regions' scores, each by its standard
        deviation; `sample_effect`, the variance between samples relative to that expected at
        the gene's expression level (0 without samples).

    References
    ----------
    McCarthy & Smyth (2009), Bioinformatics 25, for tests beyond a threshold.
    """
    pvalues, squares, effects = [], [], [None] * len(partitions)
    if sample_effects:
        known = isinstance(sample_effects, SampleEffects)
        effects[0] = sample_effects
        if not known:
            effects[0] = fit_sample_effects(partitions[0][0], threads=threads)
        with ThreadPoolExecutor(threads) as pool:
            rest = [(sums, effects[0]) for sums, _ in partitions[1:]]
            effects[1:] = pool.map(lambda fit: fit_sample_effects(*fit), rest)
    for (sums, regions), of_samples in zip(partitions, effects, strict=True):
        pvalue, square = _test(sums, np.asarray(regions, np.float64), of_samples, lfc, threads)
        pvalues.append(pvalue)
        squares.append(square)
    pvalues = np.array(pvalues)
    combined = np.maximum(cauchy_combination(pvalues), TINY)
    return {
        "pvalue": np.where((pvalues < 1.0).any(axis=0), combined, 1.0),
        "standardised": np.sqrt(np.mean(squares, axis=0)),
        "sample_effect": effects[0].mean if effects[0] else np.zeros(len(pvalues[0])),
    }


def _test(sums, regions, effects, lfc, threads):
    """P-values of one partition, and mean squares of the regions' standardised scores."""
    pvalues, scores = region_tests(sums, regions, effects, lfc, threads, REMOVED)
    tests = [pvalues[-1]]
    if len(regions) > 1:
        tests.append(cauchy_combination(pvalues[:-1]))
    combined = np.maximum(cauchy_combination(np.array(tests)), TINY)
    squares = np.einsum("rg,rg->g", scores, scores) / len(scores)
    return np.where((pvalues < 1.0).any(axis=0), combined, 1.0), squares


def region_tests(sums, regions, effects, lfc=0.0, threads=1, removed=0.0):
    r"""P-value of every region and gene.

    Parameters
    ----------
    sums : BlockSums
    regions : array of bool, shape (regions, blocks)
    effects : statediff.sample_effects.SampleEffects or None
        Of the same genes; None where there are no samples.
    lfc : float
        As for `residual_test`.
    threads : int
    removed : float
        :math:`\epsilon`, how much of the sample effects the filter removes; with 0 the score of a
        region is the sum of its own blocks, and a difference elsewhere is nothing to it.

    Returns
    -------
    pvalues, scores : ndarray, shape (regions, genes)
        Scores by their standard deviation; positive where expression is higher in the compared
        condition.
    """
    regions = np.asarray(regions, dtype=np.float64)
    total, shrunk = _variances(sums)
    pvalues, scores = np.empty((2, len(regions), total.shape[1]))
    information = np.where(sums.information > 1e-6, sums.information, 0.0)[:, None]
    noise, third = information * total, _third_moments(sums)
    means = sums.sums.sum(axis=1) / np.maximum(sums.cells.sum(axis=1), 1.0)[:, None]
    most = information * 2.0 * means * (2.0**lfc - 1.0) / (2.0**lfc + 1.0) if lfc else None
    columns = (
        effects.loadings.size // len(information) * len(sums.design.conditions) if effects else 1
    )
    exposure = np.where(information > 0, sums.exposure, 0.0)

    def fill(genes):
        moments = [None if x is None else x[:, genes] for x in (sums.contrast, noise, third, most)]
        if effects is None:
            score, variance, skewed, limit = (None if x is None else regions @ x for x in moments)
            pvalue = _gamma_tail(score, variance, skewed, limit)
        else:
            smooth = information * shrunk[:, genes]
            score, variance, _, pvalue = _effects_tests(
                regions, *moments, smooth, exposure, effects, genes, removed
            )
        pvalues[:, genes] = np.clip(pvalue, TINY, 1.0)
        scores[:, genes] = np.divide(
            score, np.sqrt(variance), out=np.zeros_like(score), where=variance > 0
        )

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, sums.slices(max(len(regions), columns))))
    # Rounding leaves scores to genes without variance.
    constant = noise.max(axis=0) == 0
    pvalues[:, constant], scores[:, constant] = 1.0, 0.0
    return pvalues, scores


def _effects_tests(
    regions, contrast, noise, third, most, smooth, exposure, effects, genes, strength=REMOVED
):
    r"""Scores of some genes in all regions where samples have effects.

    Parameters
    ----------
    regions : ndarray, shape (r, blocks)
    contrast, noise, third : ndarray, shape (blocks, genes)
        d, and its variance and third moment where samples have no effect.
    most : ndarray, shape (blocks, genes), or None
        Largest size of the expected d; None: 0.
    smooth : ndarray, shape (blocks, genes)
        As `noise`, of the shrunk variances.
    exposure : ndarray, shape (blocks, samples)
    effects : SampleEffects
    genes : slice
        Of these the genes at hand.
    strength : float
        How much of the sample effects the filter removes.

    Returns
    -------
    score, variance, third, pvalue : ndarray, shape (r, genes)
    """
    trend, posterior = effects.trend[:, genes].T, effects.posterior[genes]
    mean = posterior @ effects.factors
    # Single precision is enough for the filters, the largest arrays.
    regions = regions.astype(np.float32)
    patterns = (exposure[:, None] * effects.loadings[:, :, None]).astype(np.float32)
    leading = patterns[:, :FILTERED].reshape(len(patterns), -1)
    root = np.sqrt(trend).astype(np.float32)[:, :, None]
    own = trend * ((exposure**2).sum(axis=1) * effects.remainder)
    removed = strength * mean
    diagonal = smooth.T + removed[:, None] * own
    precision = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
    filters = _filters(regions, precision, root * leading, removed)
    shared = ((filters @ (root * patterns.reshape(len(patterns), -1))) ** 2).sum(axis=2)
    score = _applied(filters, contrast.T)
    limit = None if most is None else _applied(np.abs(filters), most.T)
    power = filters**2
    variance, shared = _applied(power, noise.T), shared + _applied(power, own)
    power *= filters
    skewed = _applied(power, third.T)
    tails = np.zeros_like(score)
    for factor, share in zip(effects.factors, posterior.T, strict=True):
        at = np.flatnonzero(share > IMPROBABLE)
        spread = variance[at] + factor * shared[at]
        tail = _gamma_tail(score[at], spread, skewed[at], None if limit is None else limit[at])
        tails[at] += share[at, None] * tail
    return score.T, (variance + mean[:, None] * shared).T, skewed.T, tails.T


def _filters(regions, precision, patterns, removed):
    r"""Rows :math:`1_r^T D (D + x F F^T)^{-1}`, x being `removed`, shape (genes, r, blocks)."""
    weighted = (patterns * precision[:, :, None]).swapaxes(1, 2)
    inner = np.eye(patterns.shape[2]) + removed[:, None, None] * (weighted @ patterns)
    solved = np.linalg.solve(inner, removed[:, None, None] * weighted).astype(np.float32)
    return regions - (regions @ patterns) @ solved


def _applied(filters, values):
    """Sums of the values (genes, blocks) by each gene's filters, (genes, r)."""
    return np.matmul(filters, values.astype(np.float32)[:, :, None])[:, :, 0].astype(np.float64)


def _gamma_tail(score, variance, third, limit):
    """Two-sided tail of a shifted gamma law with these moments beyond a limit (None: of the score
    itself); the thin side as if normal."""
    positive = variance > 0
    spread = np.sqrt(np.where(positive, variance, 1.0))
    distance, skewness = np.atleast_1d(np.abs(score) / spread, third / spread**3)
    skewness = np.where(score * skewness > 0, np.abs(skewness), 0.0)
    if limit is None:
        found = 2.0 * _upper_tail(distance, skewness)
    else:
        margin = limit / spread
        found = _upper_tail(distance - margin, skewness) + _upper_tail(distance + margin, skewness)
    return np.where(positive, np.minimum(found, 1.0), 1.0)


def _upper_tail(distance, skewness):
    r"""Upper tail of standardised gamma laws of this skewness; of normal ones where it is small.

    At a skewness below a half, :math:`\Phi(-r - \log(u / r) / r)` (Barndorff-Nielsen, 1991,
    Biometrika 78), which is within 0.3 % and takes a quarter of the time, with u the distance, k
    the shape of the law, :math:`y = u / \sqrt k` and r the root of
    :math:`2 k (y - \log(1 + y))` with the sign of u.
    """
    bounded = np.maximum(skewness, SYMMETRIC)
    y = np.maximum(0.5 * bounded * distance, -1.0 + TINY_SHARE)
    root = np.copysign(np.sqrt(8.0 * np.maximum(y - np.log1p(y), 0.0)) / bounded, distance)
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = root + np.log(distance / root) / root
    near = np.abs(root) < NEAR
    moved[near] = distance[near] - bounded[near] / 6.0 * (distance[near] ** 2 - 1.0)
    moved = np.where(skewness > SYMMETRIC, moved, distance)
    tail = ndtr(-moved)
    heavy = skewness > SKEWED
    shape = 4.0 / skewness[heavy] ** 2
    beyond = np.maximum(shape + np.sqrt(shape) * distance[heavy], 0.0)
    tail[heavy] = gammaincc(shape, beyond)
    return tail


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

    Over both conditions, so that a gene seen in a single cell of a block has a variance there;
    without what pairs and covariates explain of the samples' means.
    """
    regression = regress(sums.cells, sums.design.nuisance)
    deviation = sums.squares - regression.squares_of_fit(sums.sums)
    # Sums of squares of a constant differ by rounding only.
    deviation = np.where(deviation > 1e-9 * sums.squares, deviation, 0.0)
    freedom = np.maximum(sums.cells.sum(axis=1) - regression.rank, 0.0)[:, None]
    pooled = deviation.sum(axis=0) / freedom.sum()
    pooled = np.where(pooled > 0, pooled, 1.0)
    seen = deviation / np.maximum(freedom, 1.0)
    return seen, (deviation + PRIOR_CELLS * pooled) / (freedom + PRIOR_CELLS)
