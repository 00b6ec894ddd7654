"""Heatmap of measured expression over cell types and conditions."""

import numpy as np
import pandas as pd
from _figure import condition_colors, conditions, run
from _genes import chosen_genes, measured, shown_types
from statediff.plots import gene_heatmap
from statediff.store import read_arrays

ROLES = ("reference", "compared")


def draw(job):
    genes = chosen_genes(job, job.params.heatmap_genes)
    members, _ = read_arrays(job.input.cells, *ROLES)
    types = shown_types(job)
    values = measured(job, genes)
    columns = {
        (name, condition): mean(values, (types == name) & members[role])
        for name in types.categories
        for role, condition in zip(ROLES, conditions(job), strict=True)
    }
    levels = pd.DataFrame(columns, index=genes)
    spread = levels.std(axis=1).replace(0.0, 1.0)
    scores = levels.sub(levels.mean(axis=1), axis=0).div(spread, axis=0)
    label = "Mean expression\n(z-score of the gene)"
    return gene_heatmap(
        scores,
        label=label,
        conditions=conditions(job),
        colors=condition_colors(job),
        cells=[
            ((types == name) & members[role]).sum() for name in types.categories for role in ROLES
        ],
        percentile=job.params.percentile,
    )


def mean(values, cells):
    """Mean of each gene, unknown where there is no cell."""
    if not cells.any():
        return np.full(values.shape[1], np.nan)
    return np.asarray(values[cells].mean(axis=0)).ravel()


run(draw, snakemake)
