"""Directions of abundance change per cell type."""

import pandas as pd
from _figure import save
from _job import run
from statediff.plots import direction_bars


def main(job):
    contrast = job.params.contrast
    table = pd.read_parquet(job.input.cell_types)
    save(job, direction_bars(table, conditions=(contrast["reference"], contrast["compared"])))


run(main, snakemake)
