"""Find the genes, cells and columns that the configuration chooses for figures."""

from _cells import at_levels, read_column, select
from _inputs import find_genes
from _job import run
from statediff.store import open_h5ad, read_names, write_arrays


def main(job):
    chosen = job.params.chosen
    with open_h5ad(job.input[0]) as store:
        for column in chosen["obs"]:
            read_column(store, column, "figures.obs")
        if chosen["without"]:
            column = job.params.cell_type
            at_levels(store, column, chosen["without"], "figures.without", "dataset.cell_type")
        genes = find_genes(read_names(store["var"]), chosen["genes"], "figures.genes")
        cells = select(store, chosen["cells"] or {}, "figures.cells")
    write_arrays(job.output[0], {"genes": genes, "cells": cells})


run(main, snakemake)
