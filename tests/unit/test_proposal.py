"""A first configuration says what a file holds, and is one that the workflow accepts."""

import anndata
import numpy as np
import pytest
import yaml
from statediff.proposal import propose
from statediff.settings import checked
from statediff.simulate import simulated_adata
from statediff.source import open_source
from support import ROOT

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())


@pytest.fixture(scope="module")
def data():
    adata = simulated_adata(seed=1, cells=600, genes=250, samples=3, n_components=10)
    adata.obs["a number"] = np.arange(adata.n_obs)
    adata.obs["pool: A"] = np.resize(["1", "2"], adata.n_obs)
    return adata


def proposed(adata, path):
    adata.write_h5ad(path)
    with open_source(path) as source:
        text = propose(source, str(path), "my data")
    return text, yaml.safe_load(text)


def test_a_whole_file(data, tmp_path):
    text, found = proposed(data, tmp_path / "a.h5ad")
    full = checked(found, SCHEMA)
    assert full["dataset"]["name"] == "my_data"
    assert full["dataset"]["layer"] == "logged_counts"
    assert full["dataset"]["counts"] == "X"
    assert full["dataset"]["cell_type"] == "cell_type"
    assert full["dataset"]["cell_states"]["compute"]["from"] == "X_pca"
    (contrast,) = full["contrasts"].values()
    chosen = [contrast[key] for key in ("column", "reference", "compared", "sample", "pair")]
    assert chosen == ["Age", "Young", "Old", "sample", None]
    assert "logged_counts: logarithm (2); X: counts" in text
    assert "adjust: ['pool: A']" in text


def test_counts_alone(data, tmp_path):
    adata = anndata.AnnData(data.X, data.obs.drop(columns="sample"), data.var)
    text, found = proposed(adata, tmp_path / "a.h5ad")
    full = checked(found, SCHEMA)
    assert full["dataset"]["preprocess"]["counts"] is None
    assert full["dataset"]["embedding"]["compute"]["from"] == "X_pca"
    assert "# sample: FILL_IN" in text


def test_known_states_and_log_expression_in_x(data, tmp_path):
    adata = anndata.AnnData(data.layers["logged_counts"], data.obs, data.var, obsm=dict(data.obsm))
    adata.obsm["DM_EigenVectors"] = adata.obsm["X_umap"] = adata.obsm["X_pca"][:, :4]
    _, found = proposed(adata, tmp_path / "a.h5ad")
    full = checked(found, SCHEMA)
    assert full["dataset"]["layer"] is None
    assert full["dataset"]["cell_states"] == {"key": "DM_EigenVectors", "compute": None}
    assert full["dataset"]["embedding"]["key"] == "X_umap"
    assert full["fdr"]["blocks_from"] == "X_pca"


def test_what_is_not_found_is_to_be_filled_in(data, tmp_path):
    adata = anndata.AnnData(data.obsm["X_pca"] - 1.0)
    text, found = proposed(adata, tmp_path / "a.h5ad")
    assert found["contrasts"]["FILL_IN"]["column"] == "FILL_IN"
    assert found["dataset"]["layer"] == "FILL_IN"
    assert "X: unknown" in text


def test_donors_in_both_conditions(shared):
    path = shared / "data/real/kang_donors.h5ad"
    with open_source(path) as source:
        (contrast,) = yaml.safe_load(propose(source, str(path), "x"))["contrasts"].values()
    assert contrast == {"column": "condition", "reference": "ctrl", "compared": "stim",
                        "sample": "sample", "pair": "donor"}  # fmt: skip
