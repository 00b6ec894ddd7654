"""Volcano of the cells of each type."""

import numpy as np
from _figure import abundance, conditions, run, significance
from _table import read_types
from statediff.plots import abundance_volcanos


def draw(job):
    cells = abundance(job)
    return abundance_volcanos(
        cells["lfc"],
        direction=np.array(cells["lfc_direction"]),
        types=read_types(job.input.cell_types, len(cells["lfc"])),
        conditions=conditions(job),
        **significance(job, cells),
    )


if __name__ == "__main__":
    run(draw, snakemake)
