"""A run that a process forks for is as one of a process that was started for it."""

import os
import re
import subprocess
import sys

import pytest
import started
from support import ROOT

# What a run finds around it.
TELLING = """
import os, signal, sys
print("found", os.getcwd(), __name__, sys.argv, sys.orig_argv, sys.path, sys.flags, flush=True)
print("found", sorted(os.environ.items()), os.sched_getaffinity(0), os.umask(0o22), flush=True)
print("found", signal.getsignal(signal.SIGINT), os.listdir("/proc/self/fd"), flush=True)
print("found", sorted(name for name in sys.modules if "statediff" in name), flush=True)
print("hash", hash("a set"), flush=True)
rule all:
    shell: "echo"
"""
# These differ between any two runs.
TIMES = re.compile(
    r"^( *(Date|Workflow ID|Complete log).*$| *\[\w{3} \w{3} [^\]]*\]|hash.*$)", re.M
)


def both(directory, *arguments):
    """Exit status and output of a forked run, and of a process of its own."""
    command = [sys.executable, "-m", "snakemake", *map(str, arguments)]
    forked = started.run(command, directory)
    process = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=directory,
        # Without what the line editor of Python adds.
        env=dict(os.environ),
    )  # fmt: skip
    return [(done.returncode, TIMES.sub("", done.stdout)) for done in (forked, process)]


@pytest.fixture
def one_core():
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(allowed)])
    yield
    os.sched_setaffinity(0, allowed)


@pytest.mark.parametrize(
    ("ending", "status"), [("", 0), ("1 / 0", 1), ("os.kill(os.getpid(), signal.SIGKILL)", -9)]
)
def test_what_a_run_finds_and_how_it_ends(tmp_path, monkeypatch, one_core, ending, status):
    (tmp_path / "Snakefile").write_text(f"{TELLING}\n{ending}\n")
    monkeypatch.setenv("LOGNAME", "zenobia")
    forked, process = both(tmp_path, "--cores", "all", "-n")
    assert process[0] == status
    assert process[1].count("found") == 4
    assert forked == process


def test_the_workflow_says_the_same(tmp_path):
    config = ROOT / "tests/config/small.yaml"
    arguments = ["-n", "--quiet", "reason", "--configfile", config]
    forked, process = both(tmp_path, "-s", ROOT / "Snakefile", *arguments)
    assert forked[0] == process[0] == 0
    assert "rule expression_fit" in process[1]
    # Jobs come in any order.
    assert sorted(forked[1].splitlines()) == sorted(process[1].splitlines())


def test_the_order_of_a_set_is_not_that_of_the_run_before(tmp_path):
    (tmp_path / "Snakefile").write_text(TELLING)
    command = [sys.executable, "-m", "snakemake", "-n"]
    runs = [started.run(command, tmp_path).stdout for _ in range(2)]
    assert len({re.search("^hash .*$", output, re.M)[0] for output in runs}) == 2
