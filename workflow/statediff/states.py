"""Cell states: in the metric of the models, and Palantir's diffusion maps."""

import warnings

import numpy as np
from scipy.sparse.csgraph import connected_components

from statediff import DataWarning, InputError
from statediff.diffusion import affinity, leading_components, scaled_components
from statediff.messages import key_of, listed
from statediff.nearest import nearest_among_many

__all__ = [
    "chosen_component",
    "diffusion_maps",
    "distinct",
    "known_eigenvalues",
    "states_in_metric",
]

# Components from which on diffusion distances hardly change.
ENOUGH = 40
# Cells up to which scanpy, and so Palantir, searches for neighbours exactly.
SEARCHED_EXACTLY = 8191
# The first diffusion component is constant, but for what its eigensolver leaves.
CONSTANT = 1e-3


def states_in_metric(components, eigenvalues, metric):
    """Cell states in the metric of the models.

    Parameters
    ----------
    components : ndarray, shape (cells, D)
    eigenvalues : ndarray, shape (D,) or None
        None for components that are not diffusion components: these stay as they are.
    metric : {"diffusion", "euclidean"}

    Returns
    -------
    states : ndarray, shape (cells, d)
    metric : str
        The metric in which they are.
    """
    if metric == "diffusion" and eigenvalues is not None:
        return scaled_components(components, eigenvalues), "diffusion"
    return components, "euclidean"


def known_eigenvalues(values, n_components):
    """Eigenvalues of components that a file or an AnnData holds, if there is one for each.

    Parameters
    ----------
    values : array or None
    n_components : int

    Returns
    -------
    ndarray, shape (n_components,), or None
    """
    values = np.asarray([] if values is None else values)
    numeric = values.dtype.kind in "iuf" and values.shape == (n_components,)
    return values if numeric and np.isfinite(values).all() else None


def chosen_component(components, number, option, name):
    """Number of a component of the cell states, counted from 1.

    Parameters
    ----------
    components : ndarray, shape (cells, D)
    number : int or None
        None for the first component that varies between the cells.
    option, name : str
        Argument or key that names it, and the name of the states, for messages.

    Returns
    -------
    int

    Raises
    ------
    InputError
        If there is no such component.
    """
    varies = np.ptp(components, axis=0) > CONSTANT * np.abs(components).max(axis=0)
    number = number or int(np.flatnonzero(varies)[0]) + 1
    if number > components.shape[1]:
        raise InputError(
            f"{option}: found {number}, expected at most {components.shape[1]}, the number of "
            f"components of {name}"
        )
    return number


def diffusion_maps(coordinates, n_components, knn, seed, metric, option):
    """Palantir's diffusion maps.

    Below 8,192 cells Palantir computes them. From there on, where its search for neighbours is
    approximate and has to be compiled first, the same kernel is built from neighbours of which 99 %
    or more are the true ones (`statediff.nearest`), and its eigenvectors are those of a symmetric
    matrix (`statediff.diffusion`).

    Cells with the same coordinates count as one, and so have the same states: Palantir divides by
    the distance of a cell to one of its neighbours. Cells without a link to others are reported.

    Parameters
    ----------
    coordinates : ndarray, shape (cells, D)
        Such as principal components.
    n_components : int
    knn : int
        Neighbours of each cell.
    seed : int
    metric : {"diffusion", "euclidean"}
        With diffusion distances at least 40 components are computed (if there are more cells).
    option : str
        Section of the configuration, for messages.

    Returns
    -------
    states : ndarray, shape (cells, components)
    eigenvalues : ndarray, shape (components,)

    Raises
    ------
    InputError
        If there are too few cells, or components are not finite.

    References
    ----------
    Setty et al. (2019), Nature Biotechnology 37, 451–460.
    """
    coordinates, cells = distinct(coordinates)
    n_cells = len(coordinates)
    for key, found in (("knn", knn), ("n_components", n_components)):
        if found >= n_cells:
            apart = "" if n_cells == len(cells) else f" that differ, of {len(cells)}"
            raise InputError(
                f"{key_of(option, key)}: found {found}, expected fewer than the {n_cells} cells"
                f"{apart}"
            )
    if metric == "diffusion":
        n_components = min(max(n_components, ENOUGH), n_cells - 1)
    how = coordinates, n_components, knn, seed
    kernel, states, eigenvalues = (_by_palantir if n_cells <= SEARCHED_EXACTLY else _of_many)(*how)
    states = states[cells]
    bad = np.flatnonzero(~np.isfinite(states).all(axis=1))
    if bad.size:
        raise InputError(
            f"{key_of(option, 'knn')}: the map holds NaN or infinite values in {bad.size} cells "
            f"(first: row {bad[0]}); expected finite numbers (more neighbours may connect the "
            "cells)"
        )
    _report_groups(kernel, cells, knn, option)
    return states, eigenvalues


def _by_palantir(coordinates, n_components, knn, seed):
    """Kernel, components and eigenvalues as Palantir computes them."""
    from anndata import AnnData
    from palantir.utils import run_diffusion_maps

    adata = AnnData(obsm={"coordinates": coordinates}, shape=(len(coordinates), 0))
    run_diffusion_maps(
        adata, pca_key="coordinates", n_components=n_components, knn=knn, alpha=0, seed=seed
    )
    states, eigenvalues = adata.obsm["DM_EigenVectors"], adata.uns["DM_EigenValues"]
    kernel = adata.obsp["DM_Kernel"]
    return kernel, np.asarray(states, dtype=np.float64), np.asarray(eigenvalues, dtype=np.float64)


def _of_many(coordinates, n_components, knn, seed):
    """The same of many cells, several times as fast."""
    # For so many cells, scanpy and so Palantir count the cell itself as the first of the nearest
    # ones when they look for the width, and have one neighbour more than for fewer cells.
    nearest = nearest_among_many(coordinates, knn, seed)
    kernel = affinity(*nearest, max(knn // 3 - 1, 1))
    return kernel, *leading_components(kernel, n_components, seed)


def distinct(coordinates):
    """Cells that differ, in single precision, which is that of neighbours.

    Parameters
    ----------
    coordinates : ndarray, shape (cells, D)

    Returns
    -------
    coordinates : ndarray, shape (n, D)
        Of the first cell of each kind, in the order of the cells.
    cells : ndarray of int, shape (cells,)
        Row of each cell among these.
    """
    rounded = np.ascontiguousarray(coordinates, dtype=np.float32) + np.float32(0)  # no -0
    _, first, inverse = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return coordinates[first[order]], np.argsort(order)[inverse.ravel()]


def _report_groups(kernel, cells, knn, option):
    """Warn of groups of cells between which there is no path along neighbours."""
    n_groups, group = connected_components(kernel, directed=False)
    if n_groups > 1:
        sizes = np.sort(np.bincount(group[cells]))[::-1]
        warnings.warn(
            f"the cells fall into {n_groups} groups without a link between them (of "
            f"{listed(f'{size:,}' for size in sizes)} cells): cell states say nothing of how far "
            f"one group is from another; more neighbours than {knn} may link them "
            f"({key_of(option, 'knn')}): see docs/warnings.md#separate-groups",
            DataWarning,
            stacklevel=3,
        )
