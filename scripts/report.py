"""One HTML file of all results: a summary, and what Snakemake's rules mark for the report."""

import json
import re
import subprocess
import tempfile
from pathlib import Path

import jinja2
from _again import command
from _job import run
from overview import describe, read_sections
from shareable import without_folders
from statediff import __version__
from statediff.disk import atomic

# Files that the report is made with.
PARTS = ("script", "style", "template", "warnings")


def main(job):
    script, style = (Path(job.input[name]).read_text(encoding="utf-8") for name in PARTS[:2])
    summary = overview(job)
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


def overview(job):
    """The summary page, of text that is no markup, whatever names hold."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = Path(job.input.template).read_text(encoding="utf-8")
    sections, run = read_sections(job.input.warnings), Path(job.output[0]).parent
    contrasts = [
        describe(name, contrast, run / name, set(job.input), sections)
        for name, contrast in job.params.contrasts.items()
    ]
    return environment.from_string(template).render(
        dataset=job.params.dataset, contrasts=contrasts, version=__version__
    )


def harmless(data):
    """A line of data, in which no name ends a script, and no path names a user."""
    start, name, value, end = data.groups()
    if name == "rules":
        rules = json.loads(value)
        for rule in rules.values():
            rule |= {key: without_folders(rule[key]) for key in ("input", "output")}
        value = json.dumps(rules)
    return start + value.replace("<", r"\u003c") + end


def with_summary(html, summary, style, script):
    """Put a summary before Snakemake's report, and run a script when the report opens."""
    html = re.sub(r"^( *var (\w+) = )([{\"].*[}\"])(;)$", harmless, html, flags=re.MULTILINE)
    for place, added in (
        ('    <div id="app">\n', f"<style>\n{style}</style>\n{summary}"),
        ('<script id="categories">', f"<script>\n{script}</script>\n    "),
    ):
        before, start, after = html.rpartition(place)
        if not start:
            raise ValueError("Snakemake's report has another form than that of the pinned version")
        html = f"{before}{added}{start}{after}"
    return html.replace("<title>Snakemake Report</title>", "<title>Report</title>", 1)


if __name__ == "__main__":
    run(main, snakemake)
