"""The resource plan before a run."""

import re

import yaml


def plan(directory, snakemake_run, config):
    """Rows of the plan, {rule: (jobs, threads, memory, minutes, core hours)}, and the output."""
    output = snakemake_run(directory, "plan", configfile=config).stdout
    rows = re.findall(r"^([a-z_, ]+?) +(\d+) +(\d+) +([\d.]+) +(\d+) +([\d.]+)$", output, re.M)
    return {name: tuple(map(float, numbers)) for name, *numbers in rows}, output


def test_plan_of_a_run_that_has_not_begun(tmp_path, snakemake_run, small_config):
    rows, _ = plan(tmp_path, snakemake_run, small_config)
    total = rows.pop("sum, or largest")
    assert rows["simulate"][0] == 1
    assert rows["expression_predict"][0] == 2
    assert total[0] == sum(row[0] for row in rows.values())
    assert total[2] == max(row[2] for row in rows.values())
    assert all(min(row[1:4]) > 0 for row in rows.values())
    assert not list(tmp_path.rglob("*.h5*"))
    larger = yaml.safe_load(small_config.read_text())
    larger["dataset"]["source"]["simulate"] |= {"cells": 100_000, "genes": 20_000}
    (tmp_path / "larger.yaml").write_text(yaml.safe_dump(larger))
    more, _ = plan(tmp_path, snakemake_run, tmp_path / "larger.yaml")
    for name in ("cell_states", "expression_fit", "residual_test", "null_distances"):
        if name in rows:
            assert more[name][2] > 2 * rows[name][2]


def test_plan_of_a_complete_run(small_copy, snakemake_run, small_config):
    rows, output = plan(small_copy, snakemake_run, small_config)
    assert not rows
    assert "Nothing to be done." in output
