"""Heatmap of fold changes of genes over cell types."""

from _figure import conditions, run
from _genes import fold_changes
from statediff.plots import gene_heatmap


def draw(job):
    reference, compared = conditions(job)
    label = f"Mean log fold change\n{compared} − {reference}"
    percentile = job.params.percentile
    return gene_heatmap(fold_changes(job), label=label, percentile=percentile)


run(draw, snakemake)
