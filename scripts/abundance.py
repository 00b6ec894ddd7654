"""Differential abundance of a contrast: a density per condition, compared at every cell."""

import numpy as np
from _job import run
from statediff.conventions import resolve
from statediff.density import differential_abundance, fit_density
from statediff.store import read_arrays, write_arrays

ROLES = ("reference", "compared")


def main(job):
    gp, settings = job.params.gp, job.params.abundance
    members, _ = read_arrays(job.input.cells)
    states = read_arrays(job.input.states, "states")[0]["states"]
    uncertainty = resolve(job.params.conventions, "uncertainty", settings["uncertainty"])
    ptp_sides = resolve(job.params.conventions, "ptp_sides", settings["ptp_sides"])
    log_density, variance = {}, np.zeros(len(states))
    attributes = {"uncertainty": uncertainty, "ptp_sides": ptp_sides}
    options = {"ls_factor": gp["ls_factor"], "tol": gp["tol"], "max_rank": gp["max_rank"]}
    between = between_replicates(states, members, options)
    for role in ROLES:
        density = fit_density(states[members[role]], uncertainty=uncertainty, **options)
        phi = density.basis(states)
        log_density[role] = density(phi)
        variance += density.variance(phi)
        if between is not None:
            variance += between[role]
        attributes |= {
            f"ls_{role}": density.basis.ls,
            f"dimension_{role}": density.dimension,
            f"mean_{role}": density.mean,
            f"rank_{role}": density.basis.rank,
            f"residual_max_{role}": density.basis.residual_max,
        }
    result = differential_abundance(
        log_density["reference"],
        log_density["compared"],
        variance,
        settings["lfc_threshold"],
        settings["ptp_threshold"],
        ptp_sides,
    )
    result |= {f"log_density_{role}": values for role, values in log_density.items()}
    write_arrays(job.output[0], result, **attributes)


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
