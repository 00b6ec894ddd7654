"""One HTML file of all results, by Snakemake from what its rules mark for the report."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from _job import run
from statediff.store import atomic


def main(job):
    script = Path(job.input.script).read_text()
    with tempfile.TemporaryDirectory() as folder:
        # All that decides, wherever it was given: files, command line, defaults.
        config, page = Path(folder) / "config.json", Path(folder) / "report.html"
        config.write_text(json.dumps(job.config))
        command = [sys.executable, "-m", "snakemake", "--snakefile", job.params.snakefile]
        command += ["--configfile", config, "--nolock", "--report", page, "--"]
        results = [path for path in job.input if path != job.input.script]
        results += [path for path in job.params.enrichment if Path(path).is_file()]
        subprocess.run([*command, *results], check=True)
        html = page.read_text()
    with atomic(job.output[0]) as part:
        part.write_text(with_script(html, script))


def with_script(html, script):
    """Run a script when the report opens; names in its data cannot end a script."""
    html = re.sub(
        r"^ *var \w+ = [{\"].*[}\"];$",
        lambda data: data[0].replace("<", r"\u003c"),
        html,
        flags=re.MULTILINE,
    )
    before, start, after = html.rpartition('<script id="categories">')
    if not start:
        raise ValueError("Snakemake's report has another form than that of the pinned version")
    return f"{before}<script>\n{script}</script>\n    {start}{after}"


run(main, snakemake)
