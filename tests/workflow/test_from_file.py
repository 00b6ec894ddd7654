"""Figures, tables and false discovery rates from results that are in the source file."""

import hashlib
import json
import subprocess

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from statediff.fields import DIRECTIONS
from statediff.store import read_arrays
from support import ROOT

RESULTS = "results/again/young_vs_old"
PAIR = "Young_to_Old"
CONFIG = {
    "dataset": {
        "name": "again",
        "source": {"path": "adata.h5ad"},
        "results": "from_file",
        "layer": None,
        "cell_type": "cell_type",
        "cell_states": {"key": "DM_EigenVectors"},
        "embedding": {"key": "X_pca"},
    },
    "contrasts": {"young_vs_old": {"column": "Age", "reference": "Young", "compared": "Old"}},
    "fdr": {"blocks_from": "X_pca"},
}


@pytest.fixture(scope="module")
def ours(small_run, tmp_path_factory):
    """Our own AnnData."""
    folder = tmp_path_factory.mktemp("ours")
    (folder / "adata.h5ad").symlink_to(small_run / "results/small/young_vs_old/adata.h5ad")
    return folder


@pytest.fixture(scope="module")
def kompots(small_run, kompot_python, tmp_path_factory):
    """The data and the cell states after kompot, in which nothing is of ours."""
    folder = tmp_path_factory.mktemp("kompots")
    data = small_run / "results/small/data"
    adata = anndata.read_h5ad(data / "simulated.h5ad")
    adata.X = adata.layers["logged_counts"]
    states, _ = read_arrays(data / "cell_states.h5", "states")
    adata.obsm["DM_EigenVectors"] = states["states"]
    script, source = ROOT / "tests/kompot_write.py", folder / "plain.h5ad"
    adata.write_h5ad(source)
    subprocess.run(
        [kompot_python, script, source, "Age", "Young", "Old", folder / "adata.h5ad"], check=True
    )
    return folder


@pytest.fixture(scope="module", params=["ours", "kompots"])
def folder(request, snakemake_run):
    folder = request.getfixturevalue(request.param)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    snakemake_run(folder, "all", "provenance", configfile=folder / "config.yaml")
    return folder


@pytest.fixture(scope="module")
def adata(folder):
    return anndata.read_h5ad(folder / "adata.h5ad")


def test_no_model_is_learnt(folder):
    stages = {path.name for path in (folder / RESULTS / "stages").iterdir()}
    assert {"density.h5", "abundance.h5", "fdr.h5"} < stages
    assert not {"fit.h5", "null.h5"} & stages
    figures = {path.stem for path in (folder / RESULTS / "figures").glob("*.png")}
    assert figures == {
        "condition", "composition", "abundance_change", "abundance_direction",
        "abundance_volcano", "abundance_volcanos", "abundance_swarm", "direction_bars",
        "expression_volcano", "expression_ma", "expression_levels", "sample_expression",
        "gene_regions", "significance",
    }  # fmt: skip


def test_abundance_is_that_of_the_file(folder, adata):
    found, _ = read_arrays(folder / RESULTS / "stages/abundance.h5")
    for role in ("lfc", "lfc_zscore", "neg_log10_lfc_ptp"):
        wanted = adata.obs[f"kompot_da_{PAIR}_{role}"]
        np.testing.assert_allclose(found[role], wanted, rtol=1e-5, atol=1e-6)
    directions = np.array(DIRECTIONS)[found["lfc_direction"]]
    assert (directions == adata.obs[f"kompot_da_{PAIR}_lfc_direction"]).all()


def test_genes_are_those_of_the_file(folder, adata):
    genes = pd.read_parquet(folder / RESULTS / "tables/genes.parquet").set_index("gene")
    wanted = adata.var[[f"kompot_de_{PAIR}_mahalanobis", f"kompot_de_{PAIR}_mean_lfc"]]
    found = genes.loc[adata.var_names, ["mahalanobis", "mean_lfc"]]
    np.testing.assert_array_equal(found, wanted)


def test_false_discovery_rates_are_calibrated(folder):
    """The test of our default, which needs no distance, ranks and calls the genes."""
    genes = pd.read_parquet(folder / RESULTS / "tables/genes.parquet")
    assert genes["pvalue"].is_monotonic_increasing
    assert genes["is_de"].any()
    assert (genes["is_de"] == (genes["qvalue"] < 0.05)).all()


def test_how_they_came_about_is_recorded(folder):
    told = json.loads((folder / RESULTS / "provenance.json").read_text())
    source = (folder / "adata.h5ad").read_bytes()
    assert told["provenance"]["inputs"] == [
        {"key": "dataset.source", "file": "adata.h5ad", "bytes": len(source),
         "sha256": hashlib.sha256(source).hexdigest()}
    ]  # fmt: skip
    config = told["provenance"]["config"]
    assert (config["dataset"]["results"], config["gp"]["sigma"]) == ("from_file", None)
    assert {"store", "kompot_abundance", "kompot_expression", "residual_test"} < set(told["stages"])
    assert not {"expression_fit", "expression_predict"} & set(told["stages"])
    page = (folder / RESULTS / "provenance.html").read_text()
    for text in (hashlib.sha256(source).hexdigest(), told["provenance"]["command"], "residual_test",
                 told["versions"]["statediff"]):  # fmt: skip
        assert text in page
    assert "adata.h5ad</code>" not in page


def run_with(tmp_path, ours, snakemake_run, changes):
    (tmp_path / "adata.h5ad").symlink_to(ours / "adata.h5ad")
    config = yaml.safe_load(yaml.safe_dump(CONFIG))
    for section, keys in changes.items():
        config.setdefault(section, {}).update(keys)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    done = snakemake_run(tmp_path, "abundance", configfile=tmp_path / "config.yaml", check=False)
    assert done.returncode != 0
    return done.stdout


def test_a_comparison_that_is_not_in_the_file(tmp_path, ours, snakemake_run):
    contrast = {"column": "Age", "reference": "Old", "compared": "Young"}
    output = run_with(tmp_path, ours, snakemake_run, {"contrasts": {"young_vs_old": contrast}})
    assert "contrasts.young_vs_old: no run" in output
    assert "there are: Young to Old of 'Age'" in output


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"fdr": {"test": "genes"}}, "fdr.test: found 'genes'"),
        ({"dataset": {"source": {"simulate": {"seed": 1}}}}, "expects dataset.source.path"),
        ({"figures": {"make": ["fit"]}}, "figures.make: fit"),
    ],
)
def test_what_needs_a_model_is_refused(tmp_path, ours, snakemake_run, changes, told):
    assert told in run_with(tmp_path, ours, snakemake_run, changes)
