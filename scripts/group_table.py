"""Write the genes in each group of a contrast, those with the strongest evidence first."""

import h5py
from _job import run
from _table import save
from statediff.store import read_arrays, read_names
from statediff.tables import group_table


def main(job):
    with h5py.File(job.input.store, "r") as store:
        genes = read_names(store["var"])
    arrays, attributes = read_arrays(job.input.groups)
    save(job, group_table(genes, arrays, attributes["ranking"]))


if __name__ == "__main__":
    run(main, snakemake)
