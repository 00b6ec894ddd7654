"""Volcano of cells."""

from _figure import abundance, conditions, run, significance
from statediff.plots import abundance_volcano


def draw(job):
    cells = abundance(job)
    return abundance_volcano(
        cells["lfc"],
        direction=cells["lfc_direction"],
        conditions=conditions(job),
        size=job.params.point_size,
        **significance(job, cells),
    )


run(draw, snakemake)
