"""Pairs and covariates through the workflow."""

import json

import anndata
import numpy as np
import pytest
from statediff.store import read_arrays
from support import ROOT

CONFIGS = ROOT / "tests/config"


@pytest.fixture(scope="module")
def paired_run(tmp_path_factory, snakemake_run):
    directory = tmp_path_factory.mktemp("paired")
    files = [CONFIGS / name for name in ("small.yaml", "standard.yaml", "paired.yaml")]
    methods = "results/paired/young_vs_old/methods.html"
    snakemake_run(directory, "fdr", "abundance", methods, configfile=files)
    return directory / "results/paired"


def genes_of(folder, contrast):
    return read_arrays(folder / contrast / "stages/fdr.h5")[0]


def test_pairs_find_what_donors_hide(paired_run):
    truth = anndata.read_h5ad(paired_run / "data/simulated.h5ad", backed="r").var["true_change"]
    changed = (truth != "none").to_numpy()
    called, alone = (genes_of(paired_run, name)["is_de"] for name in ("young_vs_old", "unpaired"))
    assert called[changed].sum() > alone[changed].sum()
    assert called[changed].mean() >= 0.5
    assert called[~changed].sum() <= 3


def test_a_pair_is_a_covariate_of_donors(paired_run):
    """Whichever way the design is written, p-values are the same."""
    pair, adjusted = (genes_of(paired_run, name) for name in ("young_vs_old", "adjusted"))
    np.testing.assert_allclose(pair["pvalue"], adjusted["pvalue"], rtol=1e-6)
    found = [
        read_arrays(paired_run / name / "stages/abundance.h5", "lfc")[0]["lfc"]
        for name in ("young_vs_old", "adjusted")
    ]
    # The densities of donors have a prior as covariates, and none in pairs.
    assert np.corrcoef(*found)[0, 1] > 0.9


def test_the_design_is_told(paired_run):
    summary = json.loads((paired_run / "young_vs_old/summary.json").read_text())
    assert summary["conditions"]["pair"] == "donor"
    assert summary["cells"]["samples"] == 8
    methods = " ".join((paired_run / "young_vs_old/methods.html").read_text().split())
    assert "samples are the levels of donor in each condition" in methods
    assert "conditions are compared within levels of donor" in methods
    assert "after regression on donor" in methods
