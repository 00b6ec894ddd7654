"""Volcano of genes."""

from _figure import Results, save
from _job import run
from statediff.plots import expression_volcano


def main(job):
    results = Results(job)
    figure = expression_volcano(
        results.result("expression", "mean_lfc", "mahalanobis", "is_de"),
        conditions=results.conditions,
        fdr_threshold=job.params.threshold,
        labelled=job.params.labelled_genes,
        size=job.params.point_size,
    )
    save(job, figure)


run(main, snakemake)
