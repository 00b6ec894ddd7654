"""Densities of both conditions of a contrast at every cell, and the variance of their change."""

from _job import run
from statediff.store import read_arrays, write_arrays

ROLES = ("reference", "compared")


def main(job):
    found = {role: read_arrays(job.input[role]) for role in ROLES}
    between = [arrays["between"] for arrays, _ in found.values() if "between" in arrays]
    results, variance, attributes = {}, 0.0, {"uncertainty": job.params.uncertainty}
    for role, (arrays, described) in found.items():
        results[f"log_density_{role}"] = arrays["log_density"]
        variance = variance + arrays["variance"]
        if between:
            # One condition without replicates: the other's variance stands for both.
            variance = variance + arrays.get("between", between[0])
        attributes |= {f"{name}_{role}": value for name, value in described.items()}
    results |= {"variance": variance}
    write_arrays(job.output[0], results, estimator="densities", **attributes)


if __name__ == "__main__":
    run(main, snakemake)
