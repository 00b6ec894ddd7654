"""Write the genes of a contrast, those with the strongest evidence of change first."""

import h5py
from _job import run
from _table import read_localisation, save
from statediff.store import read_arrays, read_labels, read_names
from statediff.tables import gene_table, where_changed


def main(job):
    with h5py.File(job.input.store, "r") as store:
        names, labels = read_names(store["var"]), read_labels(store["var"])
    statistics, fdr = read_arrays(job.input.fdr)
    if job.input.get("localisation"):
        statistics |= where_changed(*read_localisation(job.input), len(names))
    save(job, gene_table(names, labels, statistics, fdr["ranking"]))


if __name__ == "__main__":
    run(main, snakemake)
