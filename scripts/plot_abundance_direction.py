"""Embedding of the cells with a decrease, and of those with an increase of abundance."""

from _figure import abundance, chosen_cells, conditions, coordinates, run
from statediff.plots import embedding_directions


def draw(job):
    xy, axis_names = coordinates(job)
    cells = abundance(job)
    return embedding_directions(
        xy,
        cells["lfc"],
        cells["lfc_direction"],
        conditions=conditions(job),
        axis_names=axis_names,
        shown=chosen_cells(job),
        size=job.params.point_size,
    )


if __name__ == "__main__":
    run(draw, snakemake)
