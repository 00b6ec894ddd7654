r"""Blocks: small sets of cells in the same state, in which the conditions are compared.

Within a block a gene's expression differs between the conditions only if the gene changed, however
many cells each condition has there. Blocks are found by k-means on principal components. These
hold the changed genes too, so that plain k-means would separate cells of the same state by
condition or sample, and would choose, of those it keeps together, cells with unusual values. Hence
the samples (or conditions) are mixed first (`statediff.matching`), and what is left of the shift of
each within blocks is subtracted.
"""

import numpy as np

from statediff import InputError
from statediff.design import regress
from statediff.kernels import Kernel
from statediff.matching import lie_apart, mix_samples

__all__ = [
    "centroids",
    "condition_cover",
    "contrast_weights",
    "find_blocks",
    "information_left",
    "nested_regions",
    "order_of_blocks",
    "partition_cells",
    "permute_within",
    "region_tree",
    "samples_meet",
    "side_by_side",
]

# More blocks would cost memory (blocks × samples × genes) and gain nothing.
MAX_BLOCKS = 200
# Partitions of the cells into blocks, of which one would leave the result to chance.
PARTITIONS = 3
# Most cells from which k-means learns the centres: 250 for each of most blocks.
LEARNT_FROM = 50_000
# Rounds of finding blocks and subtracting the shifts within them.
ROUNDS = 2
# Shifts are smooth over this many times the extent of the cells, as if this many cells had none.
SMOOTHNESS, UNMOVED = 2.0, 10.0
# Directions along which the position within a block is adjusted for, and cells for each of them.
DIRECTIONS, CELLS_PER_DIRECTION = 4, 8
# Weights of this size are rounding errors.
NOTHING = 1e-9
# Blocks of the smallest region.
REGION = 3
# A block holds a condition that has there this part of its share of all cells.
PRESENT = 0.2


def find_blocks(coordinates, samples, conditions, size=80, seed=0, partitions=PARTITIONS):
    """Partition cells into blocks of about `size` in which the samples mix, several times.

    Centres of blocks are learnt from at most 50,000 cells.

    Parameters
    ----------
    coordinates : array, shape (n, P)
        Principal components of the cells of both conditions.
    samples : array of int, shape (n,)
        Sample of each cell, or its condition where there are no samples: 0, 1, ….
    conditions : array of int, shape (samples,)
        Condition of each sample, 0 or 1.
    size : int
        Cells in a block, on average; more where that would make over 200 blocks.
    seed : int
        Of the first partition; the next ones follow.
    partitions : int

    Returns
    -------
    codes : ndarray of int, shape (partitions, n)
        Number of each cell's block, from 0.
    moved : ndarray, shape (n, P)
        Coordinates in which the samples mix.
    mixed : bool
        Whether they had to be mixed, since samples or conditions lay apart.

    Raises
    ------
    InputError
        If there are too few cells for two blocks.
    """
    if len(coordinates) < 2 * size:
        raise InputError(
            f"{len(coordinates)} cells are too few for blocks of {size}; expected at least "
            f"{2 * size} in the two conditions (fdr.block_cells, fdr.test)"
        )
    samples = np.asarray(samples, dtype=np.int64)
    moved = np.array(coordinates, dtype=np.float64)
    apart = lie_apart(moved, samples, conditions, seed)
    if apart:
        # What is left of a shift is subtracted below; broad displacements follow a change of
        # abundance along the states less.
        moved = mix_samples(moved, samples, seed, nearest=5, surrounding=60)
    ls = SMOOTHNESS * np.sqrt(moved.var(axis=0).sum())
    for _ in range(ROUNDS if ls > 0 else 0):
        (codes,) = partition_cells(moved, size, seed, 1)
        moved -= _shifts(moved, centroids(moved, codes), codes, samples, ls)
    return partition_cells(moved, size, seed, partitions), moved, apart


def partition_cells(moved, size=80, seed=0, partitions=PARTITIONS):
    """Partition cells into blocks by k-means, several times; see `find_blocks`.

    Parameters
    ----------
    moved : array, shape (n, P)
        Coordinates in which the samples mix; few cells make a single block.
    size, seed, partitions : int

    Returns
    -------
    ndarray of int, shape (partitions, n)
    """
    from sklearn.cluster import KMeans  # takes seconds, which the other functions save

    count = min(max(len(moved) // size, 1), MAX_BLOCKS)
    learnt = np.sort(np.random.default_rng(seed).permutation(len(moved))[:LEARNT_FROM])
    codes = []
    for i in range(partitions):
        means = KMeans(count, n_init=1, random_state=seed + i).fit(moved[learnt])
        codes.append(np.unique(means.predict(moved), return_inverse=True)[1])
    return np.array(codes)


def order_of_blocks(codes, coordinates):
    """Order of the blocks of a partition in which similar ones are `side_by_side`.

    Parameters
    ----------
    codes : ndarray of int, shape (cells,)
        Block of each cell, −1 for none.
    coordinates : ndarray, shape (cells, D)

    Returns
    -------
    ndarray of int, shape (blocks,)
    """
    inside = codes >= 0
    return side_by_side(centroids(coordinates[inside], codes[inside]))


def centroids(values, codes):
    """Mean of each block, shape (blocks, D)."""
    sums = np.zeros((codes.max() + 1, values.shape[1]))
    np.add.at(sums, codes, values)
    return sums / np.bincount(codes)[:, None]


def nested_regions(centres):
    """Sets of neighbouring blocks, from a few up to all: the nodes of Ward's tree.

    Parameters
    ----------
    centres : array, shape (blocks, P)
        Where the blocks lie.

    Returns
    -------
    ndarray of bool, shape (regions, blocks)
        Regions of three blocks or more; all blocks last.
    """
    count = len(centres)
    nodes, _ = region_tree(centres)
    inner = nodes[count:-1]
    return np.concatenate([inner[inner.sum(axis=1) >= REGION], nodes[-1:]])


def region_tree(centres):
    """Ward's tree of the blocks.

    Parameters
    ----------
    centres : array, shape (blocks, P)

    Returns
    -------
    nodes : ndarray of bool, shape (2 blocks − 1, blocks)
        Sets of blocks: the single ones, then each after its parts; all blocks last.
    parts : ndarray of int, shape (blocks − 1, 2)
        The two nodes that each node beyond the single blocks is made of.
    """
    from scipy.cluster.hierarchy import linkage

    count = len(centres)
    nodes = np.zeros((2 * count - 1, count), dtype=bool)
    nodes[:count] = np.eye(count, dtype=bool)
    if count == 1:
        return nodes, np.empty((0, 2), dtype=int)
    parts = linkage(centres, "ward")[:, :2].astype(int)
    for i, (left, right) in enumerate(parts):
        nodes[count + i] = nodes[left] | nodes[right]
    return nodes, parts


def side_by_side(centres):
    """Order of the blocks in which those of each region of Ward's tree lie side by side.

    Parameters
    ----------
    centres : array, shape (blocks, P)

    Returns
    -------
    ndarray of int, shape (blocks,)
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(centres) == 1:
        return np.zeros(1, dtype=int)
    return leaves_list(linkage(centres, "ward", optimal_ordering=True))


def _shifts(coordinates, centres, codes, groups, ls):
    """How far each cell's group lies from the others at its state, smooth along the states."""
    shape = codes.max() + 1, groups.max() + 1
    cells = np.zeros(shape)
    np.add.at(cells, (codes, groups), 1.0)
    sums = np.zeros((*shape, coordinates.shape[1]))
    np.add.at(sums, (codes, groups), coordinates)
    present = cells >= 2
    means = sums / np.maximum(cells, 1.0)[:, :, None]
    middle = sums.sum(axis=1) / cells.sum(axis=1)[:, None]
    apart = np.where(present[:, :, None], means - middle[:, None], 0.0)
    near = Kernel.of(ls)(centres, centres)
    weights = cells * present
    shift = np.einsum("kl,ls,lsp->ksp", near, weights, apart, optimize=True)
    shift /= (near @ weights + UNMOVED)[:, :, None]
    shift -= (cells[:, :, None] * shift).sum(axis=1, keepdims=True) / cells.sum(axis=1)[
        :, None, None
    ]
    return shift[codes, groups]


def contrast_weights(labels, coordinates, codes, nuisance=None):
    r"""Weights w of the cells with which a sum over a block is its difference of conditions.

    What is left of the condition (0 or 1, or a number) of each cell after regression, within the
    block, on a constant, its leading directions of variation, and donors and covariates:
    :math:`\sum_i w_i y_i / \sum_i w_i^2` is the difference adjusted for where in the block the
    cells of each condition lie, and for all effects of donors and covariates there.

    Parameters
    ----------
    labels : array, shape (n,)
        Condition of each cell: `statediff.design.Design.labels` of its sample.
    coordinates : array, shape (n, P)
    codes : array of int, shape (n,)
    nuisance : array, shape (n, q), optional
        Donors and covariates of the cells.

    Returns
    -------
    ndarray, shape (n,)
        Zero in blocks of one condition only; sums to zero in every block.

    References
    ----------
    Frisch & Waugh (1933), Econometrica 1, for partial regression.
    """
    weights = np.zeros(len(codes))
    for cells in np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1]):
        label = labels[cells].astype(np.float64)
        if (label == label[0]).all():
            continue
        left = label - label.mean()
        adjusted = [] if nuisance is None else [nuisance[cells] - nuisance[cells].mean(axis=0)]
        directions = min(DIRECTIONS, len(cells) // CELLS_PER_DIRECTION)
        if directions:
            within = coordinates[cells] - coordinates[cells].mean(axis=0)
            adjusted.append(_leading(within, left, directions))
        if adjusted:
            columns = np.hstack(adjusted)
            left -= columns @ np.linalg.lstsq(columns, left, rcond=None)[0]
        weights[cells] = np.where(np.abs(left) > NOTHING, left, 0.0)
    return weights


def _leading(values, label, count):
    """Scores of centred cells on the leading directions of variation at the same condition."""
    inner = values - np.outer(label, label @ values / (label @ label))
    _, _, directions = np.linalg.svd(inner, full_matrices=False)
    return values @ directions[:count].T


def permute_within(values, codes, generator):
    """Permute values within each block.

    Parameters
    ----------
    values : array, shape (n,)
    codes : array of int, shape (n,)
        Blocks; −1 where the value is to become 0.
    generator : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n,)
    """
    inside = np.flatnonzero(codes >= 0)
    ordered = inside[np.argsort(codes[inside], kind="stable")]
    mixed = inside[np.lexsort((generator.random(len(inside)), codes[inside]))]
    permuted = np.zeros_like(values)
    permuted[mixed] = values[ordered]
    return permuted


def information_left(weights, labels, nuisance=None):
    """Share of the information on the difference of conditions that lies within blocks.

    Parameters
    ----------
    weights : ndarray, shape (n,)
        From `contrast_weights`.
    labels : array, shape (n,)
    nuisance : array, shape (n, q), optional
        As for `contrast_weights`.

    Returns
    -------
    float
        Summed squares of the weights, relative to those of one block of all cells.
    """
    everywhere = np.zeros(len(weights), dtype=int), np.zeros((len(weights), 0))
    whole = contrast_weights(np.asarray(labels), everywhere[1], everywhere[0], nuisance)
    return float((weights**2).sum() / (whole**2).sum())


def condition_cover(codes, labels):
    """Share of each condition's cells that lie in blocks which hold both conditions.

    A block holds a condition if this has two cells there, and a fifth of its share of all cells.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
    labels : array of bool, shape (n,)

    Returns
    -------
    ndarray, shape (2,)
        Of the reference and of the compared condition.
    """
    counts = np.zeros((codes.max() + 1, 2))
    np.add.at(counts, (codes, np.asarray(labels, dtype=np.int64)), 1.0)
    total = counts.sum(axis=0)
    least = PRESENT * counts.sum(axis=1, keepdims=True) * total / total.sum()
    both = (counts >= np.maximum(least, 2.0)).all(axis=1)
    return counts[both].sum(axis=0) / total


def samples_meet(codes, samples, design):
    """Whether the variance between samples can be measured in some block.

    Parameters
    ----------
    codes, samples : array of int, shape (n,)
        Block and sample of each cell.
    design : statediff.design.Design
        Of the samples.

    Returns
    -------
    bool
        Whether the design leaves a degree of freedom in a block of more cells than samples.
    """
    cells = np.zeros((codes.max() + 1, len(design.conditions)))
    np.add.at(cells, (codes, samples), 1.0)
    spare = cells.sum(axis=1) > (cells > 0).sum(axis=1)
    return bool((spare & (regress(cells, design.matrix).freedom >= 1)).any())
