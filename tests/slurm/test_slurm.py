"""The demo on a Slurm of two nodes: a job is killed, and the run is cancelled and resumed."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import psutil
import pytest
from conftest import jobs, wait_for
from support import ROOT, run_snakemake

DEMO = ROOT / "config/config.yaml"
CONTRAST = Path("results/simulated_bone_marrow/young_vs_old")
# Seconds that something may take on a busy machine.
LIMIT = 900


def controller(directory, profile, output, **environment):
    """Start the demo on Slurm, as a user would."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile"]
    command += ["--directory", directory, "--profile", profile, "--configfile", DEMO]
    # The jobs take seconds, not hours.
    command += ["--slurm-init-seconds-before-status-checks", "8"]
    return subprocess.Popen(
        list(map(str, command)), stdout=output, stderr=subprocess.STDOUT,
        cwd=directory, env=os.environ | environment,
    )  # fmt: skip


def process(directory, script):
    """The process of a script of a run, if it is there."""
    for found in psutil.process_iter(["cmdline"]):
        words = " ".join(found.info["cmdline"] or [])
        if f"{directory}/.snakemake/scripts/" in words and words.endswith(f".{script}"):
            return found
    return None


@pytest.fixture(scope="module")
def story(slurm, tmp_path_factory):
    """A run with a killed job, cancelled after the called genes were known, and resumed."""
    local, directory = tmp_path_factory.mktemp("local"), tmp_path_factory.mktemp("demo")
    home = tmp_path_factory.mktemp("home")
    subprocess.run(["make", "profiles"], check=True, cwd=ROOT, env=os.environ | {
        "XDG_CONFIG_HOME": str(home)})  # fmt: skip
    with (directory / "first").open("w") as output:
        first = controller(directory, ROOT / "profiles/slurm", output)
        try:
            assert wait_for(lambda: process(directory, "embedding.py"), LIMIT), said(directory)
            process(directory, "embedding.py").send_signal(signal.SIGKILL)
            writing = directory / CONTRAST.parent / "logs/young_vs_old/adata.log"
            assert wait_for(lambda: writing.exists() or first.poll() is not None, LIMIT)
            first.send_signal(signal.SIGINT)
            first.wait(LIMIT)
        finally:
            first.kill()
    assert wait_for(lambda: not jobs("%i", "pending,running,completing"))
    finished = {path: path.stat().st_mtime_ns for path in (directory / CONTRAST).rglob("*.h5*")}
    with (directory / "second").open("w") as output:
        second = controller(directory, "slurm", output, XDG_CONFIG_HOME=str(home))
        try:
            second.wait(LIMIT)
        finally:
            second.kill()
    done = [line.split("|") for line in jobs("%k|%N|%m|%T")]
    run_snakemake(local, configfile=DEMO)
    return SimpleNamespace(
        local=local,
        directory=directory,
        cancelled=first.returncode,
        resumed=second.returncode,
        finished=finished,
        jobs=pd.DataFrame(done, columns=["comment", "node", "memory", "state"]),
    )


def said(directory):
    """What the controllers said."""
    return "".join(path.read_text()[-4000:] for path in sorted(directory.glob("*[td]")))


def test_jobs_ran_on_both_nodes(story):
    completed = story.jobs[story.jobs["state"] == "COMPLETED"]
    assert set(completed["node"]) == {"n1", "n2"}
    # Short jobs share a Slurm job; chunks of genes are an array of their own.
    assert len(completed) < len(list(story.local.rglob("benchmarks/**/*.tsv"))) * 0.6
    assert (completed["comment"].str.startswith("rule_expression_predict")).sum() == 2


def test_a_killed_job_is_run_again_with_more_memory(story):
    tries = story.jobs[story.jobs["comment"] == "rule_embedding"].sort_values("memory")
    assert list(tries["state"]) == ["FAILED", "COMPLETED"]
    first, second = (int(memory.rstrip("M")) for memory in tries["memory"])
    assert second == pytest.approx(2 * first, abs=2)


def test_a_cancelled_run_resumes_without_doing_finished_work_again(story):
    assert story.cancelled != 0
    assert story.resumed == 0, said(story.directory)
    names = {path.name for path in story.finished}
    assert {"fit.h5", "density.h5", "fdr.h5"} <= names
    assert "adata.h5ad" not in names
    for path, written in story.finished.items():
        assert path.stat().st_mtime_ns == written, path


def numbers(path):
    """All arrays of numbers of an HDF5 file."""
    found = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "biuf":
            found[name] = item[()]

    with h5py.File(path, "r") as file:
        file.visititems(keep)
    return found


def test_the_results_are_those_of_a_local_run(story):
    made, expected = story.directory / CONTRAST, story.local / CONTRAST
    files = {path.relative_to(expected) for path in expected.rglob("*") if path.is_file()}
    assert {path.relative_to(made) for path in made.rglob("*") if path.is_file()} == files
    for name in ("adata.h5ad", "stages/fit.h5", "stages/density.h5", "stages/fdr.h5"):
        ours, theirs = numbers(made / name), numbers(expected / name)
        assert ours.keys() == theirs.keys()
        for key, values in theirs.items():
            np.testing.assert_allclose(ours[key], values, rtol=1e-10, atol=1e-10, err_msg=key)
    for name in ("genes", "cells", "cell_types"):
        tables = [pd.read_parquet(run / f"tables/{name}.parquet") for run in (made, expected)]
        pd.testing.assert_frame_equal(*tables, rtol=1e-10, atol=1e-10)
