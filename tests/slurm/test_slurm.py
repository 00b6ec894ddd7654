"""A small demo on a Slurm cluster of two nodes: a job is killed, the run cancelled and resumed."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import psutil
import pytest
from cluster import jobs, two_nodes, wait_for
from support import ROOT, run_snakemake

DEMO = [ROOT / "config/config.yaml", ROOT / "tests/config/small_demo.yaml"]
RUN = Path("results/simulated_bone_marrow")
STAGES = ("cells", "fit", "blocks", "residual", "genes.1-of-2", "genes.2-of-2", "fdr")
# Files that exist, and that Snakemake has registered, when the table of genes starts.
FINISHED = ("data/simulated.h5ad", "data/store.h5ad", "data/cell_states.h5",
            *(f"young_vs_old/stages/{name}.h5" for name in STAGES))  # fmt: skip
# Timeout on a busy machine, in seconds.
LIMIT = 900


@contextmanager
def controller(directory, profile, **environment):
    """The demo on Slurm, started as a user would."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile"]
    command += ["--directory", directory, "--profile", profile, "--configfile", *DEMO]
    # The jobs take seconds, not hours.
    command += ["--slurm-init-seconds-before-status-checks", "8"]
    with (directory / "said").open("a") as output:
        started = subprocess.Popen(
            list(map(str, command)), stdout=output, stderr=subprocess.STDOUT,
            cwd=directory, env=os.environ | environment,
            # Processes that a shell starts in the background ignore Ctrl-C otherwise.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        try:
            yield started
        finally:
            started.kill()
            started.wait()


def process(directory, script):
    """The process of a script of a run, if it exists."""
    for found in psutil.process_iter(["cmdline"]):
        words = " ".join(found.info["cmdline"] or [])
        if f"{directory}/.snakemake/scripts/" in words and words.endswith(f".{script}"):
            return found
    return None


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    with two_nodes(tmp_path_factory.mktemp("slurm")):
        yield


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Folder of the demo; processes left by a cancelled job are ended with the tests."""
    directory = tmp_path_factory.mktemp("demo")
    yield directory
    for found in psutil.process_iter(["cmdline"]):
        if str(directory) in (found.info["cmdline"] or []):
            with suppress(psutil.NoSuchProcess):
                found.kill()


@pytest.fixture(scope="module")
def story(slurm, directory, tmp_path_factory):
    """A run with a killed job, cancelled after the called genes were known, and resumed."""
    local, home = tmp_path_factory.mktemp("local"), tmp_path_factory.mktemp("home")
    subprocess.run(["make", "profiles"], check=True, cwd=ROOT, env=os.environ | {
        "XDG_CONFIG_HOME": str(home)})  # fmt: skip
    with ThreadPoolExecutor() as pool:
        running = pool.submit(run_snakemake, local, "results", configfile=DEMO)
        with controller(directory, ROOT / "profiles/slurm") as first:
            victim = wait_for(lambda: process(directory, "embedding.py"), LIMIT)
            assert victim, said(directory)
            victim.kill()
            started = directory / RUN / "logs/young_vs_old/gene_table.log"
            assert wait_for(lambda: started.exists() or first.poll() is not None, LIMIT)
            assert first.poll() is None, said(directory)
            first.send_signal(signal.SIGINT)
            first.wait(LIMIT)
        assert wait_for(lambda: not jobs("%i", "pending,running,completing"))
        written = times(directory)
        with controller(directory, "slurm", XDG_CONFIG_HOME=str(home)) as second:
            second.wait(LIMIT)
        rewritten = times(directory)
        running.result()
    done = [line.split("|") for line in jobs("%i|%k|%N|%m|%T")]
    return SimpleNamespace(
        local=local,
        directory=directory,
        cancelled=first.returncode,
        resumed=second.returncode,
        written=written,
        rewritten=rewritten,
        jobs=pd.DataFrame(done, columns=["job", "comment", "node", "memory", "state"]),
    )


def times(directory):
    """Modification times of finished files."""
    return {name: (directory / RUN / name).stat().st_mtime_ns for name in FINISHED}


def said(directory):
    """The last lines of the logs of the controllers."""
    return (directory / "said").read_text()[-4000:]


def test_jobs_ran_on_both_nodes(story):
    completed = story.jobs[story.jobs["state"] == "COMPLETED"]
    assert set(completed["node"]) == {"n1", "n2"}


def test_short_jobs_share_a_slurm_job_and_chunks_of_genes_an_array(story):
    completed = story.jobs[story.jobs["state"] == "COMPLETED"]
    assert len(completed) < len(list(story.directory.rglob("benchmarks/**/*.tsv"))) * 0.6
    chunks = completed[completed["comment"].str.startswith("rule_expression_predict")]
    assert set(chunks["job"].str.split("_").str[1]) == {"1", "2"}
    assert chunks["job"].str.split("_").str[0].nunique() == 1


def test_a_killed_job_is_run_again_with_more_memory(story):
    tries = story.jobs[story.jobs["comment"] == "rule_embedding"]
    memory = tries.set_index("state")["memory"].str.rstrip("M").astype(int)
    assert sorted(memory.index) == ["COMPLETED", "FAILED"]
    assert memory["COMPLETED"] == pytest.approx(2 * memory["FAILED"], abs=2)


def test_a_cancelled_run_resumes_without_doing_finished_work_again(story):
    assert story.cancelled != 0
    assert story.resumed == 0, said(story.directory)
    assert story.rewritten == story.written


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
    made, expected = (run / RUN / "young_vs_old" for run in (story.directory, story.local))
    for name in ("adata.h5ad", "stages/fit.h5", "stages/density.h5", "stages/fdr.h5"):
        ours, theirs = numbers(made / name), numbers(expected / name)
        assert ours.keys() == theirs.keys()
        for key, values in theirs.items():
            np.testing.assert_allclose(ours[key], values, rtol=1e-10, atol=1e-10, err_msg=key)
    for name in ("genes", "cells", "cell_types"):
        tables = [pd.read_parquet(run / f"tables/{name}.parquet") for run in (made, expected)]
        pd.testing.assert_frame_equal(*tables, rtol=1e-10, atol=1e-10)
