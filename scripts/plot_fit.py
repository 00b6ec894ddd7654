"""The fit of a contrast: its basis, length scale and degrees of freedom."""

import numpy as np
from _figure import condition_colors, conditions, run
from statediff.neighbours import sampled_distances
from statediff.plots import fit_overview
from statediff.store import read_arrays

ROLES = ("reference", "compared")
# Cells whose distance to their neighbour is shown.
SHOWN = 5000


def draw(job):
    names = [f"covariance_{role}" for role in ROLES]
    fit, attributes = read_arrays(job.input.fit, "eigenvalues", *names)
    members, _ = read_arrays(job.input.cells, "reference")
    states = read_arrays(job.input.states, "states")[0]["states"]
    rank = len(fit["eigenvalues"])
    return fit_overview(
        fit["eigenvalues"],
        noise=attributes["sigma"],
        residual=attributes["residual_max"],
        tol=job.params.tol,
        ls=attributes["ls"],
        distances=sampled_distances(states[members["reference"]], SHOWN),
        freedom=[1.0 - np.diag(fit[name])[:rank] for name in names],
        conditions=conditions(job),
        colors=condition_colors(job),
    )


run(draw, snakemake)
