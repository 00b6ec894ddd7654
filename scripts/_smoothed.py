"""Smoothed expression of a few genes, from the compressed layers."""

import h5py
import numpy as np
from _fit import ROLES, read_coefficients, read_signal
from statediff.basis_values import values_at


def smoothed(path, genes):
    """Smoothed expression of a few genes (columns) at all cells, in both conditions (n, genes),
    their standard deviations (n, genes, 2), and that of the fold change, replicates counted
    (n, genes)."""
    order = np.argsort(genes)
    back = np.argsort(order)
    signal = read_signal(path).of_genes(np.asarray(genes)[order])
    with h5py.File(path, "r") as fit:
        reference, compared, between = read_coefficients(fit, np.asarray(genes)[order])
        phi, eps = fit["phi"], fit.attrs["eps"]
        relative = [fit[f"relative_std_{role}"][:][:, signal.level] for role in ROLES]
        stds = np.stack(relative, axis=2) * signal.noise[:, None]
        variance = (stds.astype(np.float64) ** 2).sum(axis=2) - eps * signal.noise**2
        for deviation in () if between is None else between:
            variance += values_at(phi, deviation) ** 2
        values = [values_at(phi, coefficients) for coefficients in (reference, compared)]
    return (
        *(of_condition[:, back] for of_condition in values),
        stds[:, back],
        np.sqrt(variance)[:, back],
    )
