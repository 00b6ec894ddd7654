"""The workflow, run in a folder of its own, and what its jobs took."""

import ast
import os
import shutil
import sys
from pathlib import Path

import pandas as pd
import yaml

from speed.measure import measure

ROOT = Path(__file__).resolve().parents[3]


class Workflow:
    """The workflow with a configuration, in a folder.

    Attributes
    ----------
    folder : pathlib.Path
    results : pathlib.Path
        Of its data set.
    """

    def __init__(self, folder, config):
        self.folder, self.results = folder, folder / "results" / config["dataset"]["name"]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(config))

    def run(self, *targets):
        """Make files of the results, or rules by their names, or all; returns what it took."""
        results = self.results.relative_to(self.folder)
        targets = [name if name.isidentifier() else str(results / name) for name in targets]
        command = [sys.executable, "-m", "snakemake", *targets]
        command += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(self.folder)]
        command += ["--configfile", str(self.folder / "config.yaml"), "--benchmark-extended"]
        return measure([*command, "--cores", str(os.cpu_count())])[0]

    def clean(self):
        for name in ("results", ".snakemake"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def jobs(self):
        """Seconds, own seconds and memory (of the process, and declared) of each job."""
        rows, benchmarks = [], self.results / "benchmarks"
        for path in sorted(benchmarks.rglob("*.tsv")):
            taken = pd.read_csv(path, sep="\t").iloc[0]
            log = self.results / "logs" / path.relative_to(benchmarks).with_suffix(".log")
            own, peak = log.read_text().strip().rsplit(": ", 1)[1].split(" s, peak ")
            rows.append(
                {
                    "job": path.stem,
                    "seconds": taken["s"],
                    "own_seconds": float(own),
                    "peak_mb": float(peak.removesuffix(" MB")),
                    "declared_mb": ast.literal_eval(taken["resources"])["mem_mb"],
                }
            )
        return pd.DataFrame(rows)
