"""The fit of a contrast: its basis, length scale and degrees of freedom."""

import numpy as np
from _figure import conditions, save
from _job import run
from statediff.kernels import nearest_distances
from statediff.plots import fit_overview
from statediff.store import read_arrays

ROLES = ("reference", "compared")


def main(job):
    names = [f"covariance_{role}" for role in ROLES]
    fit, attributes = read_arrays(job.input.fit, "eigenvalues", *names)
    members, _ = read_arrays(job.input.cells, "reference")
    states = read_arrays(job.input.states, "states")[0]["states"]
    rank = len(fit["eigenvalues"])
    figure = fit_overview(
        fit["eigenvalues"],
        noise=attributes["sigma"],
        ls=attributes["ls"],
        distances=nearest_distances(states[members["reference"]]),
        freedom=[1.0 - np.diag(fit[name])[:rank] for name in names],
        conditions=conditions(job),
    )
    save(job, figure)


run(main, snakemake)
