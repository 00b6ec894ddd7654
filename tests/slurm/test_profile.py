"""The profiles in dry runs, which need no cluster."""

import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml
import yte
from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file
from support import ROOT, run_snakemake

SMALL = ROOT / "tests/config/small.yaml"
PROFILES = ROOT / "profiles"
SLURM = PROFILES / "slurm"
COMPUTING = {"basis", "condition_density", "expression_fit"}


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


def test_groups_and_arrays_are_of_rules_that_exist():
    text = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    groups = set(re.findall(r'^ *group:\n +"(\w+)"$', text, re.M))
    for name in ("lsf", "sge", "slurm"):
        profile = yaml.safe_load((PROFILES / name / "config.yaml").read_text())
        assert profile["group-components"].keys() <= groups, name
    (array,) = [value for key, value in profile.items() if key.startswith("?if")]
    (rule,) = re.findall(rf"^rule {array['slurm-array-jobs']}:\n(?:(?: .*)?\n)+", text, re.M)
    assert "scatteritem" in rule
    assert "group:" not in rule


@pytest.mark.parametrize("limit", [["--jobs", "5"], ["--jobs=5"], ["-j5"], ["-j", "5"]])
def test_a_limit_of_jobs_turns_arrays_off(monkeypatch, limit):
    for arguments, arrays in (([], True), (limit, False)):
        monkeypatch.setattr(sys, "argv", ["snakemake", "--profile", "slurm", *arguments])
        with (SLURM / "config.yaml").open() as file:
            profile = yte.process_yaml(file, require_use_yte=True)
        assert ("slurm-array-jobs" in profile) == arrays


def with_gpu(name, folder):
    """A copy of a profile in which the lines about a GPU are no comments; and its text."""
    profile = shutil.copytree(PROFILES / name, folder / name)
    before, start, after = (profile / "config.yaml").read_text().partition("# GPU:")
    text = before + start + re.sub(r"^# ( *[a-z_-]+: .+|[a-z-]+:)$", r"\1", after, flags=re.M)
    (profile / "config.yaml").write_text(text)
    return profile, text


def partitions():
    """The file of partitions that the profile of Slurm gives as an example."""
    (line,) = re.findall(r"`(partitions: .*)`", (SLURM / "config.yaml").read_text())
    return line


def on_gpu(jobs):
    return {name for name, text in jobs.items() if "gpu=1" in text}


@pytest.mark.parametrize("name", ["lsf", "sge"])
def test_a_profile_asks_for_a_gpu(tmp_path, name):
    profile, text = with_gpu(name, tmp_path)
    jobs = planned(tmp_path, {}, "--profile", profile)
    assert on_gpu(jobs) == COMPUTING
    if name == "lsf":
        on_queue = {rule for rule, job in jobs.items() if "lsf_extra=-gpu num=1" in job}
        assert on_queue == COMPUTING
        rules = set(yaml.safe_load(text)["set-resources"])
        assert rules == COMPUTING | {"abundance_ratio", "smooth_expression"}
    else:
        assert all("gpu=" in job for job in jobs.values() if "mem_mb" in job)


@pytest.mark.parametrize(
    ("settings", "computing"),
    [
        ({}, COMPUTING),
        ({"expression": {"layers": ["smoothed"]}}, COMPUTING | {"expression_predict"}),
        # The profile goes before files of the configuration.
        ({"gp": {"device": "cpu"}}, COMPUTING),
    ],
)
def test_the_profile_of_slurm_asks_for_a_gpu(tmp_path, settings, computing):
    profile, _ = with_gpu("slurm", tmp_path)
    (profile / "partitions.yaml").write_text(partitions())
    assert on_gpu(planned(tmp_path, settings, "--profile", profile)) == computing


def test_the_partition_of_slurm_follows_from_the_gpu(tmp_path):
    (tmp_path / "partitions.yaml").write_text(partitions())
    known = read_partition_file(tmp_path / "partitions.yaml")
    log = SimpleNamespace(debug=print, info=print, warning=print)
    for gpu, partition in (({}, "main"), ({"gpu": 1}, "gpu")):
        job = SimpleNamespace(name="a_rule", threads=4, resources={"mem_mb": 2000} | gpu)
        assert get_best_partition(known, job, log) == partition


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
