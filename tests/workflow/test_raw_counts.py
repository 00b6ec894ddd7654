"""From raw counts to tables, and what is said of counts that are none."""

import json
import re

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy
import yaml
from scipy import sparse
from statediff.preprocess import common_depth, expected_logarithm
from statediff.store import described, read_arrays
from support import CONFIG, tiny

DATA = "results/raw/data"


@pytest.fixture(scope="module")
def config(small_config):
    return small_config.with_name("raw_counts.yaml")


@pytest.fixture(scope="module")
def raw_run(tmp_path_factory, snakemake_run, config):
    directory = tmp_path_factory.mktemp("raw")
    done = snakemake_run(
        directory, "results", f"{DATA}/../young_vs_old/methods.html", configfile=config
    )
    (directory / "output.txt").write_text(done.stdout)
    return directory


@pytest.fixture(scope="module")
def made(raw_run):
    return anndata.read_h5ad(raw_run / DATA / "preprocessed.h5ad")


def test_it_is_what_scanpy_makes(raw_run, made):
    adata = anndata.read_h5ad(raw_run / DATA / "simulated.h5ad")
    found = adata.shape
    scanpy.pp.filter_cells(adata, min_genes=50)
    totals = np.asarray(adata.X.sum(axis=1)).ravel()
    scanpy.pp.filter_genes(adata, min_cells=40)
    assert adata.n_obs < found[0]
    assert adata.n_vars < found[1]
    assert list(made.obs_names) == list(adata.obs_names)
    assert list(made.var_names) == list(adata.var_names)
    counts, depth = adata.X.copy(), common_depth(totals)
    scanpy.pp.normalize_total(adata, target_sum=1e4)
    wanted = np.log2(adata.X.toarray() + 0.1) - np.log2(0.1)
    layer = made.layers["logged_counts"]
    assert isinstance(layer, sparse.csr_matrix)
    assert layer.dtype == np.float32
    np.testing.assert_allclose(layer.toarray(), wanted, rtol=1e-5, atol=1e-5)
    # Variable genes and components at a depth that cells have in common.
    adata.X *= depth / 1e4
    scanpy.pp.log1p(adata)
    scanpy.pp.highly_variable_genes(adata, n_top_genes=150, batch_key="Age")
    pd.testing.assert_series_equal(made.var["highly_variable"], adata.var["highly_variable"])
    adata.X = expected_logarithm(counts, totals, depth).astype(np.float64)
    scanpy.pp.pca(adata, n_comps=12, mask_var="highly_variable", svd_solver="arpack")
    assert made.obsm["X_pca"].dtype == np.float32
    distances = [np.abs(x @ x[:40].T) for x in (made.obsm["X_pca"], adata.obsm["X_pca"])]
    np.testing.assert_allclose(*distances, rtol=1e-4, atol=1e-3)
    assert np.abs(made.obsm["X_pca_harmony"] - made.obsm["X_pca"]).max() > 0.1
    assert not made.varm["PCs"][~made.var["highly_variable"]].any()


def test_the_stages_read_it(raw_run, made):
    store = anndata.read_h5ad(raw_run / DATA / "store.h5ad")
    np.testing.assert_array_equal(store.X.toarray(), made.layers["logged_counts"].toarray())
    assert set(store.obsm) == {"X_pca_harmony"}
    blocks = read_arrays(raw_run / DATA / "block_coordinates.h5")[0]["coordinates"]
    np.testing.assert_array_equal(blocks, made.obsm["X_pca"])
    embedding = read_arrays(raw_run / DATA / "embedding.h5", "embedding")[0]["embedding"]
    np.testing.assert_array_equal(embedding, made.obsm["X_pca_harmony"])
    linear, attributes = read_arrays(raw_run / DATA / "linear.h5")
    assert attributes["origin"] == "dataset.preprocess"
    counts = anndata.read_h5ad(raw_run / DATA / "simulated.h5ad")[made.obs_names, made.var_names].X
    np.testing.assert_allclose(linear["depth"], np.asarray(counts.sum(axis=1)).ravel(), rtol=1e-5)
    genes = pd.read_csv(raw_run / "results/raw/young_vs_old/tables/genes.tsv", sep="\t")
    assert set(genes["gene"]) == set(made.var_names)


def test_what_was_left_out_is_told(raw_run, made):
    record = json.loads((raw_run / DATA / "preprocessed.json").read_text())
    source = anndata.read_h5ad(raw_run / DATA / "simulated.h5ad")
    genes_per_cell = (source.X > 0).sum(axis=1)
    assert record["cells"] == {
        "found": 600,
        "too_few_counts": 0,
        "too_few_genes": int((genes_per_cell < 50).sum()),
        "kept": made.n_obs,
    }
    assert record["genes"] == {"found": 250, "kept": made.n_vars, "highly_variable": 150}
    assert record["counts_per_cell"]["min"] == source[made.obs_names].X.sum(axis=1).min()
    assert record["components"]["n"] == 12
    assert record["batches"] == {"ranked_in": 3, "mixed": {"sample": 9}}
    assert record["replaced"] == ["X_pca"]
    output = (raw_run / "output.txt").read_text()
    assert f"preprocess  {made.n_obs} of 600 cells and {made.n_vars} of 250 genes kept" in output
    log = (raw_run / "results/raw/logs/preprocess.log").read_text()
    assert json.loads(log[: log.rindex("}") + 1]) == record
    contrast = raw_run / "results/raw/young_vs_old"
    summary = json.loads((contrast / "summary.json").read_text())
    assert summary["preprocessed"] == record
    # Of the file as it came.
    assert summary["provenance"]["inputs"] == [
        {"key": "dataset.source"} | described(raw_run / DATA / "simulated.h5ad")
    ]
    methods = " ".join((contrast / "methods.html").read_text().split())
    assert "Cells with fewer than 50 genes were removed. Genes detected in fewer than 40" in methods
    assert "the levels of sample were integrated with Harmony" in methods
    # The truth is that of the cells and genes that are left.
    truth = json.loads((contrast / "truth.json").read_text())
    assert truth["genes_changed"] == (made.var["true_change"] != "none").sum()


def test_samples_that_lie_apart_are_mixed_for_the_blocks(raw_run):
    output = (raw_run / "output.txt").read_text()
    assert not re.search(r"^Warning \(blocks\): .*own sample.*$", output, re.M)
    _, blocks = read_arrays(raw_run / "results/raw/young_vs_old/stages/blocks.h5", "conditions")
    assert blocks["separation"] < 1.5
    assert blocks["information"] > 0.3


def test_its_own_result_gives_the_same_again(raw_run, tmp_path, snakemake_run, config):
    """All components that enter the distances are in the AnnData, not only the eight asked for."""
    before = raw_run / "results/raw/young_vs_old"
    settings = yaml.safe_load(config.read_text())
    again = {
        "dataset": {
            "name": "again",
            "source": {"path": str(before / "adata.h5ad")},
            "layer": None,
            "cell_type": "cell_type",
            "cell_states": {"key": "DM_EigenVectors"},
            "embedding": {"key": "X_pca_harmony"},
        },
        "contrasts": settings["contrasts"],
        "fdr": settings["fdr"] | {"blocks_from": "X_pca"},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(again))
    after = "results/again/young_vs_old/tables"
    snakemake_run(
        tmp_path, f"{after}/genes.tsv", f"{after}/cells.tsv", configfile=tmp_path / "config.yaml"
    )
    for table, columns in (("genes", ["mean_lfc", "mahalanobis"]), ("cells", ["lfc", "pvalue"])):
        was, now = (
            pd.read_table(folder / f"{table}.tsv", index_col=0)
            for folder in (before / "tables", tmp_path / after)
        )
        np.testing.assert_allclose(now.loc[was.index, columns], was[columns], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "again"),
    [
        ({"contrasts": {"pair": {"column": "sample", "reference": "Young_1", "compared": "Old_1"}}},
         False),
        ({"dataset": {"preprocess": {"n_components": 11}}}, True),
    ],
)  # fmt: skip
def test_what_runs_it_again(raw_run, snakemake_run, config, tmp_path, changes, again):
    (tmp_path / "change.yaml").write_text(yaml.safe_dump(changes))
    files = [config, tmp_path / "change.yaml"]
    done = snakemake_run(raw_run, "-n", "results", configfile=files)
    rules = set(re.findall(r"^(\w+) +\d+$", done.stdout, re.M))
    assert "contrast_table" in rules
    assert {"preprocess", "store", "cell_states"} & rules == (
        {"preprocess", "store", "cell_states"} if again else set()
    )
    assert "simulate" not in rules


@pytest.fixture
def attempt(tmp_path, snakemake_run):
    """Preprocess a file of 60 cells after a change of the configuration and of the data."""

    def run(preprocess, edit=None, target="preprocess"):
        adata = tiny()
        adata.layers["counts"] = adata.X.copy()
        adata.obs["batch"] = ["1", "2", "3"] * 20
        adata.obsm["frame"] = pd.DataFrame(adata.obsm["DM"], index=adata.obs_names).add_prefix("c")
        adata.uns["group_colors"] = ["#ff0000", "#00ff00", "#0000ff"]
        adata.uns["log1p"] = {"base": 2.0}
        if edit is not None:
            edit(adata)
        adata.write_h5ad(tmp_path / "data.h5ad")
        dataset = {key: value for key, value in CONFIG["dataset"].items() if key != "layer"}
        if preprocess is not None:
            dataset["preprocess"] = {"n_components": 5} | preprocess
        config = CONFIG | {"dataset": dataset}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        return snakemake_run(tmp_path, target, configfile=tmp_path / "config.yaml", check=False)

    return run


def test_everything_else_comes_along(attempt, tmp_path):
    def edit(adata):
        adata.layers["counts"] = adata.layers["counts"].astype(np.int64).tocsc()
        adata.X = None

    done = attempt({"counts": "counts", "min_counts": 20, "batch": "batch"}, edit, "store")
    assert done.returncode == 0, done.stdout
    made = anndata.read_h5ad(tmp_path / "results/tiny/data/preprocessed.h5ad")
    kept = tiny()[np.asarray(tiny().X.sum(axis=1)).ravel() >= 20]
    assert 10 < made.n_obs < 60
    assert list(made.obs_names) == list(kept.obs_names)
    assert set(made.obsm) == {"DM", "X_umap", "X_pca", "frame"}
    np.testing.assert_array_equal(made.obsm["DM"], kept.obsm["DM"])
    np.testing.assert_array_equal(made.obsm["frame"].to_numpy(), kept.obsm["DM"])
    assert set(made.uns) == {"group_colors", "pca"}
    assert made.X is None
    store = anndata.read_h5ad(tmp_path / "results/tiny/data/store.h5ad")
    np.testing.assert_array_equal(store.obsm["DM"], kept.obsm["DM"])


@pytest.mark.parametrize(
    ("preprocess", "message"),
    [
        ({"counts": "logged"}, "dataset.preprocess.counts: found 0.693147 in cell row 0, gene"),
        ({"harmony": {"batch": "lane"}},
         "dataset.preprocess.harmony.batch: no obs column 'lane'; there are: group, cell_type"),
        ({"min_counts": 30, "n_components": 2},
         "dataset.preprocess.n_components: found 2, expected fewer than the "),
    ],
)  # fmt: skip
def test_faults_stop_it(attempt, tmp_path, preprocess, message):
    done = attempt(preprocess)
    assert done.returncode != 0
    assert f"Error (preprocess): {message}" in done.stdout
    assert "Traceback" not in done.stdout
    assert not list(tmp_path.rglob("*preprocessed*"))


def test_without_it_the_missing_layer_points_to_it(attempt):
    done = attempt(None, target="store")
    assert "dataset.layer: no layer 'logged_counts'; there are: counts, logged" in done.stdout
    assert "dataset.preprocess makes it from raw counts" in done.stdout


def test_a_download_is_preprocessed_too(tmp_path, snakemake_run, config):
    dataset = yaml.safe_load(config.read_text())
    dataset["dataset"]["source"] = {"zenodo": {"record": 1, "file": "counts.h5ad"}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(dataset))
    output = snakemake_run(tmp_path, "-n", "store", configfile=tmp_path / "config.yaml").stdout
    jobs = re.findall(
        r"^(?:local)?rule (\w+):\n +input: (.*)$|^(?:local)?rule download", output, re.M
    )
    assert ("preprocess", f"{DATA}/downloaded.h5ad") in jobs
    assert ("store", f"{DATA}/preprocessed.h5ad") in jobs


def test_real_counts_become_the_layer_that_came_with_them(
    kang_directory, snakemake_run, kang_config
):
    change = kang_directory / "change.yaml"
    preprocess = {"batch": "replicate", "harmony": {"batch": ["replicate", "condition"]}}
    change.write_text(yaml.safe_dump({"dataset": {"preprocess": preprocess}}))
    snakemake_run(kang_directory, "preprocess", configfile=[kang_config, change])
    made = anndata.read_h5ad(kang_directory / "results/kang/data/preprocessed.h5ad")
    wanted = anndata.read_h5ad(kang_directory / "shared/data/kang_pbmc.h5ad")
    difference = made.layers["logged_counts"] - wanted.layers["logged_counts"]
    assert np.abs(difference.data).max() < 1e-5
    # What is mixed is less of a difference between the conditions.
    stimulated = (made.obs["condition"] == "stim").to_numpy()
    gaps = [
        np.linalg.norm(x[stimulated].mean(axis=0) - x[~stimulated].mean(axis=0)) / x.std()
        for x in (made.obsm["X_pca"], made.obsm["X_pca_harmony"])
    ]
    assert gaps[1] < 0.5 * gaps[0]
