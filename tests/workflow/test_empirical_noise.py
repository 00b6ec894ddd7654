"""Noise learnt from the data, through the workflow: real and null genes by dense algebra."""

import json

import anndata
import dense
import numpy as np
import pytest
import yaml
from statediff import EPS
from statediff.significance import choose_null_genes, permute_null_genes
from statediff.store import read_arrays
from support import CONFIG, tiny


@pytest.fixture(scope="module")
def directory(tmp_path_factory, snakemake_run):
    directory = tmp_path_factory.mktemp("noise")
    tiny().write_h5ad(directory / "data.h5ad")
    config = CONFIG | {"gp": {"noise": "empirical", "tol": 1e-12}, "fdr": {"null_genes": 100}}
    (directory / "config.yaml").write_text(yaml.safe_dump(config))
    snakemake_run(directory, "results", configfile=directory / "config.yaml")
    return directory / "results/tiny/a_vs_b"


@pytest.fixture(scope="module")
def distance(directory):
    """Distance of expression over the cells of both conditions, those of a first."""
    adata, ls = tiny(), read_arrays(directory / "stages/fit.h5", "phi_mean")[1]["ls"]
    x = adata.obsm["DM"][:52]

    def by_dense_algebra(y):
        conditions = [
            (dense.GaussianProcess(x[rows], y[rows], 1.0, ls), y[rows])
            for rows in (slice(0, 30), slice(30, 52))
        ]
        (a, _), (b, _) = conditions
        noise = sum(dense.noise_variance(gp, 1.0, values, x, EPS) for gp, values in conditions)
        change, spread = b.mean(x) - a.mean(x), a.covariance(x) + b.covariance(x)
        systems = spread + np.stack([np.diag(column) for column in noise.T])
        solved = np.linalg.solve(systems, change.T[..., None])[..., 0]
        return np.sqrt((change.T * solved).sum(axis=1))

    return by_dense_algebra


def test_distances_of_the_genes(directory, distance):
    chunks = [read_arrays(directory / f"stages/genes.{i}-of-2.h5")[0] for i in (1, 2)]
    found = np.concatenate([chunk["mahalanobis"] for chunk in chunks])
    wanted = distance(tiny().layers["logged"].toarray()[:52].astype(float))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_null_genes_are_treated_as_the_genes(directory, distance):
    columns, seeds = choose_null_genes(20, 100, 42)
    shuffled = permute_null_genes(tiny().layers["logged"][:52][:, columns], seeds)
    found, _ = read_arrays(directory / "stages/null.h5")
    np.testing.assert_allclose(
        found["mahalanobis"], distance(shuffled.toarray().astype(float)), rtol=1e-6
    )


def test_the_noise_is_recorded(directory):
    summary = json.loads((directory / "summary.json").read_text())
    assert summary["expression"]["noise"] == "empirical"
    assert summary["stages"]["expression_noise"]["seconds"] > 0
    run = json.loads(anndata.read_h5ad(directory / "adata.h5ad").uns["kompot_de"]["last_run_info"])
    assert run["params"]["gp"]["noise"] == "empirical"
