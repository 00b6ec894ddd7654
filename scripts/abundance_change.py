"""Change of abundance at every cell: log fold change, significance, direction."""

from _job import run
from statediff.abundance import calibrated_changes, differential_abundance
from statediff.conventions import LN2
from statediff.store import read_arrays, write_arrays


def main(job):
    density, fit = read_arrays(job.input[0])
    threshold = job.params.lfc_threshold * LN2
    if fit["estimator"] == "ratio":
        result = calibrated_changes(
            density["log_density_compared"] - density["log_density_reference"],
            density["log_ratio"],
            density["variance"],
            density["freedom"],
            threshold,
            job.params.fdr_threshold,
            job.params.ptp_sides,
        )
    else:
        result = differential_abundance(
            density["log_density_reference"],
            density["log_density_compared"],
            density["variance"],
            threshold,
            job.params.ptp_threshold,
            job.params.ptp_sides,
        )
    if "span" in fit:
        result["lfc_per_unit"] = result["lfc"] / fit["span"]
    write_arrays(job.output[0], result)


if __name__ == "__main__":
    run(main, snakemake)
