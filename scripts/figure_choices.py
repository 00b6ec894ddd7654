"""Find the genes, cells and columns that the configuration chooses for figures."""

from _cells import at_levels, select
from _inputs import find_genes, read_column
from _job import run
from anndata.io import read_elem
from statediff.store import open_h5ad, write_arrays


def main(job):
    chosen = job.params.chosen
    with open_h5ad(job.input[0]) as store:
        obs, names = read_elem(store["obs"]), read_elem(store["var"]).index
    for column in chosen["obs"]:
        read_column(obs, column, "figures.obs")
    if chosen["without"]:
        types = read_column(obs, job.params.cell_type, "dataset.cell_type")
        at_levels(types, chosen["without"], "figures.without")
    genes = find_genes(names, chosen["genes"], "figures.genes")
    cells = select(obs, chosen["cells"] or {}, "figures.cells")
    write_arrays(job.output[0], {"genes": genes, "cells": cells})


run(main, snakemake)
