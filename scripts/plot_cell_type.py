"""Embedding by cell type."""

from _figure import Results, save
from _job import run
from statediff.plots import embedding_categories


def main(job):
    results = Results(job)
    xy, axis_names = results.embedding(job.params.embedding)
    column = job.params.cell_type
    types = results.read("obs")[column].astype("category")
    figure = embedding_categories(
        xy,
        types.astype(str),
        name=column,
        axis_names=axis_names,
        order=[str(name) for name in types.cat.categories],
        colors=results.colors(column, len(types.cat.categories)),
        on_data=True,
        size=job.params.point_size,
    )
    save(job, figure)


run(main, snakemake)
