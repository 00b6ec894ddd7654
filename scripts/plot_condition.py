"""Embedding by condition."""

import numpy as np
from _figure import chosen_cells, condition_colors, conditions, coordinates, run
from statediff.plots import embedding_categories
from statediff.store import read_arrays


def draw(job):
    xy, axis_names = coordinates(job)
    members, _ = read_arrays(job.input.cells, "reference", "compared")
    reference, compared = conditions(job)
    # Cells of neither condition have no name, and are drawn in grey.
    labels = np.select([members["reference"], members["compared"]], [reference, compared], "")
    return embedding_categories(
        xy,
        labels,
        name=job.params.contrast["column"],
        axis_names=axis_names,
        order=[reference, compared],
        colors=condition_colors(job),
        shown=chosen_cells(job),
        size=job.params.point_size,
    )


if __name__ == "__main__":
    run(draw, snakemake)
