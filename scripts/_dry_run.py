"""Jobs that a run would start, as a dry run plans them."""

import re
import subprocess
import sys
import tempfile

import yaml

JOB = re.compile(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", re.M)


def planned(job):
    """The jobs of `all` that are not done, by rule, each with the text that a dry run gives it."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(job.config, file)
        file.flush()
        command = [sys.executable, "-m", "snakemake", "all", "--dry-run", "--nolock"]
        command += ["--snakefile", job.params.snakefile, "--configfile", file.name]
        # The cores of this machine limit no cluster.
        command += ["--cores", "1000"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"Error ({job.rule}): the dry run failed\n{done.stderr or done.stdout}")
    # Rules that only name a target run nothing.
    return [found for found in JOB.findall(done.stdout) if "runtime=" in found[1]]
