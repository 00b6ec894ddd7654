"""Embedding by log fold change of abundance."""

from _figure import Results, save
from _job import run
from statediff.plots import embedding_values


def main(job):
    results = Results(job)
    xy, axis_names = results.embedding(job.params.embedding)
    reference, compared = results.conditions
    figure = embedding_values(
        xy,
        results.result("abundance", "lfc")["lfc"],
        label=f"Log fold change of cell density\n{compared} / {reference} (natural log)",
        axis_names=axis_names,
        size=job.params.point_size,
    )
    save(job, figure)


run(main, snakemake)
