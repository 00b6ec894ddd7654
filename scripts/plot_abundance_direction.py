"""Embedding of the cells that became fewer, and of those that became more."""

from _figure import abundance, conditions, coordinates, save
from _job import run
from statediff.plots import embedding_directions
from statediff.store import read_arrays


def main(job):
    xy, axis_names = coordinates(job)
    cells = abundance(job)
    figure = embedding_directions(
        xy,
        cells["lfc"],
        cells["lfc_direction"],
        conditions=conditions(job),
        axis_names=axis_names,
        shown=read_arrays(job.input.choices, "cells")[0]["cells"],
        size=job.params.point_size,
    )
    save(job, figure)


run(main, snakemake)
