"""Embedding by log fold change of abundance."""

from _figure import abundance, chosen_cells, conditions, coordinates, run
from statediff.plots import embedding_values
from statediff.plots.style import short


def draw(job):
    xy, axis_names = coordinates(job)
    reference, compared = (short(name, 25) for name in conditions(job))
    return embedding_values(
        xy,
        abundance(job)["lfc"],
        label=f"log₂ fold change of cell density\n{compared} / {reference}",
        axis_names=axis_names,
        shown=chosen_cells(job),
        size=job.params.point_size,
    )


if __name__ == "__main__":
    run(draw, snakemake)
