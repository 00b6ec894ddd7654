"""Mahalanobis distances with the labels of the conditions permuted within blocks of cells."""

import h5py
from _fit import PARTS, ROLES
from _job import run
from statediff.expression_nulls import label_distances
from statediff.store import read_arrays, row_blocks, write_arrays


def main(job):
    members, _ = read_arrays(job.input.cells, *ROLES)
    codes = read_arrays(job.input.blocks, "code")[0]["code"][0]
    parts, described = read_arrays(job.input.fit, *PARTS)
    with h5py.File(job.input.store, "r") as store, h5py.File(job.input.fit, "r") as fit:
        parts["phi"] = fit["phi"]
        blocks = row_blocks(store["X"])
        found = label_distances(blocks, codes, members, parts, described, job.params.seed)
    write_arrays(job.output[0], {"mahalanobis": found})


if __name__ == "__main__":
    run(main, snakemake)
