"""All contrasts of a data set side by side, in the order of the configuration."""

import json
from pathlib import Path

import pandas as pd
from _job import run
from _table import save
from statediff.tables import contrast_row


def main(job):
    rows = []
    for summary, genes in zip(job.input.summaries, job.input.genes, strict=True):
        table = pd.read_parquet(genes, columns=["gene", "mahalanobis", "is_de"])
        rows.append(contrast_row(json.loads(Path(summary).read_text(encoding="utf-8")), table))
    save(job, pd.DataFrame(rows))


if __name__ == "__main__":
    run(main, snakemake)
