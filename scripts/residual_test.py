"""The residual test of all genes, from one pass over the expression matrix."""

import h5py
from _job import run
from statediff.residual import block_sums, residual_test
from statediff.store import read_arrays, row_blocks, write_arrays


def main(job):
    blocks, attributes = read_arrays(job.input.blocks)
    with h5py.File(job.input.store, "r") as store:
        sums = block_sums(
            row_blocks(store["X"]),
            blocks["code"],
            blocks["sample"],
            blocks["conditions"],
            blocks["weight"],
        )
    found = residual_test(sums, blocks["regions"], attributes["has_samples"])
    write_arrays(job.output[0], found)


run(main, snakemake)
