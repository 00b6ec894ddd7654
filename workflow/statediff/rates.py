"""Which genes are called: false discovery rates by each test that the configuration offers."""

import numpy as np

from statediff import InputError
from statediff.inputs import find_genes
from statediff.messages import listed
from statediff.significance import called_genes, false_discovery_rates, permutation_test

__all__ = [
    "RANKING",
    "distances_of_null_genes",
    "group_rates",
    "rates_of_genes",
    "read_null_distances",
]

#: What ranks the genes under each test.
RANKING = {
    "residual": "pvalue",
    "labels": "standardised",
    "genes": "mahalanobis",
    "external": "mahalanobis",
}


def rates_of_genes(distances, null, settings, option):
    """False discovery rates and calls of all genes.

    Parameters
    ----------
    distances : ndarray, shape (genes,)
        Mahalanobis distances of the fold changes.
    null : dict of ndarray or ndarray
        With the test `residual` its results, from `statediff.gene_tests.compare_genes`; with
        `labels` the distances with permuted conditions, shape (permutations, genes); else the
        distances of null genes, shape (null genes,).
    settings : dict
        Section `fdr` of the configuration.
    option : str
        What the user would change, for messages.

    Returns
    -------
    dict of ndarray, shape (genes,)

    Raises
    ------
    InputError
        If the distances allow no estimate.
    """
    threshold = settings["threshold"]
    if settings["test"] == "residual":
        return called_genes(null, threshold)
    if settings["test"] == "labels":
        return called_genes(permutation_test(distances, null), threshold)
    try:
        return false_discovery_rates(distances, null, threshold, settings["gaps"])
    except ValueError as error:
        raise InputError(f"{error} ({option})") from error


def group_rates(names, distances, null, settings, option):
    """Published false discovery rates and calls of the genes in each group.

    Parameters
    ----------
    names : ndarray of str, shape (groups,)
    distances, null : ndarray, shape (groups, genes) and (groups, null genes)
    settings, option
        As for `rates_of_genes`.

    Returns
    -------
    dict of ndarray, shape (groups, genes)
    """
    rates = [
        rates_of_genes(own, of_null, settings | {"test": "genes"}, f"{option}: group {name!r}")
        for name, own, of_null in zip(names, distances, null, strict=True)
    ]
    return {key: np.array([rate[key] for rate in rates]) for key in rates[0]}


def read_null_distances(path, option):
    """Distances of null genes, from a TSV with a column `mahalanobis`.

    Raises
    ------
    InputError
        If there is no such column, or a value is not a finite number of 0 or more.
    """
    import pandas as pd

    table = pd.read_csv(path, sep="\t")
    if "mahalanobis" not in table:
        raise InputError(
            f"{option}: {path} has the columns {listed(table.columns)}; expected one named "
            "mahalanobis"
        )
    values = pd.to_numeric(table["mahalanobis"], errors="coerce").to_numpy()
    if not (values >= 0).all() or not np.isfinite(values).all():
        raise InputError(f"{option}: {path} has distances that are not finite numbers of 0 or more")
    return values


def distances_of_null_genes(shuffled, table, unchanged, distances, names):
    """Distances of shuffled genes, of a table, and of genes known not to change.

    Parameters
    ----------
    shuffled : ndarray, shape (null genes,), or None
    table : path or None
        See `read_null_distances`.
    unchanged : list of str
        Names of genes, or a file with names: see `statediff.inputs.find_genes`.
    distances : ndarray, shape (genes,)
    names : ndarray of str, shape (genes,), or None
        None if no genes are known not to change.

    Returns
    -------
    ndarray
    """
    null = [] if shuffled is None else [shuffled]
    if table:
        null.append(read_null_distances(table, "fdr.external.distances"))
    if unchanged:
        null.append(distances[find_genes(names, unchanged, "fdr.external.genes")])
    return np.concatenate(null)
