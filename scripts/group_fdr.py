"""False discovery rates of the genes in each group.

From the residual test of each group, with q-values over genes and groups together; or from the
distances of genes and null genes, group by group.
"""

from _job import run
from statediff.rates import group_rates
from statediff.significance import called_genes
from statediff.store import read_arrays, write_arrays


def main(job):
    settings, option = job.params.fdr, f"contrasts.{job.wildcards.contrast}.groups"
    groups, _ = read_arrays(job.input.distances)
    if job.input.get("test"):
        tested, _ = read_arrays(job.input.test, "pvalue", "standardised", "adjusted_lfc")
        rates, ranking = called_genes(tested, settings["threshold"]), "pvalue"
    else:
        distances = groups["names"], groups["mahalanobis"], groups.pop("null")
        rates, ranking = group_rates(*distances, settings, option), "mahalanobis"
    write_arrays(job.output[0], groups | rates, ranking=ranking)


if __name__ == "__main__":
    run(main, snakemake)
