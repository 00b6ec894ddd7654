"""The fit of a contrast: its basis, length scale and degrees of freedom."""

import numpy as np
from _figure import conditions, run
from scipy.spatial import KDTree
from statediff.plots import fit_overview
from statediff.store import read_arrays

ROLES = ("reference", "compared")
# Cells whose distance to their neighbour is shown.
SHOWN = 10_000


def draw(job):
    names = [f"covariance_{role}" for role in ROLES]
    fit, attributes = read_arrays(job.input.fit, "eigenvalues", *names)
    members, _ = read_arrays(job.input.cells, "reference")
    states = read_arrays(job.input.states, "states")[0]["states"]
    rank = len(fit["eigenvalues"])
    return fit_overview(
        fit["eigenvalues"],
        noise=attributes["sigma"],
        ls=attributes["ls"],
        distances=neighbour_distances(states[members["reference"]]),
        freedom=[1.0 - np.diag(fit[name])[:rank] for name in names],
        conditions=conditions(job),
    )


def neighbour_distances(states):
    """Distance to the nearest other cell, of some cells drawn at random."""
    shown = np.random.default_rng(0).permutation(len(states))[:SHOWN]
    return KDTree(states).query(states[shown], k=2)[0][:, 1]


run(draw, snakemake)
