r"""Coordinates in which samples mix, from neighbours that their cells have in one another.

Two cells of different samples are *matched* if each is among the other's nearest cells of that
sample. Where a sample has no cells of a state, those of the others have no match there and stay
together. The displacement to matched cells, averaged over a cell's surroundings and the samples,
moves it towards the position that its state has in all samples on average; a few rounds suffice.

References
----------
Haghverdi, Lun, Morgan & Marioni (2018), Nature Biotechnology 36, for mutual nearest neighbours.
"""

import numpy as np

__all__ = ["mix_samples"]

ROUNDS = 5
# Nearest cells in another sample, and matched cells of its own over which a cell averages.
NEAREST, SURROUNDING = 10, 30
# Cells from which displacements are learnt: of all samples together, and at least of each.
LEARNT_FROM, AT_LEAST = 4000, 100
# Cells whose displacement is interpolated at a time.
AT_ONCE = 4096


def mix_samples(coordinates, samples, seed=0):
    """Move the cells of each sample to where the states are in all samples on average.

    Displacements are learnt from about 4,000 cells at most and interpolated to the others.

    Parameters
    ----------
    coordinates : array, shape (n, P)
    samples : array of int, shape (n,)
        0, 1, …; every sample has cells.
    seed : int
        Of the cells from which displacements are learnt.

    Returns
    -------
    ndarray, shape (n, P)
    """
    coordinates, samples = np.array(coordinates, dtype=np.float64), np.asarray(samples)
    sizes = np.bincount(samples)
    if len(sizes) < 2:
        return coordinates
    most = max(LEARNT_FROM // len(sizes), AT_LEAST)
    order = np.random.default_rng(seed).permutation(len(samples))
    learnt = [np.sort(order[samples[order] == s][:most]) for s in range(len(sizes))]
    start = [coordinates[cells] for cells in learnt]
    moved = start
    for _ in range(ROUNDS):
        moved = _round(moved, sizes / len(samples))
    for s, (before, after) in enumerate(zip(start, moved, strict=True)):
        cells = np.flatnonzero(samples == s)
        for part in np.array_split(cells, -(-len(cells) // AT_ONCE)):
            near = _nearest(_distances(coordinates[part], before), NEAREST)
            coordinates[part] += (after - before)[near].mean(axis=1)
    return coordinates


def _round(points, shares):
    """Points of each sample after one step towards those of the others."""
    steps = [np.zeros_like(x) for x in points]
    own = [_distances(x, x) for x in points]
    for s in range(len(points)):
        for t in range(s + 1, len(points)):
            between = _distances(points[s], points[t])
            mutual = _among_nearest(between) & _among_nearest(between.T).T
            for me, you, matches in ((s, t, mutual), (t, s, mutual.T)):
                count = matches.sum(axis=1)
                matched = np.flatnonzero(count)
                if matched.size:
                    target = matches[matched] @ points[you] / count[matched, None]
                    away = target - points[me][matched]
                    near = _nearest(own[me][:, matched], SURROUNDING)
                    steps[me] += shares[you] * away[near].mean(axis=1)
    return [x + step for x, step in zip(points, steps, strict=True)]


def _distances(x, y):
    """Squared distances, shape (len(x), len(y))."""
    return (x**2).sum(axis=1)[:, None] - 2.0 * (x @ y.T) + (y**2).sum(axis=1)


def _nearest(distances, count):
    """Columns of the smallest distances of each row; all where there are no more."""
    if distances.shape[1] <= count:
        return np.tile(np.arange(distances.shape[1]), (len(distances), 1))
    return np.argpartition(distances, count, axis=1)[:, :count]


def _among_nearest(distances):
    """Whether a column is among the nearest of a row."""
    found = np.zeros(distances.shape, dtype=bool)
    np.put_along_axis(found, _nearest(distances, NEAREST), True, axis=1)
    return found
