"""Find the genes, cells and columns that the configuration chooses for figures."""

from _job import run
from statediff import InputError
from statediff.inputs import find_genes
from statediff.observations import StoredObservations, cells_at_levels, read_column, select_cells
from statediff.store import open_h5ad, read_labels, read_names, write_arrays


def main(job):
    chosen = job.params.chosen
    with open_h5ad(job.input[0]) as store:
        obs = StoredObservations(store)
        option, columns = chosen["obs"]
        for column in columns:
            read_column(obs, column, option)
        option, colored = chosen["colors"]
        for column, levels in colored.items():
            cells_at_levels(obs, column, levels, f"{option}.{column}", f"{option}.{column}")
        option, types = chosen["without"]
        if types:
            cells_at_levels(obs, job.params.cell_type, types, option, "dataset.cell_type")
        option, names = chosen["genes"]
        genes = find_genes(read_names(store["var"]), names, option, read_labels(store["var"]))
        option, selection = chosen["cells"]
        cells = select_cells(obs, selection, option)
        if not cells.any():
            raise InputError(f"{option}: no cell meets all of these conditions: {selection}")
    write_arrays(job.output[0], {"genes": genes, "cells": cells})


if __name__ == "__main__":
    run(main, snakemake)
