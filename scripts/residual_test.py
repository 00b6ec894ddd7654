"""The residual test of all genes, from one pass over the expression matrix."""

import h5py
import numpy as np
from _job import run
from _values import linear_blocks
from statediff.blocks import permute_within
from statediff.residual import block_sums, residual_test, sample_factors, scale_samples
from statediff.store import read_arrays, write_arrays

# Genes, drawn at random, that are also tested where nothing can differ.
CHECKED = 2000


def main(job):
    blocks, attributes = read_arrays(job.input.blocks)
    generator = np.random.default_rng(job.params.seed)
    partitions = [
        (codes, [weights, permute_within(weights, codes, generator)])
        for codes, weights in zip(blocks["code"], blocks["weight"], strict=True)
    ]
    with h5py.File(job.input.store, "r") as store:
        values, is_linear = linear_blocks(store)
        found = block_sums(values, partitions, blocks["sample"], blocks["conditions"], job.threads)
    factors = sample_factors(found[0][0]) if is_linear else np.ones(len(blocks["conditions"]))
    regions = [blocks[f"regions_{i}"] for i in range(len(partitions))]
    genes = generator.permutation(found[0][0].contrast.shape[1])[:CHECKED]
    tested, checked = [], []
    for sets in regions:
        # The sums before and after take much memory.
        sums, null = found.pop(0)
        tested.append((scale_samples(sums, factors), sets))
        checked.append((null.of_genes(genes), sets))
        del sums, null
    samples = attributes["has_samples"]
    null = residual_test(checked, samples, job.threads)["pvalue"]
    write_arrays(
        job.output[0],
        residual_test(tested, samples, job.threads)
        | {"null_pvalue": null, "sample_factors": factors},
    )


run(main, snakemake)
