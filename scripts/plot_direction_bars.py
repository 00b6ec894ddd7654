"""Directions of abundance change per cell type."""

from _figure import conditions, save
from _job import run
from _table import direction_counts
from statediff.plots import direction_bars


def main(job):
    table, order = direction_counts(job), job.params.order
    save(job, direction_bars(table, conditions=conditions(job), order=order))


run(main, snakemake)
