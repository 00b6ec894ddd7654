r"""Where a gene changes: regions of blocks in which its expression differs.

The residual test calls genes; the nodes of the tree of the blocks of one partition
(`statediff.blocks.region_tree`), from single blocks to all of them, tell where a called gene
differs. Of m genes R are called at the false discovery rate q. Within each of them the
Benjamini-Hochberg procedure selects regions at the level

.. math:: \alpha = q R / m,

which holds the expected share of false regions, averaged over the called genes, at q (Benjamini &
Bogomolov, 2014). The score of a region is the sum of its own blocks, without the filter of
`statediff.residual`: this subtracts a part of what samples have in common with the blocks
outside, so that a difference there would show inside.

A region is selected where something in it differs, which may be little of it. From the largest
selected region C downwards, the gene therefore changes in a part P of C, and not in the rest, if

* P is selected itself, or :math:`p_P \le \alpha` with the sign of C,
* or P has the sign of C and says more than C, :math:`p_P < p_C`: the rest dilutes it,
* or P adds to a part Q that is one of these: it has the sign of C, :math:`p_C \le p_Q`, and
  :math:`p_P \le 0.1 / |P|`, by which 0.05 blocks are added in error on average.

It changes in the whole of C if neither part is one of these and no selected region lies deeper.
Opposite changes cancel in a large region, and are found in smaller ones. Blocks hold some cells of
neighbouring states: nothing is told below them.

With :math:`\delta = \sum_k d_k / \sum_k m_k` the adjusted difference of a region,
:math:`\bar y = \sum_k m_k \bar y_k / \sum_k m_k` its mean and f the share of the compared
condition (the mean of a numeric one), the means of the conditions are :math:`\bar y - f \delta` and
:math:`\bar y + (1 - f) \delta`.

References
----------
Benjamini & Bogomolov (2014), Journal of the Royal Statistical Society B 76, for selected families.
Yekutieli (2008), Journal of the American Statistical Association 103, for the most specific
findings in a tree of hypotheses.
"""

from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from statediff.residual import region_tests

__all__ = [
    "Localisation",
    "first_genes",
    "fold_changes",
    "in_groups",
    "localise",
    "of_each_pattern",
    "patterns",
    "select_regions",
    "strongest_group",
]

# A part of so many blocks may add to another one if its p-value is at most this by their number.
ADDED = 0.1
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
        The largest node of the tree around a block in all of which the gene changes in one
        direction; −1 where it does not change.
    direction : ndarray of int8, shape (genes, blocks)
        1: higher in the compared condition, −1: lower, 0: no difference is told.
    lfc : ndarray of float32, shape (genes, blocks)
        log2 fold change of the smallest region by which a block is told to differ; 0 where it is
        not.
    """

    region: np.ndarray
    direction: np.ndarray
    lfc: np.ndarray


def localise(sums, tree, effects, level, lfc=0.0, threads=1):
    """Blocks in which called genes differ.

    Parameters
    ----------
    sums : statediff.residual.BlockSums
        Of the called genes.
    tree : tuple of ndarray
        Nodes and their parts, from `statediff.blocks.region_tree`.
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
    nodes, _ = tree
    pvalues, scores = region_tests(sums, nodes, effects, lfc, threads)
    signs = np.sign(scores).astype(np.int8)
    told, direction = select_regions(pvalues, signs, tree, level)
    found = np.take_along_axis(fold_changes(sums, nodes), np.maximum(told, 0).T, axis=0).T
    found = np.where(told >= 0, found, 0.0).astype(np.float32)
    return Localisation(_joined(direction, tree), direction, found)


def select_regions(pvalues, signs, tree, level):
    """The smallest region by which each block of each gene differs, and the direction.

    Parameters
    ----------
    pvalues, signs : ndarray, shape (nodes, genes)
    tree : tuple of ndarray
    level : float
        Of the Benjamini-Hochberg procedure within a gene.

    Returns
    -------
    region : ndarray of int, shape (genes, blocks)
        A node; −1 for none.
    direction : ndarray of int8, shape (genes, blocks)
    """
    from scipy.stats import false_discovery_control  # takes a second, saved where tables are made

    nodes, parts = tree
    n_nodes, n_blocks = nodes.shape
    selected = (false_discovery_control(pvalues, axis=0) <= level) & (signs != 0)
    allowed = ADDED / nodes.sum(axis=1)
    # Whether a node is selected, or one within it.
    held = selected.copy()
    for i, pair in enumerate(parts, start=n_blocks):
        held[i] |= held[pair].any(axis=0)
    reached = np.zeros(pvalues.shape, dtype=np.int8)
    region = np.full((pvalues.shape[1], n_blocks), -1)
    direction = np.zeros(region.shape, dtype=np.int8)
    for i in range(n_nodes - 1, -1, -1):
        reached[i] = np.where(selected[i], signs[i], reached[i])
        here = reached[i] != 0
        whole = here
        if i >= n_blocks:
            pair = parts[i - n_blocks]
            same = here & (signs[pair] == reached[i])
            clear = (here & selected[pair]) | (
                same & ((pvalues[pair] <= level) | (pvalues[pair] < pvalues[i]))
            )
            adds = same & (pvalues[pair] <= allowed[pair, None])
            adds &= clear[::-1] & (pvalues[i] <= pvalues[pair[::-1]])
            differs = clear | adds
            reached[pair] = np.where(differs, reached[i], 0)
            whole = here & ~differs.any(axis=0) & ~held[pair].any(axis=0)
        at = np.ix_(whole, nodes[i])
        region[at], direction[at] = i, reached[i, whole][:, None]
    return region, direction


def _joined(direction, tree):
    """The largest node around each block in all of which the direction is the same."""
    nodes, parts = tree
    n_blocks = nodes.shape[1]
    whole = np.zeros((len(nodes), len(direction)), dtype=np.int8)
    whole[:n_blocks] = direction.T
    region = np.where(direction != 0, np.arange(n_blocks), -1)
    for i, (left, right) in enumerate(parts, start=n_blocks):
        whole[i] = np.where(whole[left] == whole[right], whole[left], 0)
        region[np.ix_(whole[i] != 0, nodes[i])] = i
    return region


def fold_changes(sums, regions):
    """log2 fold change of each region, adjusted as in the test, from its sums.

    Parameters
    ----------
    sums : statediff.residual.BlockSums
    regions : array of bool, shape (regions, blocks)

    Returns
    -------
    ndarray, shape (regions, genes)
    """
    information = np.where(sums.information > 1e-6, sums.information, 0.0)
    weighted = regions * information
    total = np.maximum(weighted.sum(axis=1), 1e-300)[:, None]
    cells = np.maximum(sums.cells.sum(axis=1), 1.0)
    means = sums.sums.sum(axis=1) / cells[:, None]
    compared = sums.cells @ sums.design.labels / cells
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


def of_each_pattern(pattern, most):
    """Some genes of each pattern, as evenly as their numbers allow.

    Parameters
    ----------
    pattern : ndarray of object, shape (genes,)
        Of genes that come in an order; None where no region could be told.
    most : int

    Returns
    -------
    ndarray of int
        The first genes of each pattern, in the order of the genes.
    """
    found = [list(np.flatnonzero(pattern == name)) for name in ("everywhere", "region", "opposite")]
    # By turns: the first of each, the second of each, …
    turns = [gene for turn in zip_longest(*found) for gene in turn if gene is not None]
    return np.sort(np.array(turns[:most], dtype=int))


def first_genes(ranked, pattern, most):
    """The genes that rank first: of each pattern of change where these are known, so that genes
    with opposite changes, whose mean is small, are among them.

    Parameters
    ----------
    ranked : ndarray of int, shape (genes,)
        From `statediff.significance.rank_genes`.
    pattern : ndarray of object, shape (genes,), or None
        Pattern of each gene's change, None for genes that were not localised; None if the test
        localises no changes.
    most : int

    Returns
    -------
    ndarray of int, shape (most,)
        Fewer if there are fewer genes.
    """
    if pattern is None:
        return ranked[:most]
    first = of_each_pattern(pattern[ranked], most)
    others = np.setdiff1d(np.arange(len(ranked)), first)[: most - len(first)]
    return ranked[np.sort(np.append(first, others))]


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
