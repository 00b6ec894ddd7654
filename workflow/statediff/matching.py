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

from statediff.neighbours import nearest_of
from statediff.states import distinct

__all__ = [
    "SEPARATED",
    "finest_partitions",
    "integrate_samples",
    "lie_apart",
    "mix_samples",
    "overlap",
    "sample_separation",
]

ROUNDS = 5
# Nearest cells in another sample, and matched cells of its own over which a cell averages.
NEAREST, SURROUNDING = 10, 30
# Cells from which displacements are learnt: of all samples together, and at least of each.
LEARNT_FROM, AT_LEAST = 4000, 100
# Cells whose displacement is interpolated at a time.
AT_ONCE = 4096
# Cells whose neighbours are looked at to see whether samples mix, and neighbours of each.
LOOKED_AT, NEIGHBORS = 2000, 30
#: Separation of samples from which on no method held its level in the calibration benchmark.
SEPARATED = 1.5
# Overlap of the conditions below which they lie apart.
OVERLAP = 0.5


def mix_samples(coordinates, samples, seed=0, nearest=NEAREST, surrounding=SURROUNDING):
    """Move the cells of each sample to where the states are in all samples on average.

    Displacements are learnt from about 4,000 cells at most and interpolated to the others.

    Parameters
    ----------
    coordinates : array, shape (n, P)
    samples : array of int, shape (n,)
        0, 1, …; every sample has cells.
    seed : int
        Of the cells from which displacements are learnt.
    nearest : int
        Cells of another sample among which a match has to be, of as many in return.
    surrounding : int
        Matched cells of its own sample over which a cell averages the displacement. The more, the
        less of a shift that differs between states is removed, and the less do cells move where
        not they but their abundances differ.

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
        moved = _round(moved, sizes / len(samples), nearest, surrounding)
    for s, (before, after) in enumerate(zip(start, moved, strict=True)):
        cells = np.flatnonzero(samples == s)
        for part in np.array_split(cells, -(-len(cells) // AT_ONCE)):
            near = _nearest(_distances(coordinates[part], before), nearest)
            coordinates[part] += (after - before)[near].mean(axis=1)
    return coordinates


def lie_apart(coordinates, samples, conditions, seed=0):
    """Whether the samples of a condition, or the conditions, lie apart, so that they need mixing.

    Where they do not, mixing could only harm: it can follow a change of abundance along a
    continuum of states.

    Parameters
    ----------
    coordinates : array, shape (n, P)
    samples : array of int, shape (n,)
    conditions : array of int, shape (samples,)
        Condition of each sample.
    seed : int
        Of the cells looked at.

    Returns
    -------
    bool
    """
    separation = sample_separation(coordinates, samples, conditions, seed)
    return separation > SEPARATED or overlap(coordinates, conditions[samples], seed) < OVERLAP


def integrate_samples(coordinates, columns):
    """Integrate coordinates over the samples of contrasts.

    Parameters
    ----------
    coordinates : ndarray, shape (cells, P)
    columns : list of tuple of ndarray of int, shape (cells,)
        Of each contrast, or several that share them, the condition and the sample of each cell
        (the condition once more where there are no samples); −1 where one is missing.

    Returns
    -------
    coordinates : ndarray, shape (cells, P)
        Cells with the same coordinates have the same ones afterwards, their mean.
    mixed : list of int
        Which of the samples they were integrated over: the finest, and of several those whose
        samples or conditions lie apart, since each more of them would mix the cells more.
    """
    given, of_cell = distinct(coordinates)
    mixed, kept = [], finest_partitions([samples for _, samples in columns])
    for i in kept:
        conditions, samples = columns[i]
        if len(kept) == 1 or _need_mixing(coordinates, conditions, samples):
            # Cells with a value missing are a level of their own.
            _, numbers = np.unique(samples, return_inverse=True)
            coordinates = mix_samples(coordinates, numbers)
            mixed.append(i)
    if len(given) < len(of_cell):
        total = np.zeros((len(given), coordinates.shape[1]))
        np.add.at(total, of_cell, coordinates)
        coordinates = (total / np.bincount(of_cell)[:, None])[of_cell]
    return coordinates, mixed


def _need_mixing(coordinates, conditions, samples):
    """Whether samples or conditions of a contrast lie apart, among cells that are of both."""
    cells = np.flatnonzero((conditions >= 0) & (samples >= 0))
    if len(cells) < 2:
        return False
    _, of_sample = np.unique(samples[cells], return_inverse=True)
    of_condition = np.zeros(of_sample.max() + 1, dtype=int)
    of_condition[of_sample] = conditions[cells]
    return lie_apart(coordinates[cells], of_sample, of_condition)


def finest_partitions(partitions):
    """Those of several partitions of the same cells that no other one divides further.

    Mixing samples also mixes the conditions they belong to. A contrast thus gets the same states
    whether or not one without samples stands beside it.

    Parameters
    ----------
    partitions : sequence of array of int, shape (n,)
        Number of each cell's part.

    Returns
    -------
    list of int
        Their positions, in order; of equal partitions the last.
    """
    kept = []
    for i in range(len(partitions)):
        others = [*kept, *range(i + 1, len(partitions))]
        if not any(_divides(partitions[other], partitions[i]) for other in others):
            kept.append(i)
    return kept


def _divides(fine, coarse):
    """Whether every part of one partition lies within a part of another."""
    return np.unique(np.stack([fine, coarse]), axis=1).shape[1] == len(np.unique(fine))


def overlap(coordinates, groups, seed=0):
    """Share of a cell's 30 nearest cells that are of other groups, by that of all cells: 1 if the
    groups mix, 0 if they lie apart.

    Parameters
    ----------
    coordinates : array, shape (n, P)
    groups : array of int, shape (n,)
        0, 1, …
    seed : int
        Of the cells looked at.

    Returns
    -------
    float
    """
    chosen = np.random.default_rng(seed).permutation(len(groups))[:LOOKED_AT]
    near = nearest_of(coordinates, chosen, min(NEIGHBORS + 1, len(groups)))[:, 1:]
    other = groups[near] != groups[chosen, None]
    expected = 1.0 - (np.bincount(groups)[groups[chosen]] - 1) / (len(groups) - 1)
    return float(other.mean() / max(expected.mean(), 1e-12))


def sample_separation(coordinates, samples, conditions, seed=0):
    """How many more neighbours a cell has from its own sample than if samples mixed.

    Parameters
    ----------
    coordinates : array, shape (n, P)
    samples : array of int, shape (n,)
    conditions : array of int, shape (samples,)
        Condition of each sample.
    seed : int
        Of the cells looked at.

    Returns
    -------
    float
        Share of the 30 nearest cells of a cell's condition that are of its sample, by the share
        of the condition's other cells that are: 1 if they mix.
    """
    chosen = np.random.default_rng(seed).permutation(len(samples))[:LOOKED_AT]
    near = nearest_of(coordinates, chosen, min(NEIGHBORS + 1, len(samples)))[:, 1:]
    of_sample = samples[near] == samples[chosen, None]
    labels = conditions[samples]
    of_condition = labels[near] == labels[chosen, None]
    others = np.bincount(samples)[samples[chosen]] - 1
    expected = others / (np.bincount(labels)[labels[chosen]] - 1)
    return of_sample.sum() / max(of_condition.sum(), 1) / expected.mean()


def _round(points, shares, nearest, surrounding):
    """Points of each sample after one step towards those of the others."""
    steps = [np.zeros_like(x) for x in points]
    own = [_distances(x, x) for x in points]
    for s in range(len(points)):
        for t in range(s + 1, len(points)):
            between = _distances(points[s], points[t])
            mutual = _among_nearest(between, nearest) & _among_nearest(between.T, nearest).T
            for me, you, matches in ((s, t, mutual), (t, s, mutual.T)):
                count = matches.sum(axis=1)
                matched = np.flatnonzero(count)
                if matched.size:
                    target = matches[matched] @ points[you] / count[matched, None]
                    away = target - points[me][matched]
                    near = _nearest(own[me][:, matched], surrounding)
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


def _among_nearest(distances, nearest):
    """Whether a column is among the nearest of a row."""
    found = np.zeros(distances.shape, dtype=bool)
    np.put_along_axis(found, _nearest(distances, nearest), True, axis=1)
    return found
