"""Where each called gene changes: by cell type, or by region where there are no types."""

import h5py
from _job import run
from _table import read_localisation, save
from statediff.significance import rank_genes
from statediff.store import read_arrays, read_names
from statediff.tables import region_table


def main(job):
    with h5py.File(job.input.store, "r") as store:
        names = read_names(store["var"])
    statistics, attributes = read_arrays(job.input.fdr)
    order = rank_genes(statistics, attributes["ranking"])
    save(job, region_table(*read_localisation(job.input), names, order))


if __name__ == "__main__":
    run(main, snakemake)
