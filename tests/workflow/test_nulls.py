"""The nulls that genes are compared with, in runs on the small simulated data set."""

import json

import anndata
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import false_discovery_control
from statediff.plots.explore import where_it_changes
from statediff.store import read_arrays
from support import ROOT
from test_page import unpacked

STANDARD = "results/standard/young_vs_old"
SMALL = "results/small/young_vs_old"
# What shows where genes change.
FIGURE = f"{STANDARD}/figures/gene_regions.png"
SHOWN = [FIGURE, f"{STANDARD}/tables/gene_regions.html", f"{STANDARD}/explore.html"]


@pytest.fixture(scope="module")
def standard_configs(small_config):
    return [small_config, small_config.with_name("standard.yaml")]


@pytest.fixture(scope="module")
def standard_run(tmp_path_factory, snakemake_run, standard_configs):
    directory = tmp_path_factory.mktemp("standard")
    snakemake_run(directory, "results", *SHOWN, configfile=standard_configs)
    return directory


def changed(directory, **sections):
    path = directory / "changed.yaml"
    path.write_text(yaml.safe_dump(sections))
    return path


def test_standard_calls_by_q_value(standard_run):
    table = pd.read_parquet(standard_run / STANDARD / "tables/genes.parquet")
    assert {"pvalue", "qvalue", "standardised", "mahalanobis", "sample_effect"} <= set(table)
    assert "local_fdr" not in table
    assert table["pvalue"].is_monotonic_increasing
    np.testing.assert_allclose(table["qvalue"], false_discovery_control(table["pvalue"]))
    assert (table["is_de"] == (table["qvalue"] < 0.05)).all()
    summary = json.loads((standard_run / STANDARD / "summary.json").read_text())
    assert summary["conventions"] == "standard"
    assert summary["expression"]["test"] == "residual"
    assert summary["expression"]["n_de"] == table["is_de"].sum() > 0
    truth = summary["truth"]
    assert truth["precision"] > 0.8
    assert truth["recall"] > 0.2


def test_shuffled_conditions_change_no_gene(standard_run):
    fdr, _ = read_arrays(standard_run / STANDARD / "stages/fdr.h5", "null_pvalue", "pvalue")
    null = fdr["null_pvalue"]
    assert len(null) == len(fdr["pvalue"]) == 250
    assert 0.005 < (null < 0.05).mean() < 0.1
    assert null.min() > 1e-5 > fdr["pvalue"].min()


def test_where_called_genes_change(standard_run):
    folder = standard_run / STANDARD
    found, _ = read_arrays(folder / "stages/localisation.h5")
    fdr, _ = read_arrays(folder / "stages/fdr.h5", "is_de")
    np.testing.assert_array_equal(found["genes"], np.flatnonzero(fdr["is_de"]))
    codes = read_arrays(folder / "stages/blocks.h5", "code")[0]["code"][0]
    assert found["direction"].shape == found["lfc"].shape == (len(found["genes"]), codes.max() + 1)
    np.testing.assert_array_equal(np.sign(found["lfc"]), found["direction"])
    genes = pd.read_parquet(folder / "tables/genes.parquet")
    called, others = genes[genes["is_de"]], genes[~genes["is_de"]]
    columns = ["changed_share", "pattern", "strongest_type", "strongest_type_lfc"]
    assert others[columns].isna().all(axis=None)
    adata = anndata.read_h5ad(folder / "adata.h5ad")
    names = adata.var_names[found["genes"]]
    changed = pd.DataFrame(found["direction"][:, codes[codes >= 0]] != 0, names)
    share = called.set_index("gene")["changed_share"]
    np.testing.assert_allclose(share, changed.mean(axis=1)[share.index])
    told = called["changed_share"] > 0
    assert told.mean() > 0.5
    assert set(called["pattern"][told]) <= {"everywhere", "region", "opposite"}
    assert called.loc[told, columns].notna().all(axis=None)
    # Where a gene is told to change it does, in this direction.
    truth = adata.var[[name for name in adata.var if name.startswith("true_lfc_")]]
    truth = truth.rename(columns=lambda name: name.removeprefix("true_lfc_")).loc[names]
    cells = adata.obs[codes >= 0]
    late = (cells["pseudotime"] > 0.5).to_numpy()
    true = truth[cells["lineage"].astype(str)].to_numpy()[:, late]
    direction = found["direction"][:, codes[codes >= 0]][:, late]
    assert (np.sign(true) == direction)[direction != 0].mean() > 0.9
    # Each type of which some of the cells change.
    explained = yaml.safe_load((ROOT / "workflow/report/columns.yaml").read_text())
    assert set(genes) <= explained["genes"].keys()
    assert set(columns) <= set(genes)
    table = pd.read_parquet(folder / "tables/gene_regions.parquet")
    assert list(table) == ["gene", "cell_type", "direction", "share", "lfc"]
    assert set(table["gene"]) <= set(called["gene"][told])
    assert list(table["gene"].unique()) == [g for g in called["gene"] if g in set(table["gene"])]
    row = table.iloc[0]
    of_type = (adata.obs["cell_type"] == row["cell_type"]).to_numpy() & (codes >= 0)
    sign = {"up": 1, "down": -1}[row["direction"]]
    directions = found["direction"][names.get_loc(row["gene"])][codes[of_type]]
    assert row["share"] == pytest.approx((directions == sign).mean())
    assert np.sign(row["lfc"]) == sign


def test_where_genes_change_is_shown(standard_run):
    figure, table, page = (standard_run / path for path in SHOWN)
    assert plt.imread(figure).shape[0] > 700
    text = table.read_text()
    assert "Gene regions: young_vs_old" in text
    assert all(name in text for name in ("Cell type", "Direction", "Log2 fold change"))
    # The called genes come first, and their changes are those of the localisation.
    found, _ = read_arrays(standard_run / STANDARD / "stages/localisation.h5")
    genes = pd.read_parquet(standard_run / STANDARD / "tables/genes.parquet")
    tables = json.loads(unpacked(page.read_text(), "tables"))
    words = tables["blocks"]["words"]
    assert len(words) == len(found["genes"]) == genes["is_de"].sum()
    called = genes.set_index("gene").loc[tables["genes"]["names"][: len(words)]]
    assert words == [where_it_changes(gene) for gene in called.to_dict("records")]
    low, high = np.frombuffer(unpacked(page.read_text(), "regions"), np.uint8).reshape(2, -1)
    values = (low | high.astype(np.uint16) << 8).view(np.int16).reshape(found["lfc"].shape)
    names = anndata.read_h5ad(standard_run / STANDARD / "adata.h5ad", backed="r").var_names
    lfc = pd.DataFrame(found["lfc"], names[found["genes"]]).loc[called.index]
    np.testing.assert_allclose(values / tables["blocks"]["steps"], lfc, atol=6e-4)


def test_regions_where_there_are_no_types(standard_run, snakemake_run, standard_configs, tmp_path):
    more = changed(tmp_path, dataset={"cell_type": None})
    stem = f"{STANDARD}/tables/gene_regions"
    before = pd.read_parquet(standard_run / f"{stem}.parquet")
    drawn = (standard_run / FIGURE).read_bytes()
    snakemake_run(standard_run, f"{stem}.tsv", FIGURE, configfile=[*standard_configs, more])
    assert (standard_run / FIGURE).read_bytes() != drawn
    table = pd.read_csv(standard_run / f"{stem}.tsv", sep="\t")
    assert list(table) == ["gene", "region", "direction", "share", "lfc"]
    assert not table.duplicated(["gene", "region"]).any()
    assert table["share"].between(0, 1).all()
    assert set(before["gene"]) <= set(table["gene"])
    snakemake_run(standard_run, f"{stem}.tsv", FIGURE, configfile=standard_configs)


def test_methods_of_the_standard(standard_run, snakemake_run, standard_configs):
    page = f"{STANDARD}/methods.html"
    snakemake_run(standard_run, page, configfile=standard_configs)
    text = " ".join((standard_run / page).read_text().split())
    blocks = json.loads((standard_run / STANDARD / "summary.json").read_text())["blocks"]
    assert f"within {blocks['n_blocks']} blocks of cells" in text
    assert "(on average 40 cells, found by k-means in X_pca" in text
    assert ("after the samples were mixed" in text) == blocks["mixed"]
    assert "integrated over the samples of the contrasts" in text
    assert "was chosen by the marginal likelihood" in text
    assert "Noise and signal-to-noise ratio of each gene were chosen" in text
    assert "allowing for the variance between samples" in text
    for name in ("Benjamini Y, H", "Benjamini Y, B", "Liu Y", "Setty M, Kiseliovas V"):
        assert text.count(name) == 1
    assert "shuffled over the cells" not in text


def test_standard_fields(standard_run):
    adata = anndata.read_h5ad(standard_run / STANDARD / "adata.h5ad")
    stem = "kompot_de_Young_to_Old"
    named = {f"{stem}_{name}_sample_var" for name in ("pvalue", "qvalue", "standardised_distance")}
    assert named <= set(adata.var)
    assert adata.var[f"{stem}_pvalue_sample_var"].dtype == np.float64
    run = json.loads(adata.uns["kompot_de"]["last_run_info"])
    assert run["fdr_keys"]["qvalue_key"] == f"{stem}_qvalue_sample_var"
    assert run["params"]["fdr"]["test"] == "residual"
    assert set(run["field_mapping"]) >= named


def test_a_threshold_recomputes_no_test(standard_run, snakemake_run, standard_configs, tmp_path):
    more = changed(tmp_path, fdr={"threshold": 0.2})
    done = snakemake_run(standard_run, "fdr", "--dry-run", configfile=[*standard_configs, more])
    assert "rule false_discovery" in done.stdout
    for rule in ("blocks", "residual_test", "expression_fit"):
        assert f"rule {rule}:" not in done.stdout


@pytest.mark.parametrize("fdr", [{"test": "genes"}, {"blocks_from": "X_other"}])
def test_another_null_refits_nothing(standard_run, snakemake_run, standard_configs, tmp_path, fdr):
    """Nor do other coordinates of the blocks."""
    more = changed(tmp_path, fdr=fdr)
    done = snakemake_run(standard_run, "fdr", "--dry-run", configfile=[*standard_configs, more])
    assert "rule false_discovery" in done.stdout
    for rule in ("store", "cell_states", "expression_fit"):
        assert f"rule {rule}:" not in done.stdout


def test_labels(small_copy, snakemake_run, small_config):
    more = changed(small_copy, fdr={"test": "labels", "block_cells": 40})
    done = snakemake_run(small_copy, "fdr", configfile=[small_config, more])
    assert "rule expression_fit:" not in done.stdout
    found, attributes = read_arrays(small_copy / SMALL / "stages/fdr.h5")
    assert (attributes["test"], attributes["ranking"]) == ("labels", "standardised")
    permuted = read_arrays(small_copy / SMALL / "stages/labels.h5")[0]["mahalanobis"]
    assert permuted.shape == (6, 250)
    expected = found["mahalanobis"] / np.sqrt((permuted**2).mean(axis=0))
    np.testing.assert_allclose(found["standardised"], expected, rtol=1e-6)
    assert 0 < found["is_de"].sum() < 100


def test_regions_without_samples(small_copy, snakemake_run, small_config):
    more = changed(small_copy, fdr={"test": "residual", "block_cells": 40})
    tables = [f"{SMALL}/tables/{name}.parquet" for name in ("genes", "gene_regions")]
    snakemake_run(small_copy, *tables, configfile=[small_config, more])
    assert read_arrays(small_copy / SMALL / "stages/sample_effects.h5")[0] == {}
    genes, regions = (pd.read_parquet(small_copy / table) for table in tables)
    assert set(regions["gene"]) == set(genes["gene"][genes["changed_share"] > 0]) > set()


def test_nothing_is_localised_where_no_gene_is_called(small_copy, snakemake_run, small_config):
    more = changed(small_copy, fdr={"test": "residual", "block_cells": 40, "threshold": 1e-300})
    tables = [f"{SMALL}/tables/{name}.parquet" for name in ("genes", "gene_regions")]
    figure = f"{SMALL}/figures/gene_regions.png"
    snakemake_run(small_copy, *tables, figure, configfile=[small_config, more])
    genes, regions = (pd.read_parquet(small_copy / table) for table in tables)
    assert (small_copy / figure).is_file()
    assert genes[["changed_share", "pattern", "strongest_type"]].isna().all(axis=None)
    assert list(regions) == ["gene", "cell_type", "direction", "share", "lfc"]
    assert regions.empty


def test_external_distances_and_genes(small_copy, snakemake_run, small_config):
    genes = ["Gene007", "Gene011"]
    table = pd.DataFrame({"mahalanobis": np.linspace(0.1, 2.0, 50)})
    table.to_csv(small_copy / "null.tsv", sep="\t", index=False)
    external = {"distances": "null.tsv", "genes": genes, "shuffled": True}
    more = changed(small_copy, fdr={"test": "external", "external": external})
    snakemake_run(small_copy, "fdr", configfile=[small_config, more])
    found, _ = read_arrays(small_copy / SMALL / "stages/fdr.h5")
    shuffled = read_arrays(small_copy / SMALL / "stages/null.h5")[0]["mahalanobis"]
    own = found["mahalanobis"][[7, 11]]
    null = np.concatenate([shuffled, table["mahalanobis"], own])
    share = (null >= found["mahalanobis"][:, None]).mean(axis=1)
    np.testing.assert_allclose(found["pvalue"][share > 0], share[share > 0])


@pytest.mark.parametrize(
    ("external", "message"),
    [
        ({"genes": ["Gene007", "missing"]}, "genes: 'missing'"),
        ({"distances": "bad.tsv"}, "bad.tsv has the columns distance; expected"),
    ],
)
def test_bad_external_null(small_copy, snakemake_run, small_config, external, message):
    (small_copy / "bad.tsv").write_text("distance\n1.0\n")
    more = changed(small_copy, fdr={"test": "external", "external": external})
    done = snakemake_run(small_copy, "fdr", configfile=[small_config, more], check=False)
    assert done.returncode
    assert message in done.stdout


def test_unknown_components_for_blocks(small_copy, snakemake_run, small_config):
    more = changed(small_copy, fdr={"test": "residual", "blocks_from": "X_none"})
    done = snakemake_run(small_copy, "fdr", configfile=[small_config, more], check=False)
    assert done.returncode
    assert "fdr.blocks_from: no obsm key 'X_none'; there are: X_pca" in done.stdout
