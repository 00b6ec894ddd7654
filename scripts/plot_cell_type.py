"""Embedding by cell type."""

from _figure import chosen_cells, coordinates, own_colors, run
from _table import read_types
from statediff.plots import embedding_categories


def draw(job):
    xy, axis_names = coordinates(job)
    types = read_types(job.input.cell_types, len(xy))
    return embedding_categories(
        xy,
        types.astype(str),
        name=job.params.cell_type,
        axis_names=axis_names,
        order=list(types.categories),
        colors=own_colors(job, job.params.cell_type, types.categories),
        shown=chosen_cells(job),
        on_data=True,
        size=job.params.point_size,
    )


if __name__ == "__main__":
    run(draw, snakemake)
