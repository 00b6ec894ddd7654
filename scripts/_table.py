"""Saving a table for people (TSV) and for machines (Parquet)."""

from statediff.store import atomic


def save(job, table):
    with atomic(job.output.tsv) as part:
        table.to_csv(part, sep="\t", index=False)
    with atomic(job.output.parquet) as part:
        table.to_parquet(part, index=False)
