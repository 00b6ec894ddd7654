"""False discovery rates of the genes of a contrast from real and null distances."""

import numpy as np
from _job import run
from statediff import InputError
from statediff.significance import false_discovery_rates
from statediff.store import read_arrays, write_arrays

GENE_STATISTICS = ("mahalanobis", "mean_lfc", "neg_log10_ptp")


def main(job):
    settings = job.params.fdr
    chunks = [read_arrays(path, "start", *GENE_STATISTICS)[0] for path in job.input.genes]
    chunks.sort(key=lambda chunk: chunk["start"])
    genes = {name: np.concatenate([c[name] for c in chunks]) for name in GENE_STATISTICS}
    null = read_arrays(job.input.null, "mahalanobis")[0]["mahalanobis"]
    try:
        rates = false_discovery_rates(
            genes["mahalanobis"], null, settings["threshold"], settings["gaps"]
        )
    except ValueError as error:
        raise InputError(f"{error} (dataset.layer, contrasts.{job.wildcards.contrast})") from error
    called = genes["mahalanobis"][rates["is_de"]]
    write_arrays(
        job.output[0],
        genes | rates,
        threshold=settings["threshold"],
        n_de=int(called.size),
        mahalanobis_threshold=float(called.min()) if called.size else np.nan,
        gaps=settings["gaps"],
    )


run(main, snakemake)
