"""The residual test of all genes, from one pass over the expression matrix."""

from _job import run
from _values import open_values
from statediff.gene_tests import compare_genes
from statediff.store import read_arrays, write_arrays


def main(job):
    blocks = read_arrays(job.input.blocks)
    settings = job.params.lfc, job.params.seed, job.threads
    with open_values(job.input) as values:
        result, effects = compare_genes(*values, *blocks, *settings)
    write_arrays(job.output.test, result)
    # Needed later to locate the changes of called genes.
    write_arrays(job.output.effects, effects)


if __name__ == "__main__":
    run(main, snakemake)
