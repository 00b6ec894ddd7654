"""Where things are, and running Snakemake as a user would."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("STATEDIFF_SHARED", ROOT.parent / "shared"))


def run_snakemake(directory, *arguments, configfile=None, check=True):
    """Run the workflow in a directory; returns the completed process, output in `stdout`."""
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile")]
    command += ["--directory", str(directory), *map(str, arguments)]
    if configfile is not None:
        files = configfile if isinstance(configfile, list) else [configfile]
        command += ["--configfile", *map(str, files)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=directory
    )
    if check and done.returncode:
        raise AssertionError(
            f"snakemake {' '.join(map(str, arguments))} failed:\n{done.stdout[-4000:]}"
        )
    return done
