"""Mahalanobis distances of null genes: shuffled over the cells of both conditions."""

import h5py
import numpy as np
from _job import run
from statediff.expression import Posterior, mahalanobis
from statediff.significance import choose_null_genes, permute_null_genes
from statediff.store import read_arrays, read_columns, write_arrays


def main(job):
    members, _ = read_arrays(job.input.cells)
    names = ("phi", "whitener", "covariance_reference", "covariance_compared")
    fit, attributes = read_arrays(job.input.fit, *names)
    with h5py.File(job.input.store, "r") as store:
        n_genes = store["X"].attrs["shape"][1]
        columns, seeds = choose_null_genes(n_genes, job.params.null_genes, job.params.seed)
        values = read_columns(store["X"], columns)
    reference, compared = (np.flatnonzero(members[role]) for role in ("reference", "compared"))
    order = np.concatenate([reference, compared])
    shuffled = permute_null_genes(values[order], seeds).tocsr()
    coefficients = []
    for role, rows in (
        ("reference", slice(None, len(reference))),
        ("compared", slice(len(reference), None)),
    ):
        cross = (shuffled[rows].T @ fit["phi"][order[rows]]).T
        posterior = Posterior(fit[f"covariance_{role}"], attributes["sigma"])
        coefficients.append(posterior.weights(cross))
    distances = mahalanobis(fit["whitener"], coefficients[1] - coefficients[0])
    write_arrays(job.output[0], {"mahalanobis": distances, "gene": columns})


run(main, snakemake)
