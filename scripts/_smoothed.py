"""Smoothed expression of a few genes, from the compressed layers."""

import h5py
import numpy as np
from _fit import read_coefficients
from statediff import EPS


def smoothed(path, genes):
    """Smoothed expression of a few genes (columns) at all cells, in both conditions (n, genes),
    their standard deviations (n, 2), and that of the fold change, replicates counted (n, genes)."""
    order = np.argsort(genes)
    back = np.argsort(order)
    with h5py.File(path, "r") as fit:
        reference, compared, between = read_coefficients(fit, np.asarray(genes)[order])
        phi = fit["phi"][:]
        stds = np.column_stack([fit["std_reference"][:], fit["std_compared"][:]])
    variance = np.repeat((stds**2).sum(axis=1)[:, None] - EPS, len(genes), axis=1)
    for deviation in () if between is None else between:
        variance += (phi @ deviation) ** 2
    return (phi @ reference)[:, back], (phi @ compared)[:, back], stds, np.sqrt(variance)[:, back]
