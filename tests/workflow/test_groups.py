"""Filters and groups: who is in them, and that their numbers are those of their cells alone."""

import json
import shutil

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from statediff.significance import false_discovery_rates
from statediff.store import read_arrays
from support import CONFIG, tiny

RESULTS = "results/small/young_vs_old"
STEM = "kompot_de_Young_to_Old"
EVALUATED = ["early erythroid", "erythroblasts", "stem/MPP"]


@pytest.fixture(scope="module")
def grouped(small_run, tmp_path_factory, snakemake_run, small_config):
    """Of the same data as the small run, whose cell states and embedding stay."""
    directory = shutil.copytree(small_run, tmp_path_factory.mktemp("groups") / "run", symlinks=True)
    files = [small_config, small_config.with_name("small_groups.yaml")]
    done = snakemake_run(directory, "results", configfile=files)
    (directory / "output.txt").write_text(done.stdout)
    return directory


@pytest.fixture(scope="module")
def adata(grouped):
    return anndata.read_h5ad(grouped / RESULTS / "adata.h5ad")


@pytest.fixture(scope="module")
def masks(adata):
    """The filter and the groups, written out."""
    obs = adata.obs
    passing = obs["lineage"].isin(["Erythroid", "Monocyte", "Neutrophil"])
    stem = obs["cell_type"].isin(["HSC", "MPP"])
    early = stem | (obs["cell_type"] == "Erythroid progenitor")
    groups = {
        "stem/MPP": stem & passing,
        "early erythroid": early & (obs["lineage"] == "Erythroid"),
        "erythroblasts": obs["cell_type"] == "Erythroblast",
        "B cells": passing & False,
        "middle-aged": passing & (obs["Age"] == "Mid"),
    }
    return passing.to_numpy(), {name: mask.to_numpy() for name, mask in groups.items()}


def distance(phi, covariance, difference):
    """Of the fold changes at the cells of phi, by the covariance of all of these cells."""
    change = phi @ difference
    spread = phi @ covariance @ phi.T + 1e-8 * np.eye(len(phi))
    return np.sqrt(np.einsum("ng,ng->g", change, np.linalg.solve(spread, change)))


def test_summary_counts_the_cells_of_each_group(grouped, adata, masks):
    passing, groups = masks
    summary = json.loads((grouped / RESULTS / "summary.json").read_text())
    age = adata.obs["Age"].to_numpy()
    young, old = ((passing & (age == level)).sum() for level in ("Young", "Old"))
    assert summary["cells"] == {
        "total": 600, "evaluated": passing.sum(), "reference": young, "compared": old,
        "samples": 0, "samples_reference": 0, "samples_compared": 0,
    }  # fmt: skip
    table = adata.varm[f"{STEM}_is_de_groups"]
    assert set(summary["groups"]) == set(groups)
    for name, mask in groups.items():
        young, old = ((mask & (age == level)).sum() for level in ("Young", "Old"))
        left_out = name not in EVALUATED
        assert summary["groups"][name] == {
            "cells": mask.sum(),
            "reference": young,
            "compared": old,
            "underrepresented": min(young, old) < 10,
            "left_out": left_out,
            "n_de": None if left_out else table[name.replace("/", "_")].sum(),
        }
    assert summary["groups"]["erythroblasts"]["underrepresented"]
    assert summary["stages"]["group_distances"]["seconds"] > 0


def test_the_terminal_tells_of_small_groups(grouped):
    output = (grouped / "output.txt").read_text()
    assert "B cells (0 and 0), middle-aged (0 and 0) are left out" in output
    assert "are evaluated all the same (contrasts.young_vs_old.leave_out_small_groups)" in output
    assert "groups      3 evaluated, 2 left out, 3 underrepresented" in output
    assert "pass the filter): " in output


def test_distances_and_means_are_those_of_the_groups_cells(grouped, adata, masks):
    stages = grouped / RESULTS / "stages"
    fit, _ = read_arrays(stages / "fit.h5")
    covariance = sum(
        (fit[f"modes_{role}"] / (1.0 + fit[f"spectrum_{role}"])) @ fit[f"modes_{role}"].T
        for role in ("reference", "compared")
    )
    difference = (fit["coefficients_compared"] - fit["coefficients_reference"]).T
    null = read_arrays(stages / "null.h5", "difference")[0]["difference"]
    table = pd.read_parquet(grouped / RESULTS / "tables/gene_groups.parquet")
    assert sorted(table["group"].unique()) == EVALUATED
    for name, mask in masks[1].items():
        if name not in EVALUATED:
            continue
        phi = fit["phi"][mask]
        found = table[table["group"] == name].set_index("gene").loc[adata.var_names]
        wanted = distance(phi, covariance, difference)
        np.testing.assert_allclose(found["mahalanobis"], wanted, rtol=1e-4)
        np.testing.assert_allclose(found["mean_lfc"], (phi @ difference).mean(axis=0), atol=1e-9)
        rates = false_discovery_rates(
            found["mahalanobis"], distance(phi, covariance, null), gaps="one"
        )
        np.testing.assert_allclose(found["local_fdr"], rates["local_fdr"], atol=1e-3)
        np.testing.assert_allclose(found["tail_fdr"], rates["tail_fdr"], atol=1e-3)
        np.testing.assert_allclose(found["pvalue"], rates["pvalue"], atol=0.01)


def test_the_filter_decides_about_training_and_the_mean(grouped, adata, masks):
    passing, _ = masks
    cells, _ = read_arrays(grouped / RESULTS / "stages/cells.h5")
    np.testing.assert_array_equal(cells["evaluated"], passing)
    for role, level in (("reference", "Young"), ("compared", "Old")):
        wanted = passing & (adata.obs["Age"] == level).to_numpy()
        np.testing.assert_array_equal(cells[role], wanted)
    coefficients = [adata.varm[f"kompot_de_{age}_coefficients"] for age in ("Old", "Young")]
    change = adata.obsm[f"{STEM}_basis"] @ (coefficients[0] - coefficients[1]).T
    wanted = change[passing].mean(axis=0)
    np.testing.assert_allclose(adata.var[f"{STEM}_mean_lfc"], wanted, atol=1e-4)
    assert np.abs(change.mean(axis=0) - wanted).max() > 0.01
    # Abundance is compared at the other cells too.
    assert adata.obs["kompot_da_Young_to_Old_lfc"].notna().all()


def test_fields_and_table_agree(grouped, adata):
    table = pd.read_csv(grouped / RESULTS / "tables/gene_groups.tsv", sep="\t")
    assert list(table) == [
        "gene", "group", "mean_lfc", "mahalanobis", "local_fdr", "tail_fdr", "pvalue", "is_de"
    ]  # fmt: skip
    fields = {
        "mean_lfc": "mean_lfc_groups",
        "mahalanobis": "mahalanobis_groups",
        "local_fdr": "mahalanobis_local_fdr_groups",
        "is_de": "is_de_groups",
    }
    for column, field in fields.items():
        frame = adata.varm[f"{STEM}_{field}"]
        assert list(frame) == ["early erythroid", "erythroblasts", "stem_MPP"]
        wide = table.pivot(index="gene", columns="group", values=column).loc[adata.var_names]
        np.testing.assert_allclose(frame.to_numpy(float), wide.to_numpy(float), rtol=1e-5)
    for _, part in table.groupby("group"):
        assert part["mahalanobis"].is_monotonic_decreasing
    run = json.loads(adata.uns["kompot_de"]["last_run_info"])
    assert run["has_groups"]
    assert run["groups_summary"]["names"] == ["early erythroid", "erythroblasts", "stem_MPP"]
    chosen = run["params"]["filter"]
    assert set(chosen["groups"]) > set(EVALUATED)
    assert chosen["cell_filter"] == {"lineage": ["Erythroid", "Monocyte", "Neutrophil"]}
    for name, field in run["field_mapping"].items():
        if field["location"] == "varm":
            assert name in adata.varm


@pytest.fixture
def run_tiny(tmp_path, snakemake_run):
    """Run the tiny data as chosen, with keys of its contrast; gives the folder of stages."""

    def run(folder, adata, **keys):
        directory = tmp_path / folder
        directory.mkdir()
        config = CONFIG | {"fdr": {"null_genes": 100}}
        config["contrasts"] = {"a_vs_b": CONFIG["contrasts"]["a_vs_b"] | keys}
        (directory / "config.yaml").write_text(yaml.safe_dump(config))
        adata.write_h5ad(directory / "data.h5ad")
        snakemake_run(
            directory, "expression", "abundance", "groups", configfile=directory / "config.yaml"
        )
        return directory / "results/tiny/a_vs_b/stages"

    return run


@pytest.mark.parametrize("replicates", [{}, {"sample": "donor", "min_cells": 3}])
def test_a_filter_gives_the_numbers_of_a_smaller_file(run_tiny, replicates):
    """With replicates too, of which some cells do not pass, and are of a third group."""
    adata = tiny()
    adata.obs["donor"] = ["d1"] * 15 + ["d2"] * 15 + ["d3"] * 11 + ["d4"] * 11 + ["d1"] * 8
    chosen = (adata.obs["cell_type"] == "x").to_numpy()
    filtered = run_tiny("filtered", adata, cells={"cell_type": "x"}, **replicates)
    smaller = adata[chosen].copy()
    smaller.obs["donor"] = (
        smaller.obs["donor"].astype(object).where(smaller.obs["group"] != "c", "d5")
    )
    smaller = run_tiny("smaller", smaller, **replicates)
    for chunk in ("genes.1-of-2.h5", "genes.2-of-2.h5"):
        found, wanted = (read_arrays(stages / chunk)[0] for stages in (filtered, smaller))
        for name in ("mahalanobis", "mean_lfc"):
            np.testing.assert_allclose(found[name], wanted[name], rtol=1e-6)
    lfc, wanted = (read_arrays(s / "abundance.h5", "lfc")[0]["lfc"] for s in (filtered, smaller))
    np.testing.assert_allclose(lfc[chosen], wanted, rtol=1e-5)


def test_small_groups_are_left_out_on_demand(run_tiny):
    """The levels of a column of numbers, in its order, the last of them too small."""
    adata = tiny()
    adata.obs["cluster"] = [2, 10, 1, 2, 10, 2] * 10
    stages = run_tiny("run", adata, groups="cluster", leave_out_small_groups=True)
    groups, _ = read_arrays(stages / "groups.h5")
    assert list(groups["names"]) == ["1", "2", "10"]
    assert groups["cells"].tolist() == [10, 30, 20]
    assert groups["underrepresented"].tolist() == [True, False, True]
    assert list(read_arrays(stages / "group_fdr.h5", "names")[0]["names"]) == ["2"]
