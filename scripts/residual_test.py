"""The residual test of all genes, from one pass over the expression matrix."""

import numpy as np
from _job import run
from _samples import read_design
from _values import open_values
from statediff.blocks import permute_within
from statediff.localisation import fold_changes
from statediff.normalisation import expression_blocks
from statediff.residual import block_sums, residual_test
from statediff.sample_effects import fit_sample_effects
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
    with open_values(job.input) as (matrix, normalisation):
        cells = blocks["code"][0], blocks["sample"]
        values, factors = expression_blocks(matrix, normalisation, *cells)
        design = read_design(blocks)
        found = block_sums(values, partitions, blocks["sample"], design, job.threads)
    regions = [blocks[f"regions_{i}"] for i in range(len(partitions))]
    genes = generator.permutation(found[0][0].contrast.shape[1])[:CHECKED]
    tested, checked = [], []
    for (sums, null), sets in zip(found, regions, strict=True):
        tested.append((sums, sets))
        checked.append((null.of_genes(genes), sets))
    del found
    samples = attributes["has_samples"]
    null = residual_test(checked, samples, threads=job.threads)["pvalue"]
    effects = fit_sample_effects(tested[0][0], threads=job.threads) if samples else None
    result = residual_test(tested, effects or False, job.params.lfc, job.threads)
    everywhere = [fold_changes(sums, sets[-1:])[0] for sums, sets in tested]
    result["adjusted_lfc"] = np.mean(everywhere, axis=0)
    if "span" in attributes:
        result["lfc_per_unit"] = result["adjusted_lfc"] / attributes["span"]
    write_arrays(job.output.test, result | {"null_pvalue": null, "sample_factors": factors})
    # To tell later where the called genes differ.
    write_arrays(
        job.output.effects,
        vars(effects) | {"trend": effects.trend.astype(np.float32)} if samples else {},
    )


run(main, snakemake)
