"""Density of the cells of both conditions together, divided between the conditions."""

import numpy as np
from _job import run
from statediff.density import fit_density
from statediff.ratio import find_overdispersion, fit_ratio, informative
from statediff.store import read_arrays, write_arrays

ROLES = ("reference", "compared")


def main(job):
    members, _ = read_arrays(job.input.cells)
    states = read_arrays(job.input.states, "states")[0]["states"]
    both = members["reference"] | members["compared"]
    density = fit_density(states[both], **job.params.gp)
    phi = density.basis(states)
    log_density = density(phi)
    phi = phi[:, : informative(density.basis)]
    fitted = fit_ratio(phi[both], members["compared"][both])
    arrays = {"variance": fitted.variance(phi), "freedom": np.inf}
    for role, values in zip(ROLES, fitted.log_densities(log_density, phi), strict=True):
        arrays[f"log_density_{role}"] = values
    attributes = density.described() | {"rank_ratio": phi.shape[1]}
    if "sample" in members:
        samples = [np.where(members[role], members["sample"], -1) for role in ROLES]
        found = find_overdispersion(phi, samples)
        arrays["variance"] = arrays["variance"] * found.factor
        arrays["freedom"] = found.freedom
        attributes["overdispersion"] = found.mean
    write_arrays(job.output[0], arrays, estimator="ratio", **attributes)


run(main, snakemake)
