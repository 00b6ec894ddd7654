"""Embedding by condition."""

from _figure import Results, save
from _job import run
from statediff.plots import embedding_categories


def main(job):
    results = Results(job)
    xy, axis_names = results.embedding(job.params.embedding)
    column = results.contrast["column"]
    figure = embedding_categories(
        xy,
        results.read("obs")[column].astype(str),
        name=column,
        axis_names=axis_names,
        order=results.conditions,
        size=job.params.point_size,
    )
    save(job, figure)


run(main, snakemake)
