r"""Where a gene changes: regions of blocks in which its expression differs.

The residual test calls genes; the regions of one partition of the cells (nested sets of
neighbouring blocks, `statediff.blocks.nested_regions`) tell where a called gene differs. Of m genes
R are called at the false discovery rate q. Within each of them the Benjamini-Hochberg procedure
selects regions at the level

.. math:: \alpha = q R / m,

which holds the expected share of false regions, averaged over the called genes, at q (Benjamini &
Bogomolov, 2014). The score of a region is the sum of its own blocks, without the filter of
`statediff.residual`: this subtracts a part of what samples have in common with the blocks
outside, so that a difference there would show inside.

A selected region may differ in a part of it only. From the largest selected region downwards, a
part (a region next in size within it) *differs too* if it is selected itself, or if its score has
the same sign and :math:`p \le \alpha`. A gene changes in the parts that do; in the whole region
where none of them does and no selected region lies deeper. Blocks that lie in no smaller region go
with the part beside them. Opposite changes cancel in a large region, and are found in smaller ones.

With :math:`\delta = \sum_k d_k / \sum_k m_k` the adjusted difference of a region,
:math:`\bar y = \sum_k m_k \bar y_k / \sum_k m_k` its mean and f the share of the compared
condition, the means of the conditions are :math:`\bar y - f \delta` and :math:`\bar y + (1 - f)
\delta`.

References
----------
Benjamini & Bogomolov (2014), Journal of the Royal Statistical Society B 76, for selected families.
Yekutieli (2008), Journal of the American Statistical Association 103, for the most specific
findings in a tree of hypotheses.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import false_discovery_control

from statediff.residual import region_tests

__all__ = [
    "Localisation",
    "in_groups",
    "localise",
    "patterns",
    "select_regions",
    "strongest_group",
]

# The smaller mean of a region is taken for at least this part of the pooled one.
LEAST_MEAN = 0.01
# A gene changes everywhere if it does in this share of the cells; in a group, if in this one.
EVERYWHERE, MOST = 0.8, 0.5


@dataclass(frozen=True)
class Localisation:
    """Where genes change.

    Attributes
    ----------
    region : ndarray of int, shape (genes, blocks)
        Number of the region by which a block differs, −1 where it does not.
    direction : ndarray of int8, shape (genes, blocks)
        1: higher in the compared condition, −1: lower, 0: no difference is told.
    lfc : ndarray of float32, shape (genes, blocks)
        log2 fold change of the block's region, 0 where no difference is told.
    """

    region: np.ndarray
    direction: np.ndarray
    lfc: np.ndarray


def localise(sums, regions, effects, level, lfc=0.0, threads=1):
    """Blocks in which called genes differ.

    Parameters
    ----------
    sums : statediff.residual.BlockSums
        Of the called genes.
    regions : array of bool, shape (regions, blocks)
        From `statediff.blocks.nested_regions`.
    effects : statediff.sample_effects.SampleEffects or None
        Of the called genes; None where there are no samples.
    level : float
        False discovery rate of the genes times the share of genes that are called.
    lfc : float
        Threshold that the test of the genes had (`statediff.residual.residual_test`).
    threads : int

    Returns
    -------
    Localisation
    """
    regions = np.asarray(regions, dtype=bool)
    pvalues, scores = region_tests(sums, regions, effects, lfc, threads)
    signs = np.sign(scores).astype(np.int8)
    region, direction = select_regions(pvalues, signs, regions, level)
    found = np.take_along_axis(_fold_changes(sums, regions), np.maximum(region, 0).T, axis=0).T
    return Localisation(region, direction, np.where(region >= 0, found, 0.0).astype(np.float32))


def select_regions(pvalues, signs, regions, level):
    """Region by which each block of each gene differs, and its direction.

    Parameters
    ----------
    pvalues, signs : ndarray, shape (regions, genes)
    regions : ndarray of bool, shape (regions, blocks)
        Nested: of two regions one holds the other, or they share no block.
    level : float
        Of the Benjamini-Hochberg procedure within a gene.

    Returns
    -------
    region : ndarray of int, shape (genes, blocks)
        −1 for none.
    direction : ndarray of int8, shape (genes, blocks)
    """
    n_genes, (n_regions, n_blocks) = pvalues.shape[1], regions.shape
    selected = (false_discovery_control(pvalues, axis=0) <= level) & (signs != 0)
    parts, order = _parts(regions)
    # Whether a region is selected, or one within it.
    held = selected.copy()
    for i in order[::-1]:
        held[i] |= held[parts[i]].any(axis=0)
    reached = np.zeros((n_regions, n_genes), dtype=np.int8)
    region = np.full((n_genes, n_blocks), -1)
    direction = np.zeros((n_genes, n_blocks), dtype=np.int8)

    def mark(genes, blocks, i):
        at = np.ix_(genes, blocks)
        region[at] = i
        direction[at] = reached[i, genes][:, None]

    for i in order:
        reached[i] = np.where(selected[i], signs[i], reached[i])
        there = reached[i] != 0
        differs = [
            there & (selected[part] | ((pvalues[part] <= level) & (signs[part] == reached[i])))
            for part in parts[i]
        ]
        for part, also in zip(parts[i], differs, strict=True):
            reached[part] = np.where(also, reached[i], 0)
        mark(there & ~held[parts[i]].any(axis=0) & ~np.any(differs, axis=0), regions[i], i)
        rest = regions[i] & ~regions[parts[i]].any(axis=0)
        if differs and rest.any():
            mark(np.any(differs, axis=0), rest, i)
    return region, direction


def _parts(regions):
    """The largest regions within each, and all regions from the largest on."""
    size = regions.sum(axis=1)
    order = np.argsort(-size, kind="stable")
    parts = [[] for _ in regions]
    for at, i in enumerate(order[1:], start=1):
        around = [j for j in order[:at] if (regions[j] >= regions[i]).all()]
        parts[around[-1]].append(int(i))
    return parts, order


def _fold_changes(sums, regions):
    """log2 fold change of each region, shape (regions, genes)."""
    information = np.where(sums.information > 1e-6, sums.information, 0.0)
    weighted = regions * information
    total = np.maximum(weighted.sum(axis=1), 1e-300)[:, None]
    cells = np.maximum(sums.cells.sum(axis=1), 1.0)
    means = sums.sums.sum(axis=1) / cells[:, None]
    compared = sums.cells @ (sums.design.conditions == 1) / cells
    mean = weighted @ means / total
    difference = regions @ np.where(information[:, None] > 0, sums.contrast, 0.0) / total
    # By the cells' expression: one log fold change makes a difference in proportion to it.
    share = (weighted * compared) @ means / total / np.maximum(mean, 1e-300)
    reference = mean - share * difference
    both = np.maximum([reference, reference + difference], LEAST_MEAN * mean)
    both = np.maximum(both, 1e-300)
    return np.log2(both[1] / both[0])


def patterns(direction, cells):
    """In how many cells each gene changes, and in which way.

    Parameters
    ----------
    direction : ndarray of int8, shape (genes, blocks)
    cells : ndarray, shape (blocks,)
        Number of cells.

    Returns
    -------
    share : ndarray, shape (genes,)
        Of the cells, those that lie where the gene changes.
    pattern : ndarray of object, shape (genes,)
        opposite: up in some blocks and down in others; everywhere: in 80 % of the cells; region:
        in fewer; None: no region could be told.
    """
    share = (direction != 0) @ cells / cells.sum()
    opposite = (direction > 0).any(axis=1) & (direction < 0).any(axis=1)
    pattern = np.full(len(share), None, dtype=object)
    pattern[share > 0] = "region"
    pattern[share >= EVERYWHERE] = "everywhere"
    pattern[opposite] = "opposite"
    return share, pattern


def in_groups(changed, lfc, cells):
    """Share of each group's cells in which genes change, and the log2 fold change there.

    Parameters
    ----------
    changed : ndarray of bool, shape (genes, blocks)
    lfc : ndarray, shape (genes, blocks)
    cells : ndarray, shape (groups, blocks)
        Cells of each group.

    Returns
    -------
    share, mean : ndarray, shape (genes, groups)
        The mean is over the cells in which the gene changes, 0 where there are none.
    """
    count = changed @ cells.T
    total = np.where(changed, lfc, 0.0) @ cells.T
    share = count / np.maximum(cells.sum(axis=1), 1.0)
    return share, np.divide(total, count, out=np.zeros_like(total), where=count > 0)


def strongest_group(direction, lfc, cells):
    """Group of cells in which each gene changes most.

    That of the largest mean log2 fold change over its cells (0 where the gene does not change)
    among the groups of which half of the cells lie where the gene changes; without such a group
    that of the largest share.

    Parameters
    ----------
    direction, lfc : ndarray, shape (genes, blocks)
    cells : ndarray, shape (groups, blocks)
        Cells of each group.

    Returns
    -------
    group : ndarray of int, shape (genes,)
        −1 where no region could be told.
    mean : ndarray, shape (genes,)
        log2 fold change over its cells; NaN where there is none.
    """
    share, inside = in_groups(direction != 0, lfc, cells)
    mean = share * inside
    most = share >= MOST
    score = np.where(most.any(axis=1)[:, None], np.where(most, np.abs(mean), -1.0), share)
    group = np.argmax(score, axis=1)
    found = mean[np.arange(len(mean)), group]
    nowhere = ~(direction != 0).any(axis=1)
    return np.where(nowhere, -1, group), np.where(nowhere, np.nan, found)
