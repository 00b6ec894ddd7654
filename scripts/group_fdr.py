"""False discovery rates of the genes in each group, from the distances of genes and null genes."""

import numpy as np
from _job import run
from statediff import InputError
from statediff.significance import false_discovery_rates
from statediff.store import read_arrays, write_arrays


def main(job):
    settings, contrast = job.params.fdr, job.wildcards.contrast
    groups, _ = read_arrays(job.input[0])
    rates = []
    for name, real, null in zip(
        groups["names"], groups["mahalanobis"], groups.pop("null"), strict=True
    ):
        try:
            rates.append(false_discovery_rates(real, null, settings["threshold"], settings["gaps"]))
        except ValueError as error:
            raise InputError(f"group {name!r}: {error} (contrasts.{contrast}.groups)") from error
    stacked = {key: np.array([rate[key] for rate in rates]) for key in rates[0]}
    write_arrays(job.output[0], groups | stacked)


run(main, snakemake)
