"""Densities of both conditions from a file of kompot, and the variance of their change."""

import numpy as np
from _job import run
from _kompot import find_run, read_field
from statediff.source import open_source
from statediff.store import write_arrays


def main(job):
    with open_source(job.input.source, job.params.modality) as source:
        found = find_run(source, "da", job.wildcards.contrast, job.params.contrast)
        obs = source.obs
    keys = found["density_keys"]
    reference, compared = (read_field(obs, keys[f"condition{i}"]) for i in (1, 2))
    zscore = read_field(obs, found["zscore_key"])
    # A z-score of nothing is one of no change, whatever the variance.
    deviation = np.divide(compared - reference, zscore, out=np.ones_like(zscore), where=zscore != 0)
    arrays = {
        "log_density_reference": reference,
        "log_density_compared": compared,
        "variance": deviation**2,
    }
    write_arrays(job.output[0], arrays, estimator="densities")


if __name__ == "__main__":
    run(main, snakemake)
