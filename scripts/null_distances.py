"""Mahalanobis distances of null genes: shuffled over the cells of both conditions."""

import h5py
from _fit import PARTS
from _job import run
from statediff.expression_nulls import null_gene_statistics
from statediff.significance import choose_null_genes
from statediff.store import read_arrays, read_columns, write_arrays


def main(job):
    members, _ = read_arrays(job.input.cells)
    parts, described = read_arrays(job.input.fit, "whitener", *PARTS)
    with h5py.File(job.input.store, "r") as store:
        n_genes = store["X"].attrs["shape"][1]
        columns, seeds = choose_null_genes(n_genes, job.params.null_genes, job.params.seed)
        values = read_columns(store["X"], columns)
    empirical = job.params.noise == "empirical"
    with h5py.File(job.input.fit, "r") as fit:
        parts["phi"] = fit["phi"]
        arguments = values, columns, seeds, members, parts, described, empirical
        found = null_gene_statistics(*arguments)
    write_arrays(job.output[0], found)


if __name__ == "__main__":
    run(main, snakemake)
