"""The resource plan before a run."""

import re

import anndata
import h5py
import numpy as np
import pandas as pd
import yaml
from scipy import sparse
from support import CONFIG


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


def test_what_takes_more_memory_is_known_before(tmp_path, snakemake_run):
    """Of a file that says it holds 100,000 cells, 20,000 genes, 2e8 values, and 40 donors."""
    cells, genes = 100_000, 20_000
    index = pd.RangeIndex(cells).astype(str)
    obs = pd.DataFrame({"group": np.repeat(["a", "b"], cells // 2), "cell_type": "x"}, index)
    states = np.random.default_rng(0).normal(size=(cells, 3))
    anndata.AnnData(
        obs=obs.assign(donor=[f"d{i * 40 // cells}" for i in range(cells)]),
        var=pd.DataFrame(index=pd.RangeIndex(genes).astype(str)),
        layers={"logged": sparse.csr_matrix((cells, genes), dtype=np.float32)},
        obsm={"DM": states, "X_umap": states[:, :2]},
    ).write_h5ad(tmp_path / "data.h5ad")

    def planned(encoding, sample=None, ls_factor=10.0, **gp):
        with h5py.File(tmp_path / "data.h5ad", "a") as file:
            matrix = file["layers/logged"]
            matrix.attrs["encoding-type"] = encoding
            matrix.attrs["shape"] = (100_000, 20_000)
            del matrix["data"]
            matrix.create_dataset("data", (200_000_000,), "f4", chunks=True)
        contrast = CONFIG["contrasts"]["a_vs_b"] | {"sample": sample}
        config = CONFIG | {"conventions": "standard", "contrasts": {"a_vs_b": contrast}}
        config["gp"] = {"ls_factor": ls_factor} | gp
        config["fdr"] = {"blocks_from": "DM"}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        rows, _ = plan(tmp_path, snakemake_run, tmp_path / "config.yaml")
        return {name: row[2] for name, row in rows.items()}

    usual = planned("csr_matrix")
    more = planned("csc_matrix")
    assert more["store"] == more["sum, or largest"] > usual["store"] + 4
    changed = {name for name, memory in more.items() if memory != usual[name]}
    assert changed == {"store", "sum, or largest"}
    more = planned("csr_matrix", "donor")
    # 3 × 200 blocks × 40 samples × genes, of 8 bytes; samples × functions × genes, of 12.
    assert more["residual_test"] > usual["residual_test"] + 2.5
    assert more["expression_fit"] > usual["expression_fit"] + 1.4
    assert more["expression_predict"] > usual["expression_predict"] + 0.4
    more = planned("csr_matrix", ls_factor=2.0)
    assert more["expression_fit"] > 4 * usual["expression_fit"]
    assert planned("csr_matrix", ls_factor=2.0, max_rank=150) == usual
