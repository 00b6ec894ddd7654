"""Full disks and killed jobs, in every stage.

STATEDIFF_KILLS says how many jobs are killed; a hundred take minutes.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml
from support import CONFIG, ROOT, tiny

KILLS = int(os.environ.get("STATEDIFF_KILLS", "8"))
SIGNALS = [signal.SIGKILL, signal.SIGINT, signal.SIGTERM]


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    """What came of every job of a run on a full disk, and of some that were killed."""
    folder = tmp_path_factory.mktemp("jobs")
    disk = folder / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", disk]).returncode:
        pytest.skip("no right to mount a small file system")
    try:
        done = subprocess.run(
            [sys.executable, ROOT / "tests/each_job.py", disk, str(KILLS)],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    finally:
        subprocess.run(["umount", disk], check=True)
    assert done.returncode == 0, done.stdout[-3000:]
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"rule"')]
    return [one for one in found if "said" in one], [one for one in found if "same" in one], disk


def test_every_stage_names_a_full_disk_and_leaves_nothing(trials):
    full, _, disk = trials
    assert len({one["rule"] for one in full}) > 30
    wrong = []
    for one in full:
        # Warnings about the data come first.
        fault = one["said"].splitlines()[-1]
        named = fault.startswith(f"Error ({one['rule']}): {disk}: no space left (")
        if one["code"] != 1 or one["left"] or not named or "; free some space" not in fault:
            wrong.append(one)
    assert wrong == []


def test_a_killed_job_leaves_whole_files_and_runs_again(trials):
    _, killed, _ = trials
    assert len(killed) == KILLS
    assert [one for one in killed if one["left"] or not (one["whole"] and one["same"])] == []


def test_a_killed_run_ends_with_the_same_results(tmp_path, snakemake_run):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
        tiny().write_h5ad(folder / "data.h5ad")
        (folder / "my.yaml").write_text(yaml.safe_dump(CONFIG))
    begun = time.perf_counter()
    expected = finished(whole, snakemake_run)
    seconds = time.perf_counter() - begun
    assert len(expected) > 15
    for trial in range(max(2, KILLS // 10)):
        kill_run(killed, SIGNALS[trial % 3], random.Random(trial).uniform(0.2, 1) * seconds)
        snakemake_run(killed, "--unlock", configfile=killed / "my.yaml")
        # A job that lives on writes beside those of this run.
        found = finished(killed, snakemake_run)
        assert found.keys() == expected.keys()
        assert [name for name in expected if found[name] != expected[name]] == []
        shutil.rmtree(killed / "results")


def kill_run(folder, number, seconds):
    command = [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", "results"]
    run = subprocess.Popen(
        [*command, "--cores", "1", "--configfile", "my.yaml"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(seconds)
    run.send_signal(number)
    run.wait()


def finished(folder, snakemake_run):
    """Run to the end; what the files from job to job and the tables hold."""
    snakemake_run(folder, "results", "--cores", 1, configfile=folder / "my.yaml")
    run = folder / "results/tiny"
    files = [*run.glob("data/*.h5*"), *run.glob("*/stages/*"), *run.glob("*/tables/*")]
    return {str(file.relative_to(run)): file.read_bytes() for file in files}
