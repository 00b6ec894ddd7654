r"""Nearest cells of every cell among many, by an inverted file.

The cells are partitioned into lists around centres (k-means), and each cell is compared with those
of the lists whose centres are nearest to it. The time is nearly proportional to the number of
cells.

References
----------
Sivic & Zisserman (2003), ICCV '03, for lists around centres; Jégou, Douze & Schmid (2011), IEEE
TPAMI 33, for several lists of each query, and coordinates relative to the centre of a list.
"""

import numpy as np

from statediff.neighbours import nearest_of
from statediff.progress import followed

__all__ = ["nearest_among_many"]

# Cells of a list on average; lists looked at for each cell.
LISTED, PROBED = 400, 30
# Lists near a list, from whose cells the first bound on the distance to neighbours follows.
FIRST = 4
# Of k-means: rounds, and cells of each list from which its centre is computed.
ROUNDS, SAMPLED = 5, 50
# Cells compared with all centres at a time.
AT_ONCE = 8192
# Share of the true neighbours to be found, of so many cells, with distances that rounding changes.
RECALL, TRIED, ROUNDING = 0.99, 500, 1e-9


def nearest_among_many(values, count, seed=0, probed=PROBED):
    """Nearest other cells of every cell, nearly all of them right.

    How many of the true ones are found is measured for 500 cells, drawn at random. The search is
    repeated with twice as many lists as long as it is less than 99 %. Cells are compared in single
    precision; distances are computed in double precision. The result depends on the seed, but not
    on the number of threads, because one is used.

    Parameters
    ----------
    values : array, shape (n, D)
    count : int
        Cells to find for each; less than n.
    seed : int
        Of the centres at the start.
    probed : int
        Lists looked at for each cell. With as many as there are, the search is exact.

    Returns
    -------
    cells : ndarray of int, shape (n, count)
        The nearest first.
    distances : ndarray, shape (n, count)
    """
    from threadpoolctl import threadpool_limits

    values = np.asarray(values, dtype=np.float64)
    values = values - values.mean(axis=0)
    order = np.random.default_rng(seed).permutation(len(values))
    tried = order[:TRIED]
    exact = nearest_of(values, tried, count + 1)
    farthest = np.linalg.norm(values[exact] - values[tried, None], axis=2).max(axis=1)
    with threadpool_limits(1):
        lists, centres = _lists(values, order)
        while True:
            cells, distances = _search(values, lists, centres, count, probed)
            found = (distances[tried] <= farthest[:, None] * (1.0 + ROUNDING)).mean()
            if found >= RECALL or probed >= len(centres):
                return cells, distances
            probed *= 2


def _search(values, lists, centres, count, probed):
    """Cells and distances, by lists of cells that are looked at for each."""
    order = np.argsort(lists, kind="stable")
    search = _Search(values[order], np.bincount(lists), centres, probed)
    cells = np.empty((len(values), count), dtype=np.int32)
    distances = np.empty((len(values), count))
    for i, (start, block) in enumerate(
        followed(search.blocks(), len(order), "cells have their neighbours")
    ):
        own = order[start : start + len(block)]
        found, distances[own] = search.of_list(i, count)
        cells[own] = order[found]
    return cells, distances


class _Search:
    """Cells list by list, and the centres of the lists."""

    def __init__(self, cells, sizes, centres, probed):
        self.cells, self.sizes, self.centres = cells, sizes, centres
        self.probed = min(probed, len(sizes))
        self.ends = np.concatenate([[0], np.cumsum(sizes)])
        # Relative to the centre, so that single precision is enough where lists lie far apart.
        self.within = (cells - np.repeat(centres, sizes, axis=0)).astype(np.float32)
        self.norms = np.einsum("ij,ij->i", self.within, self.within)

    def blocks(self):
        """First cell of every list, and the cells."""
        for start, end in zip(self.ends, self.ends[1:]):
            yield start, self.cells[start:end]

    def of_list(self, i, count):
        """Neighbours of the cells of a list and their distances."""
        start, end = self.ends[i : i + 2]
        own = self.within[start:end]
        offsets = (self.centres - self.centres[i]).astype(np.float32)
        # Squared distances of the cells to all centres.
        lengths = np.einsum("ij,ij->i", offsets, offsets)
        to_centres = self.norms[start:end, None] - 2 * own @ offsets.T + lengths
        farthest = np.partition(to_centres, self.probed - 1, axis=1)[:, self.probed - 1, None]
        probes = to_centres <= farthest

        def squared(rows, j):
            own_there = own[rows] - offsets[j]
            cells = slice(self.ends[j], self.ends[j + 1])
            found = -2 * own_there @ self.within[cells].T
            found += self.norms[cells]
            found += to_centres[rows, j, None]
            return found

        near = np.argsort(lengths, kind="stable")
        enough = max(FIRST * self.sizes.mean(), count + 1)
        near = near[: np.searchsorted(np.cumsum(self.sizes[near]), enough) + 1]
        everyone = np.arange(end - start)
        blocks = [squared(everyone, j) for j in near]
        blocks[int(np.flatnonzero(near == i)[0])][everyone, everyone] = np.inf
        bound = np.partition(np.hstack(blocks), count - 1, axis=1)[:, count - 1, None]
        probes[:, near] = False
        candidates = [
            _below(block, bound, everyone, self.ends[j]) for j, block in zip(near, blocks)
        ]
        for j in np.flatnonzero(probes.any(axis=0)):
            rows = np.flatnonzero(probes[:, j])
            candidates.append(_below(squared(rows, j), bound[rows], rows, self.ends[j]))
        rows, cells, values = map(np.concatenate, zip(*candidates, strict=True))
        by_distance = np.lexsort((values, rows))
        first = np.searchsorted(rows[by_distance], everyone)
        neighbours = cells[by_distance[first[:, None] + np.arange(count)]]
        steps = self.cells[neighbours] - self.cells[start:end, None]
        distances = np.sqrt(np.einsum("ijk,ijk->ij", steps, steps))
        ranks = np.argsort(distances, axis=1, kind="stable")
        return [np.take_along_axis(of, ranks, axis=1) for of in (neighbours, distances)]


def _below(squared, bound, rows, first):
    """Row, cell and squared distance of the pairs at most as far as the bound of the row."""
    kept = np.flatnonzero(squared <= bound)
    row, column = np.divmod(kept, squared.shape[1])
    return rows[row], first + column, squared.ravel()[kept]


def _lists(values, order):
    """List of each cell, and the centres of the lists, by k-means of the first cells in order."""
    n_lists = max(len(values) // LISTED, 1)
    sample = values[order[: SAMPLED * n_lists]]
    centres = sample[:n_lists]
    for _ in range(ROUNDS):
        lists = _nearest_centre(sample, centres)
        sizes = np.bincount(lists)
        by_list = np.argsort(lists, kind="stable")
        starts = (np.cumsum(sizes) - sizes)[sizes > 0]
        centres = np.add.reduceat(sample[by_list], starts) / sizes[sizes > 0, None]
    used, lists = np.unique(_nearest_centre(values, centres), return_inverse=True)
    return lists, centres[used]


def _nearest_centre(coordinates, centres):
    half = np.einsum("ij,ij->i", centres, centres) / 2
    return np.concatenate(
        [
            np.argmin(half - coordinates[i : i + AT_ONCE] @ centres.T, axis=1)
            for i in range(0, len(coordinates), AT_ONCE)
        ]
    )
