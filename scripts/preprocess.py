"""From raw counts to log expression, principal components and, if asked, those of Harmony."""

import json

from _job import run
from statediff.disk import atomic
from statediff.inputs import recorded
from statediff.raw_counts import preprocess_counts
from statediff.store import create_h5ad


def main(job):
    opened = recorded(job.input[0], job.params.modality)
    with opened as (source, record), create_h5ad(job.output.data) as file:
        summary = preprocess_counts(source, file, job.params.preprocess, job.threads)
        file.attrs["source"] = record()
    text = json.dumps(summary, indent=1)
    print(text)
    with atomic(job.output.record) as part:
        part.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main, snakemake)
