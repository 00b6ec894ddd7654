"""Density of the cells of both conditions together, divided between the conditions."""

from dataclasses import replace

import numpy as np
from _basis import read_basis
from _fit import ROLES
from _job import run
from _samples import numbered, span
from _states import read_states
from statediff.density import fit_density
from statediff.ratio import find_overdispersion, fit_ratio, informative, learn_amplitude
from statediff.store import read_arrays, write_arrays


def main(job):
    gp = job.params.gp
    members, described = read_arrays(job.input.cells)
    both = members["reference"] | members["compared"]
    basis, _, known = read_basis(job.input.basis)
    states, _ = read_states(job.input.states, known["metric"])
    cells, samples, design = numbered(members)
    if gp["ls_factor"] is None:
        basis = replace(basis, centre=None)
        density = fit_density(states[both], basis=basis)
    else:
        options = {key: gp[key] for key in ("ls_factor", "tol", "max_rank")}
        density = fit_density(states[both], **options)
        basis = density.basis
    phi = basis(states)
    log_density = density(phi)
    amplitude, evidence = 1.0, None
    if gp["ls_factor"] is None:
        amplitude, evidence = learn_amplitude(phi[cells], samples, design, basis.eigenvalues)
    phi = amplitude * phi[:, : informative(basis.eigenvalues, amplitude)]
    fitted = fit_ratio(phi[cells], samples, design)
    arrays = {"variance": fitted.variance(phi), "freedom": np.inf}
    for role, values in zip(ROLES, fitted.log_densities(log_density, phi), strict=True):
        arrays[f"log_density_{role}"] = values
    attributes = density.described() | {"rank_ratio": phi.shape[1], "amplitude": amplitude}
    attributes["effective_freedom"] = fitted.freedom
    if evidence is not None:
        attributes["evidence"] = evidence
    if "sample" in members:
        found = find_overdispersion(phi, cells, fitted, samples, design)
        arrays["variance"] = arrays["variance"] * found.factor
        arrays["freedom"] = found.freedom
        attributes["overdispersion"] = found.mean
    write_arrays(job.output[0], arrays, estimator="ratio", **attributes, **span(described))


run(main, snakemake)
