"""Differential abundance of a contrast: a density per condition, compared at every cell."""

import numpy as np
from _job import run
from statediff.conventions import resolve
from statediff.density import differential_abundance, fit_density
from statediff.store import read_arrays, write_arrays


def main(job):
    gp, settings = job.params.gp, job.params.abundance
    members, _ = read_arrays(job.input.cells)
    states = read_arrays(job.input.states, "states")[0]["states"]
    uncertainty = resolve(job.params.conventions, "uncertainty", settings["uncertainty"])
    ptp_sides = resolve(job.params.conventions, "ptp_sides", settings["ptp_sides"])
    log_density, variance = {}, np.zeros(len(states))
    attributes = {"uncertainty": uncertainty, "ptp_sides": ptp_sides}
    for role in ("reference", "compared"):
        density = fit_density(
            states[members[role]],
            ls_factor=gp["ls_factor"],
            uncertainty=uncertainty,
            tol=gp["tol"],
            max_rank=gp["max_rank"],
        )
        phi = density.basis(states)
        log_density[role] = density(phi)
        variance += density.variance(phi)
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


run(main, snakemake)
