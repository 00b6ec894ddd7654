"""One HTML file of all results: a summary, and what Snakemake's rules mark for the report."""

import subprocess
import tempfile
from pathlib import Path

from _again import command
from _job import run
from overview import first_page, with_summary
from statediff.disk import atomic

# Files that the report is made with.
PARTS = ("script", "style", "template", "warnings")


def main(job):
    script, style, template = (
        Path(job.input[name]).read_text(encoding="utf-8") for name in PARTS[:3]
    )
    of_run = job.params.dataset, job.params.contrasts, Path(job.output[0]).parent
    summary = first_page(template, *of_run, set(job.input), job.input.warnings)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        parts = {job.input[name] for name in PARTS}
        results = [path for path in job.input if path not in parts]
        results += [path for path, made in job.params.enrichment.items() if made]
        options = ["--report", page, "--", *results]
        subprocess.run([*command(job, folder), *options], check=True)
        html = page.read_text(encoding="utf-8")
    with atomic(job.output[0]) as part:
        part.write_text(with_summary(html, summary, style, script), encoding="utf-8")


if __name__ == "__main__":
    run(main, snakemake)
