"""Volcano of cells."""

from _figure import abundance, conditions, save, significance
from _job import run
from statediff.plots import abundance_volcano


def main(job):
    cells = abundance(job)
    figure = abundance_volcano(
        cells["lfc"],
        direction=cells["lfc_direction"],
        conditions=conditions(job),
        size=job.params.point_size,
        **significance(job, cells),
    )
    save(job, figure)


run(main, snakemake)
