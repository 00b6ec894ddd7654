"""Blocks of cells in which the called genes differ, from one more pass over their expression."""

import numpy as np
from _job import run
from _samples import read_design
from _values import open_values, with_known_factors
from statediff.blocks import centroids, region_tree
from statediff.localisation import localise
from statediff.residual import block_sums
from statediff.sample_effects import SampleEffects
from statediff.store import read_arrays, write_arrays


def main(job):
    fdr, attributes = read_arrays(job.input.fdr, "is_de")
    genes = np.flatnonzero(fdr["is_de"])
    blocks, _ = read_arrays(job.input.blocks)
    codes = blocks["code"][0]
    inside = codes >= 0
    tree = region_tree(centroids(blocks["coordinates"][inside], codes[inside]))
    empty = np.empty((0, codes.max() + 1))
    found = {
        "region": empty.astype(np.int16),
        "direction": empty.astype(np.int8),
        "lfc": empty.astype(np.float32),
    }
    if len(genes):
        level = attributes["threshold"] * len(genes) / len(fdr["is_de"])
        effects, _ = read_arrays(job.input.effects)
        effects = SampleEffects(**effects).of_genes(genes) if effects else None
        sums = sums_of(job, genes, codes, blocks)
        where = localise(sums, tree, effects, level, job.params.lfc, job.threads)
        found = {name: getattr(where, name).astype(of.dtype) for name, of in found.items()}
    write_arrays(job.output[0], found | {"genes": genes})


def sums_of(job, genes, codes, blocks):
    """Sums of some genes over the blocks of the first partition."""
    samples = blocks["sample"]
    factors = read_arrays(job.input.residual, "sample_factors")[0]["sample_factors"]
    with open_values(job.input) as (matrix, normalisation):
        values = with_known_factors(matrix, normalisation, samples, factors)
        chosen = ((start, block[:, genes]) for start, block in values)
        partition = codes, [blocks["weight"][0]]
        ((sums,),) = block_sums(chosen, [partition], samples, read_design(blocks), job.threads)
    return sums


run(main, snakemake)
