"""One HTML file of all results, by Snakemake from what its rules mark for the report."""

import json
import re
import subprocess
import tempfile
from pathlib import Path

from _again import command
from _job import run
from shareable import without_folders
from statediff.disk import atomic


def main(job):
    script = Path(job.input.script).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        results = [path for path in job.input if path != job.input.script]
        results += [path for path, made in job.params.enrichment.items() if made]
        options = ["--report", page, "--", *results]
        subprocess.run([*command(job, folder), *options], check=True)
        html = page.read_text(encoding="utf-8")
    with atomic(job.output[0]) as part:
        part.write_text(with_script(html, script), encoding="utf-8")


def harmless(data):
    """A line of data, in which no name ends a script, and no path names a user."""
    start, name, value, end = data.groups()
    if name == "rules":
        rules = json.loads(value)
        for rule in rules.values():
            rule |= {key: without_folders(rule[key]) for key in ("input", "output")}
        value = json.dumps(rules)
    return start + value.replace("<", r"\u003c") + end


def with_script(html, script):
    """Run a script when the report opens."""
    html = re.sub(r"^( *var (\w+) = )([{\"].*[}\"])(;)$", harmless, html, flags=re.MULTILINE)
    before, start, after = html.rpartition('<script id="categories">')
    if not start:
        raise ValueError("Snakemake's report has another form than that of the pinned version")
    return f"{before}<script>\n{script}</script>\n    {start}{after}"


if __name__ == "__main__":
    run(main, snakemake)
