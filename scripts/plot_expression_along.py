"""Measured and smoothed expression along a component of the cell states."""

import numpy as np
from _figure import condition_colors, conditions, run
from _genes import chosen_genes, measured
from _smoothed import smoothed
from statediff.plots import expression_along
from statediff.states import chosen_component
from statediff.store import read_arrays

ROLES = ("reference", "compared")


def draw(job):
    states = read_arrays(job.input.states)[0]["states"]
    asked = job.params.component, "figures.component", job.params.states
    number = chosen_component(states, *asked)
    members, _ = read_arrays(job.input.cells, *ROLES)
    genes = chosen_genes(job, job.params.panel_genes)
    before, after, spreads, _ = smoothed(job.input.fit, list(genes.values()))
    values = measured(job, genes).toarray()
    panels = {
        name: (values[:, i], np.column_stack([before[:, i], after[:, i]]), spreads[:, i])
        for i, name in enumerate(genes)
    }
    return expression_along(
        states[:, number - 1],
        panels,
        [members[role] for role in ROLES],
        name=f"{job.params.states}, component {number}",
        conditions=conditions(job),
        colors=condition_colors(job),
        size=job.params.point_size,
    )


if __name__ == "__main__":
    run(draw, snakemake)
