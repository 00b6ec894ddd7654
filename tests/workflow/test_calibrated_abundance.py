"""Abundance by the ratio of two densities, through the workflow, with and without samples."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import false_discovery_control, norm
from statediff.density import fit_density
from statediff.design import Design
from statediff.ratio import fit_ratio, informative
from statediff.shrinkage import shrink
from statediff.store import read_arrays
from support import CONFIG, tiny

STEM = "kompot_da_a_to_b_lfc"


def configured(directory, **contrast):
    contrast = CONFIG["contrasts"]["a_vs_b"] | contrast
    config = CONFIG | {
        "contrasts": {"a_vs_b": contrast},
        "abundance": {"estimator": "ratio", "lfc_threshold": 0.1, "fdr_threshold": 0.5},
        "gp": {"ls_factor": 0.1},
        "fdr": {"test": "genes", "null_genes": 100},
    }
    (directory / "config.yaml").write_text(yaml.safe_dump(config))
    return directory / "config.yaml"


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("ratio")
    adata = tiny()
    # A difference to find: b further along the first axis. The samples are drawn at random.
    adata.obsm["DM"][30:52, 0] += 2.0
    rng = np.random.default_rng(8)
    adata.obs["sample"] = [f"{group}{rng.integers(2)}" for group in adata.obs["group"]]
    adata.write_h5ad(directory / "data.h5ad")
    return directory


@pytest.fixture(scope="module")
def finished(directory, snakemake_run):
    run = "results/tiny/a_vs_b"
    snakemake_run(directory, "results", f"{run}/figures/abundance_volcano.png",
                  configfile=configured(directory))  # fmt: skip
    return directory / run


def test_results_are_those_of_the_library(directory, finished):
    states = anndata.read_h5ad(directory / "data.h5ad").obsm["DM"]
    density = fit_density(states[:52], ls_factor=0.1)
    phi = density.basis(states)
    few = phi[:, : informative(density.basis.eigenvalues)]
    ratio = fit_ratio(few[:52], np.repeat([0, 1], [30, 22]), Design.unpaired([0, 1]))
    log_ratio, variance = ratio.unshrunk(few, 1.0)
    error, least = np.sqrt(variance), 0.1 * np.log(2)
    lfc, size = shrink(log_ratio, error), np.abs(log_ratio)
    pvalue = norm.sf((size - least) / error) + norm.sf((size + least) / error)
    table = pd.read_table(finished / "tables/cells.tsv")
    np.testing.assert_allclose(table["lfc"], lfc / np.log(2), rtol=1e-5)
    np.testing.assert_allclose(table["pvalue"], pvalue, rtol=1e-5)
    np.testing.assert_allclose(table["qvalue"], false_discovery_control(pvalue), rtol=1e-5)
    up = (lfc > least) & (table["qvalue"] < 0.5)
    assert 0 < up.sum() < 60
    assert ((table["lfc_direction"] == "up") == up).all()
    a, b = ratio.log_densities(density(phi), lfc)
    np.testing.assert_allclose(table["log_density_reference"], a / np.log(2), rtol=1e-5)
    np.testing.assert_allclose(table["log_density_compared"], b / np.log(2), rtol=1e-5)


def test_fields_and_summary(finished):
    adata = anndata.read_h5ad(finished / "adata.h5ad")
    table = pd.read_table(finished / "tables/cells.tsv")
    for name in ("pvalue", "qvalue"):
        np.testing.assert_allclose(adata.obs[f"{STEM}_{name}"], table[name], rtol=1e-12)
    written = json.loads(adata.uns["kompot_da"]["anndata_fields"])["obs"]
    assert set(written) <= set(adata.obs)
    run = json.loads(adata.uns["kompot_da"]["last_run_info"])
    assert run["params"]["threshold"]["estimator"] == "ratio"
    summary = json.loads((finished / "summary.json").read_text())["abundance"]
    assert summary["estimator"] == "ratio"
    assert summary["ls"] == pytest.approx(run["params"]["gp"]["ls"])
    assert 0 < summary["rank_ratio"] <= summary["rank"]
    assert summary["up"] == (table["lfc_direction"] == "up").sum()


def test_another_threshold_fits_nothing(directory, finished, snakemake_run):
    change = directory / "change.yaml"
    change.write_text("abundance: {fdr_threshold: 0.01}\n")
    files = [configured(directory), change]
    done = snakemake_run(directory, "-n", "results", configfile=files)
    assert "abundance_change" in done.stdout
    assert "abundance_density" not in done.stdout


def test_another_estimator_fits_the_densities_alone(directory, finished, snakemake_run):
    change = directory / "change.yaml"
    change.write_text("abundance: {estimator: densities}\n")
    files = [configured(directory), change]
    done = snakemake_run(directory, "-n", "results", configfile=files)
    assert "rule abundance_density" in done.stdout
    assert "rule expression_fit" not in done.stdout


def test_samples_widen_the_variance(directory, finished, snakemake_run):
    before = read_arrays(finished / "stages/density.h5", "variance")[0]["variance"]
    config = configured(directory, sample="sample", min_cells=2)
    snakemake_run(directory, "abundance", configfile=config)
    density, attributes = read_arrays(finished / "stages/density.h5")
    assert (density["variance"] >= before * (1 - 1e-9)).all()
    assert attributes["overdispersion"] >= 1
    assert density["freedom"] > 2
    change, _ = read_arrays(finished / "stages/abundance.h5")
    assert (change["pvalue"] >= 2 * norm.sf(np.abs(change["lfc_zscore"])) * (1 - 1e-9)).all()
