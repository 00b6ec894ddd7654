"""Heatmap of fold changes of genes over cell types."""

import numpy as np
from _figure import conditions, run
from _genes import changed_types, chosen_genes, fold_changes, shown_types
from statediff.plots import gene_heatmap
from statediff.plots.style import short
from statediff.store import read_arrays

ROLES = ("reference", "compared")


def draw(job):
    genes, types = chosen_genes(job, job.params.heatmap_genes), shown_types(job)
    members, _ = read_arrays(job.input.cells, *ROLES)
    inside = [types[members[role]].value_counts().reindex(types.categories) for role in ROLES]
    reference, compared = (short(name, 25) for name in conditions(job))
    return gene_heatmap(
        fold_changes(job, genes, types),
        label=f"Mean log fold change\n{compared} − {reference}\n(units of the layer)",
        significant=changed_types(job, genes, types.categories),
        cells=np.minimum(*inside),
        percentile=job.params.percentile,
    )


if __name__ == "__main__":
    run(draw, snakemake)
