"""One clear message for each fault: what was found, what was expected, which key to change."""

import re

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse

CONFIG = {
    "dataset": {
        "name": "tiny",
        "source": {"path": "data.h5ad"},
        "layer": "logged",
        "cell_type": "cell_type",
        "cell_states": {"key": "DM"},
        "embedding": {"key": "X_umap"},
    },
    "contrasts": {"a_vs_b": {"column": "group", "reference": "a", "compared": "b"}},
}


def tiny():
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {"group": ["a"] * 30 + ["b"] * 22 + ["c"] * 8, "cell_type": ["x", "y"] * 30},
        index=[f"cell{i}" for i in range(60)],
    )
    counts = sparse.csr_matrix(rng.poisson(1.0, (60, 20)).astype(np.float32))
    return anndata.AnnData(
        counts,
        obs=obs,
        var=pd.DataFrame(index=[f"gene{i}" for i in range(20)]),
        layers={"logged": np.log1p(counts)},
        obsm={"DM": rng.normal(size=(60, 3)), "X_umap": rng.normal(size=(60, 2))},
    )


@pytest.fixture
def attempt(tmp_path, snakemake_run):
    """Run on the tiny data after a change of the configuration and of the data."""

    def run(target, changes=None, edit=None, write=True):
        config = yaml.safe_load(yaml.safe_dump(CONFIG))
        for key, value in (changes or {}).items():
            section = config
            *path, last = key.split(".")
            for part in path:
                section = section.setdefault(part, {})
            section[last] = value
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        adata = tiny()
        if edit is not None:
            adata = edit(adata) or adata
        if write:
            adata.write_h5ad(tmp_path / "data.h5ad")
        return snakemake_run(
            tmp_path, target, configfile=tmp_path / "config.yaml", check=False
        )  # fmt: skip

    return run


def started(done):
    """Rules that began to run."""
    return set(re.findall(r"^(?:local)?rule (\w+):$", done.stdout, re.M))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fdr.treshold": 0.1}, "fdr: unknown key 'treshold'; did you mean threshold?"),
        ({"fdr.threshold": "low"}, "fdr.threshold: found 'low', expected number"),
        ({"dataset.source.path": "gone.h5ad"}, "dataset.source.path: gone.h5ad is no file"),
        ({"contrasts.a_vs_b.compared": "a"}, "reference and compared are both 'a'"),
        ({"contrasts.a/b": CONFIG["contrasts"]["a_vs_b"]}, "'a/b' is no safe folder name"),
    ],
)
def test_what_the_configuration_shows_stops_before_the_first_job(attempt, changes, message):
    done = attempt("results", changes)
    assert done.returncode != 0
    assert message in done.stdout
    assert started(done) == set()
    assert "Traceback" not in done.stdout


def set_layer(row, column, value):
    def edit(adata):
        layer = adata.layers["logged"].tolil()
        layer[row, column] = value
        adata.layers["logged"] = layer.tocsr()

    return edit


def set_states(value):
    def edit(adata):
        adata.obsm["DM"][7, 1] = value

    return edit


def repeat_name(axis):
    def edit(adata):
        names = list(getattr(adata, f"{axis}_names"))
        names[4] = names[2]
        setattr(adata, f"{axis}_names", names)

    return edit


@pytest.mark.parametrize(
    ("changes", "edit", "message"),
    [
        ({"dataset.cell_type": "type"}, None,
         "dataset.cell_type: no obs column 'type'; there are: group, cell_type"),
        ({"dataset.layer": "log"}, None,
         "dataset.layer: no layer 'log'; there are: logged (null: X)"),
        ({"dataset.cell_states": {"key": "X_pca"}}, None,
         "dataset.cell_states.key: no obsm key 'X_pca'; there are: DM, X_umap"),
        ({"dataset.cell_states": {"compute": {"from": "PCA"}}}, None,
         "dataset.cell_states.compute.from: no obsm key 'PCA'"),
        ({"dataset.embedding": {"key": "tsne"}}, None,
         "dataset.embedding.key: no obsm key 'tsne'"),
        ({}, set_layer(9, 3, np.nan),
         "(logged) is NaN or infinite in cell row 9, gene 'gene3'"),
        ({}, set_layer(59, 19, np.inf), "cell row 59, gene 'gene19'"),
        ({}, set_states(np.nan),
         "cell_states.key: obsm 'DM' holds NaN or infinite values in 1 cells (first: row 7)"),
        ({}, repeat_name("obs"), "1 cell names occur more than once, such as cell2"),
        ({}, repeat_name("var"), "1 gene names occur more than once, such as gene2"),
    ],
)  # fmt: skip
def test_what_the_data_show_stops_in_the_data_stage(attempt, changes, edit, message):
    done = attempt("results", changes, edit)
    assert done.returncode != 0
    assert "Error (store): dataset." in done.stdout
    assert done.stdout.count(message) == 1
    assert started(done) == {"store"}
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"contrasts.a_vs_b.column": "batch"},
         "contrasts.a_vs_b.column: no obs column 'batch'; there are: group, cell_type"),
        ({"contrasts.a_vs_b.compared": "z"},
         "contrasts.a_vs_b.compared: 'z' does not occur in obs column 'group'; its levels are: "
         "a, b, c"),
        ({"contrasts.a_vs_b.compared": "c"},
         "contrasts.a_vs_b.compared: 'c' has 8 cells, expected at least 10"),
    ],
)  # fmt: skip
def test_conditions_are_checked_before_anything_is_fitted(attempt, changes, message):
    done = attempt("results", changes)
    assert done.returncode != 0
    assert message in done.stdout
    assert "contrast_cells" in started(done)
    assert not {"abundance_density", "expression_fit"} & started(done)


def test_a_file_that_is_no_h5ad(attempt, tmp_path):
    (tmp_path / "data.h5ad").write_text("not HDF5")
    done = attempt("results", write=False)
    assert done.returncode != 0
    assert "data.h5ad: not an h5ad file" in done.stdout
    assert started(done) == {"store"}


def test_raw_counts_are_warned_of_and_log_expression_is_not(attempt):
    done = attempt("store", {"dataset.layer": None})
    assert done.returncode == 0
    assert "Warning (store): the expression (X) holds whole numbers only" in done.stdout
    assert "Warning" not in attempt("store").stdout


def test_duplicate_states_run_through_with_a_warning(attempt):
    def repeat_states(adata):
        adata.obsm["DM"][1] = adata.obsm["DM"][0]

    done = attempt("expression", edit=repeat_states)
    assert done.returncode == 0, done.stdout
    assert "Warning (expression_fit): 2 of 30 cells share their state" in done.stdout


@pytest.mark.parametrize("form", ["csc", "dense"])
def test_any_form_of_matrix_gives_the_same_store(attempt, tmp_path, form):
    def convert(adata):
        layer = adata.layers["logged"]
        adata.layers["logged"] = layer.tocsc() if form == "csc" else layer.toarray()

    assert attempt("store", edit=convert).returncode == 0
    store = anndata.read_h5ad(tmp_path / "results/tiny/data/store.h5ad")
    np.testing.assert_array_equal(store.X.toarray(), tiny().layers["logged"].toarray())


def test_hostile_names_are_data(attempt, tmp_path):
    """Gene, cell-type and condition names with markup, shell and path characters, and tabs."""
    names = ["../../x", "a;rm -rf ~", "<script>", "%0d", "g" * 1000, "naïve γ", "tab\there", "$x$"]

    def rename(adata):
        adata.var_names = names + list(adata.var_names[len(names) :])
        adata.obs["group"] = adata.obs["group"].map({"a": "../a b", "b": "b;$(x)", "c": "c"})
        adata.obs["cell_type"] = ["<b>x", "y/../z"] * 30

    contrast = {"column": "group", "reference": "../a b", "compared": "b;$(x)"}
    done = attempt(
        "all",
        {"contrasts.a_vs_b": contrast, "figures.labelled_genes": 20, "fdr.null_genes": 100},
        rename,
    )
    assert done.returncode == 0, done.stdout
    folder = tmp_path / "results/tiny/a_vs_b"
    genes = pd.read_csv(folder / "tables/genes.tsv", sep="\t")
    assert set(names) <= set(genes["gene"])
    adata = anndata.read_h5ad(folder / "adata.h5ad")
    assert "kompot_de_.._a_b_to_b___x__mahalanobis" in adata.var
    assert list(adata.var_names[: len(names)]) == names
