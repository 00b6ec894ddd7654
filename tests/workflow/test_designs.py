"""Pairs and covariates through the workflow."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from statediff.store import read_arrays
from support import ROOT

CONFIGS = ROOT / "tests/config"


@pytest.fixture(scope="module")
def paired_run(tmp_path_factory, snakemake_run):
    directory = tmp_path_factory.mktemp("paired")
    files = [CONFIGS / name for name in ("small.yaml", "standard.yaml", "paired.yaml")]
    done = snakemake_run(directory, "results", "report", configfile=files)
    return directory / "results/paired", done.stdout


def genes_of(folder, contrast):
    return (
        pd.read_parquet(folder / contrast / "tables/genes.parquet").set_index("gene").sort_index()
    )


def test_pairs_find_what_donors_hide(paired_run):
    folder, _ = paired_run
    truth = anndata.read_h5ad(folder / "data/simulated.h5ad", backed="r").var["true_change"]
    called = {
        name: set(genes.index[genes["is_de"]])
        for name in ("young_vs_old", "unpaired")
        for genes in [genes_of(folder, name)]
    }
    changed = set(truth.index[truth != "none"])
    true = {name: len(found & changed) for name, found in called.items()}
    assert true["young_vs_old"] > true["unpaired"]
    assert true["young_vs_old"] >= 0.5 * len(changed)
    assert len(called["young_vs_old"] - changed) <= 3


def test_a_pair_is_a_covariate_of_donors(paired_run):
    """Whichever way the design is written, p-values are the same."""
    folder, _ = paired_run
    pair, adjusted = (genes_of(folder, name) for name in ("young_vs_old", "adjusted"))
    np.testing.assert_allclose(pair["pvalue"], adjusted["pvalue"], rtol=1e-6)
    found = [
        read_arrays(folder / name / "stages/abundance.h5", "lfc", "pvalue")[0]
        for name in ("young_vs_old", "adjusted")
    ]
    # The densities of donors have a prior as covariates, and none in pairs.
    assert np.corrcoef(found[0]["lfc"], found[1]["lfc"])[0, 1] > 0.9


def test_the_design_is_told(paired_run):
    folder, output = paired_run
    summary = json.loads((folder / "young_vs_old/summary.json").read_text())
    assert summary["conditions"]["pair"] == "donor"
    assert summary["cells"]["samples"] == 8
    assert "samples     8, paired by donor" in output
    assert "samples     8, adjusted for donor" in output
    table = pd.read_csv(folder / "contrasts.tsv", sep="\t").set_index("contrast")
    assert table.loc["young_vs_old", "pair"] == "donor"
    assert table.loc["adjusted", "adjust"] == "donor"
