"""Volcano of cells."""

from _figure import abundance, conditions, save
from _job import run
from statediff.plots import abundance_volcano


def main(job):
    cells = abundance(job)
    figure = abundance_volcano(
        cells["lfc"],
        cells["neg_log10_lfc_ptp"],
        cells["lfc_direction"],
        conditions=conditions(job),
        lfc_threshold=job.params.lfc_threshold,
        ptp_threshold=job.params.ptp_threshold,
        size=job.params.point_size,
    )
    save(job, figure)


run(main, snakemake)
