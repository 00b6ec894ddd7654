"""Write the provenance of a contrast without a fitted model, as JSON."""

import json

from _job import run
from _record import record
from statediff.disk import atomic
from statediff.provenance import versions
from statediff.store import read_arrays
from terminal import read_usage


def main(job):
    _, fdr = read_arrays(job.input.fdr, "is_de")
    # The keys are those of a summary.
    result = {
        "dataset": job.params.dataset,
        "contrast": job.wildcards.contrast,
        "conditions": job.params.contrast,
        "conventions": job.params.conventions,
        "stages": read_usage(job.input.benchmarks, job.input.logs),
        "versions": versions(),
        "provenance": record(job, fdr),
    }
    with atomic(job.output[0]) as part:
        part.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main, snakemake)
