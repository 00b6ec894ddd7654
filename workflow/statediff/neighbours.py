"""Distances between neighbouring cell states, and the length scale that follows from them."""

import warnings

import numpy as np
from scipy.spatial import KDTree

from statediff import DataWarning, InputError

__all__ = [
    "length_scale",
    "nearest_distances",
    "nearest_of",
    "positive_distances",
    "sampled_distances",
]

# Neighbours of more cells than these are searched for approximately.
EXACT = 50_000


def nearest_distances(states):
    """Distance of every cell to its nearest other cell.

    The search is exact (a k-d tree) up to 50,000 cells, and that of `statediff.nearest` beyond.

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
        from statediff.nearest import nearest_among_many

        return positive_distances(nearest_among_many(states, 1)[1][:, 0])
    distances, _ = KDTree(states).query(states, k=2)
    return positive_distances(distances[:, 1])


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
