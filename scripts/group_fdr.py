"""False discovery rates of the genes in each group.

From the residual test of each group, with q-values over genes and groups together; or from the
distances of genes and null genes, group by group.
"""

import numpy as np
from _job import run
from statediff import InputError
from statediff.significance import called_genes, false_discovery_rates
from statediff.store import read_arrays, write_arrays


def main(job):
    settings = job.params.fdr
    groups, _ = read_arrays(job.input.distances)
    if job.input.get("test"):
        tested, _ = read_arrays(job.input.test, "pvalue", "standardised", "adjusted_lfc")
        rates = called_genes(tested, settings["threshold"])
    else:
        rates = published(groups, groups.pop("null"), settings, job.wildcards.contrast)
    write_arrays(
        job.output[0], groups | rates, ranking="pvalue" if "qvalue" in rates else "mahalanobis"
    )


def published(groups, null, settings, contrast):
    """Local and tail false discovery rates of each group."""
    rates = []
    for name, real, of_null in zip(groups["names"], groups["mahalanobis"], null, strict=True):
        try:
            rates.append(
                false_discovery_rates(real, of_null, settings["threshold"], settings["gaps"])
            )
        except ValueError as error:
            raise InputError(f"group {name!r}: {error} (contrasts.{contrast}.groups)") from error
    return {key: np.array([rate[key] for rate in rates]) for key in rates[0]}


run(main, snakemake)
