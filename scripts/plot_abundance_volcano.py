"""Volcano of cells."""

from collections import Counter

import numpy as np
from _figure import abundance, conditions, run, significance
from statediff.fields import DIRECTIONS
from statediff.plots import abundance_volcano
from statediff.store import read_arrays


def draw(job):
    cells = abundance(job)
    return abundance_volcano(
        cells["lfc"],
        direction=cells["lfc_direction"],
        blocks=directions_of_blocks(job, cells["lfc_direction"]),
        conditions=conditions(job),
        size=job.params.point_size,
        **significance(job, cells),
    )


def directions_of_blocks(job, direction):
    """Blocks of cells by the direction that most of their cells have, where there are blocks."""
    if not job.input.get("blocks"):
        return None
    code = read_arrays(job.input.blocks, "code")[0]["code"][0]
    inside = code >= 0
    counts = np.zeros((code.max() + 1, len(DIRECTIONS)))
    found = np.array([DIRECTIONS.index(name) for name in direction])
    np.add.at(counts, (code[inside], found[inside]), 1.0)
    return Counter(DIRECTIONS[most] for most in counts.argmax(axis=1))


if __name__ == "__main__":
    run(draw, snakemake)
