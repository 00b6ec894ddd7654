"""The residual test of all genes in each group of cells of a contrast."""

from _job import run
from _values import open_values
from statediff.gene_tests import compare_genes_in_groups
from statediff.store import read_arrays, write_arrays


def main(job):
    blocks = read_arrays(job.input.blocks)
    groups, _ = read_arrays(job.input.groups, "names", "masks", "left_out")
    factors = read_arrays(job.input.residual, "sample_factors")[0]["sample_factors"]
    settings = job.params.blocks | {"lfc": job.params.lfc}
    how = groups, settings, f"contrasts.{job.wildcards.contrast}", job.threads
    with open_values(job.input) as values:
        found = compare_genes_in_groups(*values, *blocks, factors, *how)
    write_arrays(job.output[0], found)


if __name__ == "__main__":
    run(main, snakemake)
