"""The models of abundance of a contrast: a density of all cells, divided between the conditions."""

from dataclasses import replace

import numpy as np

from statediff.basis_values import Evaluated, Part, Stored
from statediff.density import fit_density
from statediff.overdispersion import find_overdispersion
from statediff.ratio import (
    fit_ratio,
    informative,
    learn_amplitude,
)
from statediff.samples import number_samples, span
from statediff.shrinkage import shrink

__all__ = ["fit_abundance"]

ROLES = ("reference", "compared")


def fit_abundance(states, members, described, basis, gp, folder=None):
    """Density of the cells of both conditions together, divided between the conditions.

    Parameters
    ----------
    states : ndarray, shape (cells, D)
        In the metric of the models.
    members, described : dict
        Arrays and attributes from `statediff.contrast.find_cells`.
    basis : statediff.basis.Basis
        That of the expression of the contrast.
    gp : dict
        Keys of the section gp: ls_factor, tol, max_rank. With `ls_factor` the density has a basis
        of its own, by the published rule.
    folder : path, optional
        Where a file without a name holds the basis at the cells; in memory if not given.

    Returns
    -------
    arrays : dict of ndarray
        At all cells, the ``log_ratio`` of the densities that is tested, its ``variance`` and
        degrees of ``freedom`` (infinite without samples), and ``log_density_reference`` and
        ``log_density_compared``, whose difference is the `shrunk <statediff.shrinkage.shrink>`
        log ratio.
    attributes : dict
        Length scale and rank of the density, rank and ``amplitude`` of the change, with the
        ``evidence`` for it, ``effective_freedom``, with samples the mean ``overdispersion``.
    """
    both = members["reference"] | members["compared"]
    cells, samples, design = number_samples(members)

    def at_cells(basis):
        values = Evaluated(basis, states)
        return values[:] if folder is None else Stored(values, folder)

    amplitude, evidence = 1.0, None
    if gp["ls_factor"] is None:
        basis = replace(basis, centre=None)
        phi = at_cells(basis)
        of_both = Part(phi, np.flatnonzero(both))
        density = fit_density(states[both], basis=basis, phi=of_both)
        used = Part(phi, cells)
        amplitude, evidence = learn_amplitude(used, samples, design, basis.eigenvalues)
    else:
        options = {key: gp[key] for key in ("ls_factor", "tol", "max_rank")}
        density = fit_density(states[both], **options)
        basis = density.basis
        phi = at_cells(basis)
    log_density = density(phi)
    phi = Part(phi, size=informative(basis.eigenvalues, amplitude), scale=amplitude)
    fitted = fit_ratio(Part(phi, cells), samples, design)
    attributes = density.described() | {"rank_ratio": phi.shape[1], "amplitude": amplitude}
    attributes["effective_freedom"] = fitted.freedom
    if evidence is not None:
        attributes["evidence"] = evidence
    factor, freedom = 1.0, np.inf
    if "sample" in members:
        found = find_overdispersion(phi, cells, fitted, samples, design)
        factor, freedom = found.factor, found.freedom
        attributes["overdispersion"] = found.mean
    log_ratio, variance = fitted.unshrunk(phi, amplitude**2)
    variance = variance * factor
    lfc = shrink(log_ratio, np.sqrt(variance), freedom)
    arrays = {"log_ratio": log_ratio, "variance": variance, "freedom": freedom}
    for role, values in zip(ROLES, fitted.log_densities(log_density, lfc), strict=True):
        arrays[f"log_density_{role}"] = values
    return arrays, attributes | {"estimator": "ratio"} | span(described)
