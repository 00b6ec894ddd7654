"""The Slurm profile in a dry run, which does not need Slurm."""

import os
import re
import subprocess
import sys

import pytest
import yaml
import yte
from support import ROOT, run_snakemake

SMALL = ROOT / "tests/config/small.yaml"
SLURM = ROOT / "profiles/slurm"


def planned(directory, settings, *arguments):
    """Jobs of a dry run, {rule: text}, for the small data with other settings."""
    (directory / "settings.yaml").write_text(yaml.safe_dump(settings))
    output = run_snakemake(
        directory, "-n", *arguments, configfile=[SMALL, directory / "settings.yaml"]
    ).stdout
    return dict(re.findall(r"^ *(?:local)?rule (\w+):\n((?:    .*\n)+)", output, re.M))


@pytest.fixture
def one_core():
    """Let the programs started here see one core of the machine."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(allowed)])
    yield
    os.sched_setaffinity(0, allowed)


def test_cores_of_the_login_node_limit_no_job(tmp_path, one_core):
    (tmp_path / "sets.gmt").write_text("set\t\tGene1\tGene2\n")
    settings = {"enrichment": {"provider": "local", "gmt": ["sets.gmt"]}}
    here = planned(tmp_path, settings)["local_enrichment"]
    assert "threads:" not in here
    for profile in (["--profile", SLURM], [f"--profile={SLURM}"]):
        assert "threads: 4" in planned(tmp_path, settings, *profile)["local_enrichment"]


def test_groups_are_of_rules_that_exist():
    text = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    rules = set(re.findall(r"^ *(?:use rule \w+ as|rule) (\w+)", text, re.M))
    profile = yaml.safe_load((SLURM / "config.yaml").read_text())
    assert profile["groups"].keys() <= rules
    # Rules of figures declare their group themselves.
    known = {"figures", *profile["groups"].values()}
    assert profile["group-components"].keys() <= known
    (array,) = [value for key, value in profile.items() if key.startswith("?if")]
    assert array["slurm-array-jobs"] in rules - profile["groups"].keys()


@pytest.mark.parametrize("limit", [["--jobs", "5"], ["--jobs=5"], ["-j5"], ["-j", "5"]])
def test_a_limit_of_jobs_turns_arrays_off(monkeypatch, limit):
    for arguments, arrays in (([], True), (limit, False)):
        monkeypatch.setattr(sys, "argv", ["snakemake", "--profile", "slurm", *arguments])
        with (SLURM / "config.yaml").open() as file:
            profile = yte.process_yaml(file, require_use_yte=True)
        assert ("slurm-array-jobs" in profile) == arrays


def test_a_gpu_is_asked_for_where_the_configuration_says_so(tmp_path):
    computing = {"basis", "condition_density", "expression_fit"}
    gpu = {"gp": {"device": "gpu", "partition": "fast"}}
    layers = gpu | {"expression": {"layers": ["smoothed"]}}
    for changes, on_gpu in (
        ({}, set()),
        (gpu, computing),
        (layers, computing | {"expression_predict"}),
    ):
        jobs = planned(tmp_path, changes, "--profile", SLURM)
        assert {name for name, text in jobs.items() if "gpu=1" in text} == on_gpu
        assert {name for name, text in jobs.items() if "slurm_partition=fast" in text} == on_gpu


def test_a_partition_of_gpus_without_one_is_refused(tmp_path):
    (tmp_path / "gpus.yaml").write_text("gp: {partition: fast}")
    done = run_snakemake(tmp_path, "-n", configfile=[SMALL, tmp_path / "gpus.yaml"], check=False)
    assert done.returncode != 0
    assert "gp.partition: found fast without gp.device: gpu" in done.stdout


def test_a_plan_with_the_profile(tmp_path):
    soon = "--slurm-init-seconds-before-status-checks=1"
    output = run_snakemake(tmp_path, "plan", "--profile", SLURM, soon, configfile=SMALL).stdout
    assert re.search(r"^expression_predict +2 +1 +[\d.]+ +\d+", output, re.M)


def make_profiles(home):
    return subprocess.run(
        ["make", "profiles"], cwd=ROOT, env=os.environ | {"XDG_CONFIG_HOME": str(home)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_the_profile_is_found_by_its_name(tmp_path, monkeypatch):
    home = tmp_path / "a home"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    done = run_snakemake(tmp_path, "-n", "--profile", "slurm", configfile=SMALL, check=False)
    assert done.returncode != 0
    for _ in range(2):
        assert make_profiles(home).returncode == 0
        assert (home / "snakemake/slurm").samefile(SLURM)
    output = run_snakemake(tmp_path, "-n", "--profile", "slurm", configfile=SMALL).stdout
    assert "Group job" in output


def test_another_profile_of_that_name_is_left_alone(tmp_path):
    other = tmp_path / "snakemake/slurm/config.yaml"
    other.parent.mkdir(parents=True)
    other.write_text("executor: slurm\n")
    done = make_profiles(tmp_path)
    assert done.returncode != 0
    assert f"{other.parent}: found another profile" in done.stdout
    assert other.read_text() == "executor: slurm\n"
