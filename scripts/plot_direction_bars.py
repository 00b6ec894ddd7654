"""Directions of abundance change per cell type."""

from _figure import conditions, run
from _table import direction_counts
from statediff.plots import direction_bars


def draw(job):
    table, order = direction_counts(job), job.params.bars_by
    return direction_bars(table, conditions=conditions(job), order=order)


if __name__ == "__main__":
    run(draw, snakemake)
