"""Volcano of the cells of each type."""

import numpy as np
from _figure import abundance, conditions, save, significance
from _job import run
from _table import read_types
from statediff.plots import abundance_volcanos


def main(job):
    cells = abundance(job)
    figure = abundance_volcanos(
        cells["lfc"],
        direction=np.array(cells["lfc_direction"]),
        types=read_types(job.input.cell_types, len(cells["lfc"])),
        conditions=conditions(job),
        **significance(job, cells),
    )
    save(job, figure)


run(main, snakemake)
