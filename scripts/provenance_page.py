"""Write the provenance of a contrast, and which of its fields are still in its AnnData."""

import json
from datetime import UTC, datetime

import yaml
from _job import run
from _page import write_page
from statediff.store import open_h5ad


def main(job):
    with open(job.input.summary, encoding="utf-8") as file:
        summary = json.load(file)
    stages = summary["stages"].values()
    write_page(
        job,
        summary=summary,
        record=summary["provenance"],
        seconds=sum(stage["seconds"] for stage in stages),
        peak_mb=max((stage["peak_mb"] or 0 for stage in stages), default=0),
        fields=find_fields(job.input.adata) if job.input.adata else None,
        looked=datetime.now(UTC).isoformat(timespec="seconds"),
        parameters=yaml.safe_dump(
            summary["provenance"]["config"], sort_keys=False, allow_unicode=True
        ),
    )


def find_fields(path):
    """Fields recorded in the file, each with whether it still exists; empty without a record."""
    with open_h5ad(path) as file:
        if "uns/statediff" not in file:
            return []
        made = json.loads(file["uns/statediff"].asstr()[()])["fields"]
        return [field | {"there": f"{field['slot']}/{field['name']}" in file} for field in made]


if __name__ == "__main__":
    run(main, snakemake)
