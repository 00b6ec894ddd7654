"""The profile of Grid Engine, with stand-ins for its commands that run jobs on this machine."""

import os
import subprocess
import time
from types import SimpleNamespace

import grid_engine
import pytest
from support import ROOT, run_snakemake

SGE = ROOT / "profiles/sge"
SMALL = ROOT / "tests/config/small.yaml"
CELLS, EMBEDDING = (
    f"results/small/{name}.h5" for name in ("young_vs_old/stages/cells", "data/embedding")
)


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    """The folder of the jobs of the stand-ins, which are on PATH."""
    folder, jobs = tmp_path_factory.mktemp("commands"), tmp_path_factory.mktemp("jobs")
    grid_engine.install(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("GRID_ENGINE", str(jobs))
        patch.setattr(grid_engine, "JOBS", jobs)
        yield jobs


@pytest.fixture(scope="module")
def story(commands, tmp_path_factory):
    """A run in which the first job is killed, and another one always fails."""
    directory = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRID_ENGINE_KILLS", "simulate")
        patch.setenv("GRID_ENGINE_FAILS", "embedding")
        done = run_snakemake(
            directory, CELLS, EMBEDDING, "--profile", SGE, "--keep-going", "--retries", "1",
            "--seconds-between-status-checks", "1",
            configfile=SMALL, check=False,
        )  # fmt: skip
    jobs = [options | {"ended": grid_engine.ended(n)} for n, options in grid_engine.jobs().items()]
    return SimpleNamespace(directory=directory, done=done, jobs=jobs)


def of(story, name):
    return [job for job in story.jobs if job["-N"] == name]


def test_a_killed_job_is_run_again_with_more_memory_and_time(story):
    killed, again = of(story, "simulate")
    assert (killed["ended"], again["ended"]) == (137, 0)
    assert (killed["limits"]["h_rt"], again["limits"]["h_rt"]) == ("0:10:0", "0:20:0")
    memory = [int(job["limits"]["h_vmem"].removesuffix("M")) - 6000 for job in (killed, again)]
    assert memory[1] == pytest.approx(2 * memory[0], abs=2)


def test_a_job_that_fails_ends_the_run(story):
    assert story.done.returncode != 0
    assert [job["ended"] for job in of(story, "embedding")] == [1, 1]
    assert not (story.directory / EMBEDDING).exists()


def test_what_does_not_depend_on_it_is_done(story):
    (job,) = of(story, "GROUP")
    assert (job["ended"], job["pe"], job["slots"]) == (0, "smp", 1)
    assert (story.directory / CELLS).exists()


@pytest.mark.parametrize(
    ("state", "ended", "told"),
    [
        ("r", None, "running"),
        ("qw", None, "running"),
        ("Eqw", None, "failed"),
        ("", 0, "success"),
        ("", 1, "failed"),
        ("", 137, "failed"),
    ],
)
def test_states(commands, tmp_path, state, ended, told):
    job = 1000 + len(list(commands.glob("*.options")))
    grid_engine.write(job, "options", f'{{"-N": "a_rule", "state": "{state}"}}')
    if ended is not None:
        grid_engine.write(job, "ended", ended)
    assert status(tmp_path, job) == told


def status(directory, job):
    (directory / ".snakemake/sge").mkdir(parents=True, exist_ok=True)
    command = [SGE / "status.sh", str(job)]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_job_that_nothing_knows_has_failed_after_five_minutes(commands, tmp_path):
    assert status(tmp_path, 99999) == "running"
    (mark,) = (tmp_path / ".snakemake/sge").iterdir()
    os.utime(mark, (time.time() - 400,) * 2)
    assert status(tmp_path, 99999) == "failed"


def test_without_an_answer_nothing_is_known(tmp_path, monkeypatch):
    broken = tmp_path / "qstat"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert status(tmp_path, 1) == "running"
