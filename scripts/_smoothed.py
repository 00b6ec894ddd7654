"""Numbers of the fit of a contrast, and smoothed expression of a few genes."""

import h5py
import numpy as np
from _fit import ROLES, SIGNAL, read_coefficients, read_signal
from _states import read_states
from statediff.curves import curves_of_genes, describe_fit
from statediff.store import read_arrays


def read_description(files):
    """Numbers of the fit: see `statediff.curves.describe_fit`."""
    names = [*SIGNAL, *(f"spectrum_{role}" for role in ROLES), "eigenvalues"]
    arrays, attributes = read_arrays(files.fit, *names)
    if attributes["learnt"]:
        arrays |= read_arrays(files.fit, "multiples", "evidence")[0]

    def states_of_reference():
        members, _ = read_arrays(files.cells, "reference")
        return read_states(files.states, attributes["metric"])[0][members["reference"]]

    return describe_fit(arrays, attributes, states_of_reference)


def smoothed(path, genes):
    """Curves of a few genes (columns) at all cells: see `statediff.curves.curves_of_genes`."""
    order = np.argsort(genes)
    back, stored = np.argsort(order), np.asarray(genes)[order]
    with h5py.File(path, "r") as fit:
        *coefficients, between = read_coefficients(fit, stored)
        relative = [fit[f"relative_std_{role}"][:] for role in ROLES]
        signal, eps = read_signal(path).of_genes(stored), fit.attrs["eps"]
        curves = curves_of_genes(fit["phi"], coefficients, relative, signal, eps, between)
    return [values[:, back] for values in curves]
