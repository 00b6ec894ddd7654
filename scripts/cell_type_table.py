"""Cells of each type by direction of abundance change, as counts and shares."""

from _job import run
from _table import direction_counts, save


def main(job):
    save(job, direction_counts(job))


if __name__ == "__main__":
    run(main, snakemake)
