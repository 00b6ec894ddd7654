"""Volcano of cells."""

import numpy as np
from _figure import abundance, conditions, save
from _job import run
from statediff.plots import abundance_volcano

TINY = np.finfo(float).tiny


def main(job):
    cells = abundance(job)
    calibrated = "qvalue" in cells
    figure = abundance_volcano(
        cells["lfc"],
        -np.log10(np.maximum(cells["qvalue"], TINY)) if calibrated else cells["neg_log10_lfc_ptp"],
        cells["lfc_direction"],
        conditions=conditions(job),
        measure="q-value" if calibrated else "posterior tail probability",
        lfc_threshold=job.params.lfc_threshold,
        threshold=job.params.fdr_threshold if calibrated else job.params.ptp_threshold,
        size=job.params.point_size,
    )
    save(job, figure)


run(main, snakemake)
