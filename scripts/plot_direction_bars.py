"""Directions of abundance change per cell type."""

from _figure import conditions, save
from _job import run
from _table import direction_counts
from statediff.plots import direction_bars


def main(job):
    save(job, direction_bars(direction_counts(job), conditions=conditions(job)))


run(main, snakemake)
