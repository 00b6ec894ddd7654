"""Running Snakemake again on the current Snakefile."""

import json
import os
import sys
from pathlib import Path


def command(job, folder):
    """Start of a command line; the configuration is written into a folder (of temporary files).

    It contains all settings, from files, command line and defaults; for a Snakefile that imports
    this workflow, its whole configuration.
    """
    config = Path(folder) / "config.json"
    # Dates, which other workflows may have, as text.
    config.write_text(json.dumps(job.params.config, default=str), encoding="utf-8")
    again = [sys.executable, "-m", "snakemake", "--snakefile", job.params.snakefile, "--nolock"]
    return [*again, "--directory", os.getcwd(), "--configfile", config]
