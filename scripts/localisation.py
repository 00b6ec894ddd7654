"""Blocks of cells in which the called genes differ, from one more pass over their expression."""

from _job import run
from _values import open_values
from statediff.gene_tests import locate_genes
from statediff.store import read_arrays, write_arrays


def main(job):
    fdr, attributes = read_arrays(job.input.fdr, "is_de")
    blocks, _ = read_arrays(job.input.blocks)
    effects, _ = read_arrays(job.input.effects)
    factors = read_arrays(job.input.residual, "sample_factors")[0]["sample_factors"]
    settings = attributes["threshold"], job.params.lfc, job.threads
    with open_values(job.input) as values:
        found = locate_genes(*values, blocks, factors, effects, fdr["is_de"], *settings)
    write_arrays(job.output[0], found)


if __name__ == "__main__":
    run(main, snakemake)
