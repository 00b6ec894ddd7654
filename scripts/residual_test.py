"""The residual test of all genes, from one pass over the expression matrix."""

import h5py
import numpy as np
from _job import run
from statediff.blocks import permute_within
from statediff.residual import block_sums, residual_test
from statediff.store import read_arrays, row_blocks, write_arrays

# Genes, drawn at random, that are also tested where nothing can differ.
CHECKED = 2000


def main(job):
    blocks, attributes = read_arrays(job.input.blocks)
    generator = np.random.default_rng(job.params.seed)
    shuffled = permute_within(blocks["weight"], blocks["code"], generator)
    with h5py.File(job.input.store, "r") as store:
        sums, null = block_sums(
            row_blocks(store["X"]),
            blocks["code"],
            blocks["sample"],
            blocks["conditions"],
            [blocks["weight"], shuffled],
        )
    regions, replicates = blocks["regions"], attributes["has_samples"]
    genes = generator.permutation(sums.contrast.shape[1])[:CHECKED]
    checked = residual_test(null.of_genes(genes), regions, replicates)
    write_arrays(
        job.output[0],
        residual_test(sums, regions, replicates) | {"null_pvalue": checked["pvalue"]},
    )


run(main, snakemake)
