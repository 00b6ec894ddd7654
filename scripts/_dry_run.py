"""Jobs that a run would start, from a dry run."""

import re
import subprocess
import sys
import tempfile

from _again import command

# Jobs of a group are indented, each with its time and its rule.
JOB = re.compile(r"^ *(?:local)?rule (\w+):\n((?:    (?!\[|(?:local)?rule \w+:$).*\n)+)", re.M)


def planned(job):
    """The jobs of `all` that are not done, by rule, each with the text that a dry run gives it."""
    with tempfile.TemporaryDirectory() as folder:
        # The cores of this machine limit no cluster.
        options = ["--dry-run", "--cores", "1000", "--", job.params.target]
        done = subprocess.run([*command(job, folder), *options], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"Error ({job.rule}): the dry run failed\n{done.stderr or done.stdout}")
    # Rules that only name a target run nothing.
    return [found for found in JOB.findall(done.stdout) if "runtime=" in found[1]]
