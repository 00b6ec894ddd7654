"""Volcano of cells."""

from _figure import Results, save
from _job import run
from statediff.plots import abundance_volcano


def main(job):
    results = Results(job)
    cells = results.result("abundance", "lfc", "neg_log10_lfc_ptp", "lfc_direction")
    figure = abundance_volcano(
        cells["lfc"],
        cells["neg_log10_lfc_ptp"],
        cells["lfc_direction"],
        conditions=results.conditions,
        lfc_threshold=job.params.lfc_threshold,
        ptp_threshold=job.params.ptp_threshold,
        size=job.params.point_size,
    )
    save(job, figure)


run(main, snakemake)
