"""A complete run on a small simulated data set: what it leaves behind."""

import json
import re

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from pypdf import PdfReader
from support import ROOT

RESULTS = "results/small/young_vs_old"


@pytest.fixture(scope="module")
def adata(small_run):
    return anndata.read_h5ad(small_run / RESULTS / "adata.h5ad")


@pytest.fixture(scope="module")
def tables(small_run):
    folder = small_run / RESULTS / "tables"
    return {p.stem: pd.read_parquet(p) for p in folder.glob("*.parquet")}


def test_fields_have_kompots_names(adata):
    assert {
        "kompot_da_Young_to_Old_lfc",
        "kompot_da_Young_to_Old_lfc_zscore",
        "kompot_da_Young_to_Old_neg_log10_lfc_ptp",
        "kompot_da_Young_to_Old_lfc_direction",
        "kompot_da_Young_log_density",
        "kompot_da_Old_log_density",
        "kompot_de_Young_std",
        "kompot_de_Old_std",
    } <= set(adata.obs)
    assert {
        "kompot_de_Young_to_Old_mahalanobis",
        "kompot_de_Young_to_Old_mean_lfc",
        "kompot_de_Young_to_Old_mahalanobis_local_fdr",
        "kompot_de_Young_to_Old_is_de",
    } <= set(adata.var)
    assert "kompot_de_Young_to_Old_mahalanobis_pvalue" not in adata.var
    assert {"DM_EigenVectors", "X_pca", "kompot_de_Young_to_Old_basis"} <= set(adata.obsm)
    assert not adata.layers
    assert list(adata.obs["kompot_da_Young_to_Old_lfc_direction"].cat.categories) == [
        "down",
        "neutral",
        "up",
    ]
    assert len(adata.uns["kompot_da_Young_to_Old_lfc_direction_colors"]) == 3


def test_adata_keeps_the_data(adata, small_run):
    source = anndata.read_h5ad(small_run / "results/small/data/simulated.h5ad")
    assert (source.layers["logged_counts"] != adata.X).nnz == 0
    assert adata.obs_names.equals(source.obs_names)
    assert adata.var_names.equals(source.var_names)
    assert adata.obs["Age"].equals(source.obs["Age"])
    # The embedding is drawn in two of its columns, and kept whole.
    np.testing.assert_allclose(adata.obsm["X_pca"], source.obsm["X_pca"])
    assert adata.obsm["DM_EigenVectors"].shape == (600, 8)
    assert len(adata.uns["DM_EigenValues"]) >= 8


def test_layers_can_be_rebuilt_from_basis_and_coefficients(adata):
    phi = adata.obsm["kompot_de_Young_to_Old_basis"]
    change = phi @ (
        adata.varm["kompot_de_Old_coefficients"] - adata.varm["kompot_de_Young_coefficients"]
    ).T  # fmt: skip
    mean = adata.var["kompot_de_Young_to_Old_mean_lfc"]
    np.testing.assert_allclose(change.mean(axis=0), mean, atol=1e-4)


@pytest.mark.parametrize("kind", ["da", "de"])
def test_run_records_name_what_is_there(adata, kind):
    record = adata.uns[f"kompot_{kind}"]
    run = json.loads(record["last_run_info"])
    assert json.loads(record["run_history"]) == [run]
    assert run["analysis_type"] == kind
    assert run["params"]["groupby"] == "Age"
    assert (run["params"]["condition1"], run["params"]["condition2"]) == ("Young", "Old")
    slots = {"obs": adata.obs, "var": adata.var, "obsm": adata.obsm, "varm": adata.varm}
    for name, field in run["field_mapping"].items():
        assert name in slots[field["location"]], name
    if kind == "de":
        is_de = adata.var[run["fdr_keys"]["is_de_key"]]
        assert run["fdr_results"]["n_significant"] == is_de.sum()
        distances = adata.var.loc[is_de, run["mahalanobis_key"]]
        threshold = run["fdr_results"]["min_significant_mahalanobis"]
        assert threshold == pytest.approx(distances.min(), rel=1e-6)


def test_gene_table(tables, adata):
    genes = tables["genes"]
    assert genes["mahalanobis"].is_monotonic_decreasing
    assert set(genes["gene"]) == set(adata.var_names)
    assert list(genes) == [
        "gene", "mean_lfc", "mahalanobis", "local_fdr", "tail_fdr", "pvalue", "is_de",
        "neg_log10_ptp",
    ]  # fmt: skip
    aligned = genes.set_index("gene").loc[adata.var_names]
    np.testing.assert_allclose(
        aligned["mahalanobis"], adata.var["kompot_de_Young_to_Old_mahalanobis"], rtol=1e-6
    )
    assert ((genes["local_fdr"] < 0.05) == genes["is_de"]).all()


def test_cell_tables_agree(tables, adata):
    cells, types = tables["cells"], tables["cell_types"]
    assert list(cells["cell"]) == list(adata.obs_names)
    counts = pd.crosstab(cells["cell_type"], cells["lfc_direction"])
    for _, row in types.iterrows():
        for direction in ("up", "neutral", "down"):
            wanted = counts.loc[row["cell_type"]].get(direction, 0)
            assert row[direction] == wanted
            assert row[f"{direction}_share"] == pytest.approx(wanted / row["cells"])
    assert types["cells"].sum() == len(cells)
    assert list(types["cell_type"]) == list(adata.obs["cell_type"].cat.categories)


def test_tsv_and_parquet_hold_the_same(tables, small_run):
    for name, table in tables.items():
        tsv = pd.read_csv(small_run / RESULTS / f"tables/{name}.tsv", sep="\t")
        assert list(tsv) == list(table)
        assert len(tsv) == len(table)
        numbers = table.select_dtypes("number")
        np.testing.assert_allclose(tsv[numbers.columns], numbers, rtol=1e-6)


def test_every_column_is_explained(tables):
    explained = yaml.safe_load((ROOT / "workflow/report/columns.yaml").read_text())
    for name, table in tables.items():
        assert set(table) <= explained[name].keys()


def test_summary_counts_what_the_tables_hold(tables, small_run):
    summary = json.loads((small_run / RESULTS / "summary.json").read_text())
    cells, genes = tables["cells"], tables["genes"]
    assert summary["cells"] == {
        "total": 600, "evaluated": 600, "reference": 240, "compared": 240,
        "samples": 0, "samples_reference": 0, "samples_compared": 0,
    }  # fmt: skip
    assert summary["groups"] is None
    for direction, n in cells["lfc_direction"].value_counts().items():
        assert summary["abundance"][direction] == n
    expression = summary["expression"]
    assert expression["n_de"] == genes["is_de"].sum()
    assert expression["n_de_up"] + expression["n_de_down"] == expression["n_de"]
    called = genes.loc[genes["is_de"], "mahalanobis"]
    assert expression["mahalanobis_threshold"] == pytest.approx(called.min())
    assert expression["residual_max"] < 1e-6
    assert summary["versions"]["snakemake"]
    for stage in ("simulate", "store", "cell_states", "condition_density", "expression_predict"):
        assert summary["stages"][stage]["seconds"] > 0
        assert summary["stages"][stage]["peak_mb"] > 50


def test_evaluation_is_that_of_the_tables(tables, small_run):
    truth = json.loads((small_run / RESULTS / "truth.json").read_text())
    source = anndata.read_h5ad(small_run / "results/small/data/simulated.h5ad", backed="r")
    genes = tables["genes"].set_index("gene").loc[source.var_names]
    changed = (source.var["true_change"] != "none").to_numpy()
    called = genes["is_de"].to_numpy()
    assert truth["precision"] == pytest.approx((called & changed).sum() / called.sum())
    assert truth["recall"] == pytest.approx((called & changed).sum() / changed.sum())
    lfc = tables["cells"]["lfc"].to_numpy()
    up = (source.obs["true_abundance_lfc"] > 1.0).to_numpy()
    pairs = (lfc[up][:, None] > lfc[~up][None]) + 0.5 * (lfc[up][:, None] == lfc[~up][None])
    assert truth["auc_up"] == pytest.approx(pairs.mean())
    assert truth["auc_up"] > 0.9


def test_the_run_ends_with_a_summary(small_run):
    output = (small_run / "output.txt").read_text()
    tail = output[output.index("small · young_vs_old") :]
    for word in ("cells       600: 240 Young, 240 Old", "change, local FDR < 0.05:",
                 "cells lie in states more frequent in Old", "smoothness  length scale",
                 "as configured;", "effective degrees of freedom of expression", "precision", "AUC",
                 "s over all jobs", "results in  results/small/young_vs_old"):  # fmt: skip
        assert word in tail


def test_figures_are_vector_with_text_and_raster(small_run):
    figures = sorted((small_run / "results/small").rglob("figures/*.pdf"))
    assert len(figures) == 20
    for path in figures:
        (page,) = PdfReader(path).pages
        assert re.search(r"\w{3}", page.extract_text()), path
        for font in page["/Resources"]["/Font"].values():
            (shapes,) = font["/DescendantFonts"]
            assert "/FontFile2" in shapes["/FontDescriptor"], path
        with Image.open(path.with_suffix(".png")) as picture:
            assert picture.width > 600
            assert picture.info["dpi"] == pytest.approx((200, 200), abs=0.1)


def test_every_job_logs_its_seconds_and_memory(small_run):
    logs = list((small_run / "results/small/logs").rglob("*.log"))
    assert len(logs) > 30
    for log in logs:
        assert re.search(r"\w+: [\d.]+ s, peak \d+ MB$", log.read_text().strip()), log


def test_nothing_half_written_is_left(small_run):
    assert not list((small_run / "results").rglob("*.part"))
