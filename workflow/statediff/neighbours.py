"""Distances between neighbouring cell states, and the length scale that follows from them."""

import warnings

import numpy as np
from scipy.spatial import KDTree

from statediff import DataWarning, InputError
from statediff.progress import followed

__all__ = [
    "length_scale",
    "nearest_among_many",
    "nearest_distances",
    "nearest_of",
    "positive_distances",
    "sampled_distances",
]

# Neighbours of more cells than these are searched for approximately: in how many clusters of how
# many cells, unless too few are found in these (share) of some cells (number).
EXACT = 50_000
OF_CLUSTER, CLUSTERS = 400, 20
RECALL, TRIED = 0.99, 500


def nearest_distances(states):
    """Distance of every cell to its nearest other cell.

    The search is exact (a k-d tree) up to 50,000 cells, and that of `nearest_among_many` beyond.

    Cells that coincide with another (distance zero) get the smallest positive distance,
    with a warning: the length scale is a mean of logarithms.

    Parameters
    ----------
    states : array, shape (n, D)
        Finite cell states, n ≥ 2.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    InputError
        If there are fewer than two cells, or each coincides with another.
    """
    states = np.asarray(states, dtype=np.float64)
    if len(states) < 2:
        raise InputError(f"nearest distances need at least 2 cells, found {len(states)}")
    if len(states) > EXACT:
        return positive_distances(nearest_among_many(states, 1)[1][:, 0])
    distances, _ = KDTree(states).query(states, k=2)
    return positive_distances(distances[:, 1])


def nearest_among_many(values, count, seed=0):
    """Nearest other cells of every cell, among so many that not all distances can be computed.

    The cells are divided into clusters of about 400 by k-means. The nearest of a cell are searched
    for, exactly, in the 20 clusters nearest to its own. How many of the true ones are found is
    measured for 500 cells, drawn at random, and twice as many clusters are searched as long as it
    is less than 99 %.

    Parameters
    ----------
    values : array, shape (n, P)
    count : int
        Cells to find for each; less than n.
    seed : int

    Returns
    -------
    cells : ndarray of int, shape (n, count)
        The nearest first.
    distances : ndarray, shape (n, count)
        Exact.

    References
    ----------
    Jégou, Douze & Schmid (2011), IEEE TPAMI 33, for the search in the clusters near a query.
    """
    from sklearn.cluster import MiniBatchKMeans  # takes a second

    values = np.asarray(values, dtype=np.float64)
    values = values - values.mean(axis=0)  # the search loses digits far from the origin
    order = np.random.default_rng(seed).permutation(len(values))
    n_clusters = -(-len(values) // OF_CLUSTER)
    means = MiniBatchKMeans(
        n_clusters, n_init=1, max_iter=5, batch_size=4096, random_state=seed
    ).fit(values[order[: 50 * n_clusters]])
    cluster = means.predict(values)
    sizes = np.bincount(cluster, minlength=n_clusters)
    members = np.split(np.argsort(cluster, kind="stable"), np.cumsum(sizes)[:-1])
    near = nearest_of(means.cluster_centers_, np.arange(n_clusters), n_clusters)

    def search(own, cells, reach):
        enough = np.searchsorted(np.cumsum(sizes[near[own]]), count + 1) + 1
        candidates = np.concatenate([members[other] for other in near[own, : max(reach, enough)]])
        return _nearest_others(values, cells, candidates, count)

    tried, reach = order[:TRIED], CLUSTERS
    true = _nearest_others(values, tried, np.arange(len(values)), count)[1]
    while reach < n_clusters:
        found = np.vstack([search(cluster[cell], [cell], reach)[1] for cell in tried])
        if (found <= true[:, -1:]).mean() >= RECALL:
            break
        reach *= 2
    cells = np.empty((len(values), count), dtype=np.int32)
    distances = np.empty((len(values), count))
    starts = np.cumsum(sizes) - sizes
    parts = followed(zip(starts, members, strict=True), len(values), "cells have their neighbours")
    for own, (_, chosen) in enumerate(parts):
        if len(chosen):
            cells[chosen], distances[chosen] = search(own, chosen, reach)
    return cells, distances


def _nearest_others(values, cells, candidates, count):
    """The nearest of the candidates to cells, which are among them and no neighbours of their own,
    and their distances."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=count + 1, algorithm="brute").fit(values[candidates])
    found = candidates[search.kneighbors(values[cells], return_distance=False)]
    distances = np.linalg.norm(values[found] - values[cells, None], axis=2)
    distances[found == np.asarray(cells)[:, None]] = np.inf
    order = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(found, order, 1), np.take_along_axis(distances, order, 1)


def nearest_of(values, chosen, count):
    """Nearest cells of some cells, exactly: each is the first of its own, but for coincidences.

    All distances are computed, a block at a time: for few cells that takes less time than a tree
    does in many dimensions.

    Parameters
    ----------
    values : array, shape (n, P)
    chosen : array of int, shape (m,)
    count : int
        Cells to find for each, itself included; at most n.

    Returns
    -------
    ndarray of int, shape (m, count)
    """
    from sklearn.neighbors import NearestNeighbors  # takes a second

    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(values)
    return search.kneighbors(values[chosen], return_distance=False)


def sampled_distances(states, count, seed=0):
    """Distance of some cells to their nearest other cell.

    Parameters
    ----------
    states : array, shape (n, D)
        Finite cell states, n ≥ 2.
    count : int
        Cells, drawn at random; all if there are no more.
    seed : int

    Returns
    -------
    ndarray, shape (min(count, n),)
        Exact; zero where cells coincide.
    """
    states = np.asarray(states, dtype=np.float64)
    chosen = np.random.default_rng(seed).permutation(len(states))[:count]
    steps = states[nearest_of(states, chosen, 2)] - states[chosen, None]
    return np.linalg.norm(steps, axis=2).max(axis=1)


def positive_distances(distances):
    """Replace zero or non-finite distances by the smallest positive one, with a warning."""
    distances = np.asarray(distances, dtype=np.float64)
    good = np.isfinite(distances) & (distances > 0)
    if good.all():
        return distances
    if not good.any():
        raise InputError(
            "every cell shares its state with another one, so that no distance between neighbours "
            "is positive; expected cells with states of their own (remove duplicated cells)"
        )
    warnings.warn(
        f"{np.count_nonzero(~good)} of {good.size} cells share their state with another cell; "
        "they get the smallest positive neighbour distance",
        DataWarning,
        stacklevel=3,
    )
    return np.where(good, distances, distances[good].min())


def length_scale(distances, factor=10.0):
    r"""Length scale from nearest-neighbour distances.

    .. math:: \ell = \mathrm{factor} \cdot \exp(3 + \overline{\log r_1})

    Parameters
    ----------
    distances : array, shape (n,)
        Positive distances of cells to their nearest other cell.
    factor : float
        `ls_factor` of the Kompot preprint.

    Returns
    -------
    float
        In the units of the distances.

    References
    ----------
    Otto et al. (2024), Nature Methods (Mellon), for factor 1; Otto et al. (2025) for the factor.
    """
    return float(factor * np.exp(3.0 + np.log(distances).mean()))
