"""Density of each condition of a contrast at every cell, and its uncertainty."""

import numpy as np
from _job import run
from statediff.density import fit_density
from statediff.store import read_arrays, write_arrays

ROLES = ("reference", "compared")


def main(job):
    gp, uncertainty = job.params.gp, job.params.uncertainty
    members, _ = read_arrays(job.input.cells)
    states = read_arrays(job.input.states, "states")[0]["states"]
    arrays, variance, attributes = {}, np.zeros(len(states)), {"uncertainty": uncertainty}
    options = {"ls_factor": gp["ls_factor"], "tol": gp["tol"], "max_rank": gp["max_rank"]}
    between = between_replicates(states, members, options)
    for role in ROLES:
        density = fit_density(states[members[role]], uncertainty=uncertainty, **options)
        phi = density.basis(states)
        arrays[f"log_density_{role}"] = density(phi)
        variance += density.variance(phi)
        if between is not None:
            variance += between[role]
        attributes |= {
            f"ls_{role}": density.basis.ls,
            f"dimension_{role}": density.dimension,
            f"mean_{role}": density.mean,
            f"rank_{role}": density.basis.rank,
            f"residual_max_{role}": density.basis.residual_max,
            f"truncated_{role}": density.basis.truncated,
        }
    write_arrays(job.output[0], arrays | {"variance": variance}, **attributes)


def between_replicates(states, members, options):
    """Variance between replicates of the log density at every cell, for each condition."""
    if "sample" not in members:
        return None
    variance = {}
    for role in ROLES:
        densities = []
        for code in members[f"samples_{role}"]:
            density = fit_density(states[members["sample"] == code], **options)
            densities.append(density(density.basis(states)))
        if len(densities) >= 2:
            variance[role] = np.var(densities, axis=0, ddof=1)
    # One condition without replicates: the other's variance stands for both.
    (known, *_) = variance.values()
    return {role: variance.get(role, known) for role in ROLES}


run(main, snakemake)
