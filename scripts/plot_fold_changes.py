"""Heatmap of fold changes of genes over cell types."""

from _figure import conditions, save
from _genes import fold_changes
from _job import run
from statediff.plots import gene_heatmap


def main(job):
    reference, compared = conditions(job)
    label = f"Mean log fold change\n{compared} − {reference}"
    percentile = job.params.percentile
    save(job, gene_heatmap(fold_changes(job), label=label, percentile=percentile))


run(main, snakemake)
