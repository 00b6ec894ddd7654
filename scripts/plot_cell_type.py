"""Embedding by cell type."""

from _figure import coordinates, own_colors, save
from _job import run
from _table import read_types
from statediff.plots import embedding_categories


def main(job):
    xy, axis_names = coordinates(job)
    types = read_types(job.input.cell_types, len(xy))
    figure = embedding_categories(
        xy,
        types.astype(str),
        name=job.params.cell_type,
        axis_names=axis_names,
        order=list(types.categories),
        colors=own_colors(job.input.store, job.params.cell_type, types.categories),
        on_data=True,
        size=job.params.point_size,
    )
    save(job, figure)


run(main, snakemake)
