"""Heatmap of fold changes of genes over cell types."""

from _figure import conditions, run
from _genes import fold_changes
from statediff.plots import gene_heatmap
from statediff.plots.style import short


def draw(job):
    reference, compared = (short(name, 25) for name in conditions(job))
    label = f"Mean log fold change\n{compared} − {reference}\n(units of the layer)"
    percentile = job.params.percentile
    return gene_heatmap(fold_changes(job), label=label, percentile=percentile)


run(draw, snakemake)
