"""One clear message for each fault: what was found, what was expected, which key to change."""

import json
import re

import anndata
import h5py
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse
from statediff.fields import safe
from statediff.preprocess import log_normalise
from statediff.store import read_arrays, read_columns
from support import CONFIG, tiny


@pytest.fixture
def attempt(tmp_path, snakemake_run):
    """Run on the tiny data after a change of the configuration and of the data."""

    def run(targets, changes=None, edit=None, write=True, cores=2, keep_going=False):
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
        arguments = [targets] if isinstance(targets, str) else [*targets]
        arguments += ["--cores", cores, *["--keep-going"] * keep_going]
        return snakemake_run(tmp_path, *arguments, configfile=tmp_path / "config.yaml", check=False)

    run.folder = tmp_path
    return run


def started(done):
    """Rules that began to run."""
    return set(re.findall(r"^ *(?:local)?rule (\w+):$", done.stdout, re.M))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fdr.treshold": 0.1}, "fdr: unknown key 'treshold'; did you mean threshold?"),
        ({"fdr.threshold": "low"}, "fdr.threshold: found 'low', expected number"),
        ({"dataset.source.path": "gone.h5ad"}, "dataset.source.path: found no file gone.h5ad"),
        ({"contrasts.a_vs_b.compared": "a"}, "reference and compared are both 'a'"),
        ({"contrasts.a/b": CONFIG["contrasts"]["a_vs_b"]}, "'a/b' is no safe folder name"),
        (
            {"figures.make": ["gene_regions"]},
            "figures.make: gene_regions: expected fdr.test: residual",
        ),
        ({"figures.obs": ["x y", "x_y"]}, "figures.obs: found ['x y'], whose figures would have"),
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
        layer = adata.layers["logged"].astype(float).tolil()
        layer[row, column] = value
        adata.layers["logged"] = layer.tocsr()

    return edit


def set_obsm(make):
    def edit(adata):
        adata.obsm["DM"] = pd.DataFrame(make(adata.obsm["DM"]), index=adata.obs_names).add_prefix(
            "c"
        )

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
        ({"dataset.layer": "log"}, None,
         "dataset.layer: no layer 'log'; there are: logged (null: X)"),
        ({"dataset.cell_states": {"key": "X_pca"}}, None,
         "dataset.cell_states.key: no obsm key 'X_pca'; there are: DM, X_umap"),
        ({"dataset.cell_states": {"compute": {"from": "PCA"}}}, None,
         "dataset.cell_states.compute.from: no obsm key 'PCA'"),
        ({}, set_layer(9, 3, np.nan),
         "(logged) is NaN or infinite in cell row 9, gene 'gene3'"),
        ({}, set_layer(59, 19, np.inf), "cell row 59, gene 'gene19'"),
        ({}, set_obsm(lambda x: [["a"] * 3] * 60), "obsm 'DM' is not a numeric matrix"),
        ({}, set_layer(0, 0, 1e300), "cell row 0, gene 'gene0'"),
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
    assert started(done) <= {"store", "embedding"}
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"contrasts.a_vs_b.column": "batch"},
         "contrasts.a_vs_b.column: no obs column 'batch'; there are: group, cell_type"),
        ({"contrasts.a_vs_b.groups": "batch"},
         "contrasts.a_vs_b.groups: no obs column 'batch'; there are: group, cell_type"),
        ({"dataset.cell_type": "type"},
         "dataset.cell_type: no obs column 'type'; there are: group, cell_type"),
        ({"dataset.embedding": {"key": "tsne"}},
         "dataset.embedding.key: no obsm key 'tsne'; there are: DM, X_umap"),
        ({"dataset.embedding": {"key": "X_new", "compute": {"from": "PCA"}}},
         "dataset.embedding.compute.from: no obsm key 'PCA'; there are: DM, X_umap"),
    ],
)  # fmt: skip
def test_annotations_are_checked_before_anything_is_fitted(attempt, changes, message):
    # More cores may fit while the last checks run.
    done = attempt("results", changes, cores=1)
    assert done.returncode != 0
    assert message in done.stdout
    assert not {"condition_density", "expression_fit"} & started(done)


def test_a_dry_run_says_all_that_is_wrong_with_the_data(attempt):
    contrast = CONFIG["contrasts"]["a_vs_b"]
    changes = {
        "dataset.layer": "log",
        "dataset.cell_states": {"key": "DM_new"},
        "dataset.embedding": {"key": "X_new", "compute": {"from": "PCA"}},
        "dataset.cell_type": "type",
        "contrasts.level": contrast | {"compared": "b "},
        "contrasts.samples": contrast | {"sample": "cell_type"},
        "contrasts.groups": contrast | {"groups": "batch"},
    }
    done = attempt(["results", "-n"], changes)
    assert done.returncode != 0
    said = done.stdout.partition("The data have faults:\n")[2].splitlines()
    assert [line.partition(";")[0] for line in said[:7]] == [
        "dataset.layer: no layer 'log'",
        "dataset.cell_states.key: no obsm key 'DM_new'",
        "dataset.embedding.compute.from: no obsm key 'PCA'",
        "dataset.cell_type: no obs column 'type'",
        "contrasts.groups.groups: no obs column 'batch'",
        "contrasts.level.compared: 'b ' does not occur in obs column 'group'",
        "contrasts.samples.sample: 'x' of obs column 'cell_type' occurs in both 'a' and 'b'",
    ]
    assert attempt(["results", "-n"]).returncode == 0


FAULTS = [
    ({"compared": "z"},
     ".compared: 'z' does not occur in obs column 'group'; its levels are: a, b, c"),
    ({"sample": "donor"}, ".sample: no obs column 'donor'; there are: group, cell_type"),
    ({"sample": "cell_type"}, ".sample: 'x' of obs column 'cell_type' occurs in both 'a' and 'b'"),
    ({"sample": "group"},
     ".sample: 'a' has 1 replicates of at least 10 cells in obs column 'group'; 'b' has 1 "
     "replicates"),
    ({"compared": "c"}, ".compared: 'c' has 8 cells, expected at least 10"),
    ({"cells": {"batch": "x"}}, ".cells: no obs column 'batch'; there are: group, cell_type"),
    ({"cells": {"cell_type": ["x", "z"]}},
     ".cells.cell_type: 'z' does not occur in obs column 'cell_type'; its levels are: x, y"),
    ({"cells": {"group": ["a", "c"]}},
     ".compared: 'b' has 0 cells that pass contrasts.{name}.cells, expected at least 10"),
    ({"groups": {"g": {"cell_type": "z"}}},
     ".groups.g.cell_type: 'z' does not occur in obs column 'cell_type'"),
    ({"groups": {"x/": {"cell_type": "x"}, "x_": {"cell_type": "y"}}},
     ".groups: 'x/' and 'x_' would share the column 'x_' of the results"),
    ({"groups": {"..": {"cell_type": "x"}}}, ".groups: '..' cannot name a column of the results"),
    ({"groups": {"rest": {"group": "c"}}},
     ".groups: none of the groups (rest) has enough cells"),
]  # fmt: skip


def test_each_fault_of_a_contrast_has_its_message(attempt):
    contrasts, wanted, targets = {}, [], []
    for i, (changes, message) in enumerate(FAULTS):
        contrasts[f"fault{i}"] = CONFIG["contrasts"]["a_vs_b"] | changes
        wanted.append(f"contrasts.fault{i}{message.format(name=f'fault{i}')}")
        kind = "groups" if "groups" in changes else "cells"
        targets.append(f"results/tiny/fault{i}/stages/{kind}.h5")
    done = attempt(targets, {"contrasts": contrasts}, keep_going=True)
    assert done.returncode != 0
    assert [message for message in wanted if message not in done.stdout] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"figures.colors": {"group": {"d": "#336699"}}},
         "figures.colors.group: 'd' does not occur in obs column 'group'; its levels are: a, b, c"),
        ({"figures.colors": {"batch": {"d": "#336699"}}},
         "figures.colors.batch: no obs column 'batch'; there are: group, cell_type"),
        ({"figures.obs": ["batch"]}, "figures.obs: no obs column 'batch'; there are: group, cell"),
        ({"figures.cells": {"group": "b", "cell_type": "z"}},
         "figures.cells: no cell meets all of these conditions: {'cell_type': 'z', 'group': 'b'}"),
    ],
)  # fmt: skip
def test_choices_of_figures_are_checked_before_anything_is_fitted(attempt, changes, message):
    def third_type(adata):
        adata.obs.loc["cell0", "cell_type"] = "z"

    done = attempt("all", changes, edit=third_type, cores=1)
    assert done.returncode != 0
    assert message in done.stdout
    assert not {"condition_density", "expression_fit"} & started(done)


def test_a_file_that_is_no_h5ad(attempt, tmp_path):
    (tmp_path / "data.h5ad").write_text("not HDF5")
    done = attempt("results", write=False)
    assert done.returncode != 0
    assert "data.h5ad: not an h5ad file" in done.stdout
    assert started(done) <= {"store", "embedding"}


def test_raw_counts_are_warned_of_and_log_expression_is_not(attempt):
    done = attempt("store", {"dataset.layer": None})
    assert done.returncode == 0
    assert "Warning (store): the expression (X) holds whole numbers only" in done.stdout
    assert "Warning" not in attempt("store").stdout


def transform_layer(function):
    def edit(adata):
        counts = adata.X.toarray()
        adata.layers["counts"] = sparse.csr_matrix(counts)
        adata.layers["logged"] = sparse.csr_matrix(function(counts))

    return edit


def z_scores(counts):
    return (counts - counts.mean(axis=0)) / counts.std(axis=0)


@pytest.mark.parametrize(
    ("function", "warning"),
    [
        (z_scores, "has negative values, down to -"),
        (lambda counts: counts / counts.sum(axis=1, keepdims=True) * 1e4, "has values up to "),
        (np.sqrt, None),
    ],
    ids=["scaled", "never logged", "square root"],
)
def test_layers_that_are_no_logarithms_are_warned_of(attempt, tmp_path, function, warning):
    done = attempt("store", edit=transform_layer(function))
    assert done.returncode == 0, done.stdout
    if warning:
        assert f"Warning (store): the expression (logged) {warning}" in done.stdout
        assert "docs/warnings.md#layer" in done.stdout
    _, attributes = read_arrays(tmp_path / "results/tiny/data/linear.h5")
    unknown = "(logged) is not a known function of counts" in done.stdout
    assert unknown == (attributes["transform"] == "unknown") == (warning != "has values up to ")


def test_counts_stand_in_for_an_unknown_layer(attempt, tmp_path):
    done = attempt("store", {"dataset.counts": "counts"}, transform_layer(np.sqrt))
    assert done.returncode == 0, done.stdout
    assert "Warning" not in done.stdout
    with h5py.File(tmp_path / "results/tiny/data/linear.h5") as file:
        assert dict(file.attrs)["origin"] == "dataset.counts"
        counts = tiny().X.toarray()
        np.testing.assert_array_equal(read_columns(file["counts"], range(20)).toarray(), counts)
        np.testing.assert_array_equal(file["depth"], counts.sum(axis=1))
    assert "dataset.counts: found -" in attempt("store", {"dataset.counts": "z"}, set_z).stdout
    assert "dataset.counts: no layer 'raw'" in attempt("store", {"dataset.counts": "raw"}).stdout


def set_z(adata):
    adata.layers["z"] = z_scores(adata.X.toarray())


def test_counts_of_more_genes_in_raw_give_the_totals(attempt, tmp_path):
    def edit(adata):
        adata.X = adata.X[:, ::-1]
        adata.var_names = adata.var_names[::-1]
        adata.raw = adata
        adata = adata[:, 5:].copy()
        adata.layers["logged"] = log_normalise(adata.X)
        return adata

    done = attempt("store", {"dataset.counts": "raw"}, edit)
    assert done.returncode == 0, done.stdout
    linear, attributes = read_arrays(tmp_path / "results/tiny/data/linear.h5")
    # The layer is a function of these counts, which are not kept.
    assert set(linear) == {"factors", "depth"}
    assert attributes["transform"] == "logarithm (2)"
    np.testing.assert_array_equal(linear["depth"], tiny().X.toarray().sum(axis=1))


def test_a_contrast_says_what_its_design_lacks(attempt):
    """Depth that differs, and a column of samples that it does not name."""

    def edit(adata):
        counts = np.random.default_rng(0).poisson(5.0, (60, 20)) * 1.0
        counts[30:] = np.random.default_rng(1).poisson(15.0, (30, 20))
        adata.layers["logged"] = sparse.csr_matrix(log_normalise(sparse.csr_matrix(counts)))
        adata.obs["animal"] = pd.Categorical([f"{group}{i % 2}" for i, group in
                                              enumerate(adata.obs["group"])])  # fmt: skip

    cells = "results/tiny/a_vs_b/stages/cells.h5"
    done = attempt(cells, edit=edit)
    assert done.returncode == 0, done.stdout
    warning = re.search(r"^Warning \(contrast_cells\): cells of .*$", done.stdout, re.M)[0]
    assert re.search(r"cells of 'b' have \d+ counts, those of 'a' \d+ \(medians\)", warning)
    assert "dataset.preprocess" in warning
    assert "contrasts.a_vs_b.sample: null, but obs column 'animal' looks like" in done.stdout
    assert "sample: null" not in attempt(cells).stdout


def test_duplicate_states_run_through_with_a_warning(attempt):
    def repeat_states(adata):
        adata.obsm["DM"][1] = adata.obsm["DM"][0]

    done = attempt("expression", edit=repeat_states)
    assert done.returncode == 0, done.stdout
    assert "Warning (basis): 2 of 30 cells share their state" in done.stdout


@pytest.mark.parametrize("form", ["csc", "dense"])
def test_any_form_of_matrix_gives_the_same_store(attempt, tmp_path, form):
    def convert(adata):
        layer = adata.layers["logged"]
        adata.layers["logged"] = layer.tocsc() if form == "csc" else layer.toarray()

    assert attempt("store", edit=convert).returncode == 0
    store = anndata.read_h5ad(tmp_path / "results/tiny/data/store.h5ad")
    np.testing.assert_array_equal(store.X.toarray(), tiny().layers["logged"].toarray())


def test_replicates_of_one_condition_only(attempt, tmp_path):
    """An error, or on demand the other condition's variance for both."""

    def add_donors(adata):
        adata.obs["donor"] = ["d1"] * 15 + ["d2"] * 15 + ["d3"] * 30

    contrast = {"contrasts.a_vs_b.sample": "donor", "fdr.null_genes": 100}
    done = attempt("fdr", contrast, add_donors)
    assert done.returncode != 0
    assert "'b' has 1 replicates of at least 10 cells" in done.stdout
    assert "or allow_single_condition_variance: true" in done.stdout
    allowed = contrast | {"contrasts.a_vs_b.allow_single_condition_variance": True}
    done = attempt("fdr", allowed, add_donors)
    assert done.returncode == 0, done.stdout
    assert "the variance between replicates of the other condition is used for both" in done.stdout
    stages = tmp_path / "results/tiny/a_vs_b/stages"
    between = read_arrays(stages / "fit.h5", "between")[0]["between"]
    assert between.shape[:2] == (2, 20)


def test_no_replicate_of_one_condition_counts(attempt, tmp_path):
    """Its cells are one sample, which says nothing of the variance between samples."""

    def add_donors(adata):
        adata.obs["donor"] = ["d1"] * 15 + ["d2"] * 15 + [None] * 30

    changes = {
        "conventions": "standard", "fdr.block_cells": 20, "fdr.blocks_from": "DM",
        "contrasts.a_vs_b": CONFIG["contrasts"]["a_vs_b"]
        | {"sample": "donor", "allow_single_condition_variance": True},
    }  # fmt: skip
    done = attempt("results", changes, add_donors)
    assert done.returncode == 0, done.stdout
    folder = tmp_path / "results/tiny/a_vs_b"
    blocks, _ = read_arrays(folder / "stages/blocks.h5", "conditions", "weight")
    assert list(blocks["conditions"]) == [0, 0, 1]
    assert np.count_nonzero(blocks["weight"][0, 30:52]) > 10
    pvalues = pd.read_parquet(folder / "tables/genes.parquet")["pvalue"]
    assert 1e-4 < pvalues.min() < pvalues.max() < 1.0


def test_cells_without_a_type_and_sparse_states(attempt, tmp_path):
    def edit(adata):
        adata.obs["cell_type"] = pd.Categorical(["x"] * 50 + [None] * 10, categories=["x", "z"])
        adata.obs["cell_type"] = adata.obs["cell_type"].cat.reorder_categories(["z", "x"])
        adata.uns["cell_type_colors"] = ["#ff0000", "#0000ff"]
        adata.obsm["DM"] = sparse.csr_matrix(adata.obsm["DM"])
        adata.obs["cluster"] = [1, 2] * 30

    of_types = ["cell_type", "composition", "abundance_volcanos", "direction_bars",
                "fold_changes", "expression_levels", "fold_change_dots"]  # fmt: skip
    changes = {
        "fdr.null_genes": 100, "figures.make": of_types, "figures.obs": ["cluster"],
        "figures.colors": {"cluster": {"1": "#00ff00"}},
    }  # fmt: skip
    done = attempt("all", changes, edit)
    assert done.returncode == 0, done.stdout
    # The colours go with the names: the one of z, which has no cell, is not taken for x.
    figure = plt.imread(tmp_path / "results/tiny/figures/cell_type.png")[..., :3]
    assert (figure == [0, 0, 1]).all(axis=2).any()
    assert not (figure == [1, 0, 0]).all(axis=2).any()
    # Numbers with a colour of their own are levels.
    figure = plt.imread(tmp_path / "results/tiny/figures/obs_cluster.png")[..., :3]
    assert (figure == [0, 1, 0]).all(axis=2).any()
    table = pd.read_parquet(tmp_path / "results/tiny/a_vs_b/tables/cell_types.parquet")
    assert dict(zip(table["cell_type"], table["cells"], strict=True)) == {
        "x": 50,
        "not annotated": 10,
    }


def check_report(path):
    """No name is markup of the report, nor of the captions in it."""
    html = path.read_text()
    results = json.loads(re.search(r"^ *var results = (\{.*\});$", html, re.M).group(1))
    captions = {result: entry["caption"] for result, entry in results.items()}
    for text in (html, *captions.values()):
        assert "System Message" not in text
        assert "<script>hacked" not in text
    assert "&lt;script&gt;hacked" in captions["results/tiny/a_vs_b/figures/condition.png"]
    assert "&lt;script&gt;hacked" in html


def published_covariance(fit):
    """Summed posterior covariances of the weights where σ is 1."""
    return sum(
        (fit[f"modes_{role}"] / (1.0 + fit[f"spectrum_{role}"])) @ fit[f"modes_{role}"].T
        for role in ("reference", "compared")
    )


def test_hostile_names_are_data(attempt, tmp_path):
    """Gene, cell-type and condition names with markup, shell and path characters, and tabs; the
    whole workflow, with replicates and layers, and its report."""
    names = ["../../x", "a;rm -rf ~", "<script>", "%0d", "g" * 1000, "naïve γ", "tab\there", "$x$"]

    reference = "../a``\n\n.. raw:: html\n\n   <script>hacked = 1</script>\n\n``b"

    def rename(adata):
        adata.var_names = names + list(adata.var_names[len(names) :])
        adata.obs["group"] = adata.obs["group"].map({"a": reference, "b": "b;$(x)", "c": "c"})
        adata.obs["cell_type"] = ["<b>x", "y/../z"] * 30
        adata.obs["donor"] = [f"d/{i // 10}" for i in range(60)]

    contrast = {"column": "group", "reference": reference, "compared": "b;$(x)", "sample": "donor"}
    contrast["groups"] = "cell_type"
    changes = {
        "contrasts.a_vs_b": contrast,
        "figures.labelled_genes": 20,
        "fdr.null_genes": 100,
        "expression.layers": ["smoothed", "fold_change", "fold_change_zscores"],
    }
    for target in ("all", "report"):
        done = attempt(target, changes, rename, write=target == "all")
        assert done.returncode == 0, done.stdout
    check_report(tmp_path / "results/tiny/report.html")
    folder = tmp_path / "results/tiny/a_vs_b"
    genes = pd.read_csv(folder / "tables/genes.tsv", sep="\t")
    assert set(names) <= set(genes["gene"])
    adata = anndata.read_h5ad(folder / "adata.h5ad")
    stem = f"kompot_de_{safe(reference)}_to_b___x_"
    assert f"{stem}_mahalanobis_sample_var" in adata.var
    fit, _ = read_arrays(folder / "stages/fit.h5")
    change = fit["phi"] @ (fit["coefficients_compared"] - fit["coefficients_reference"]).T
    variance = fit["std_reference"] ** 2 + fit["std_compared"] ** 2 - 1e-8
    deviations = np.einsum("nr,sgr->sng", fit["phi"], fit["between"])
    zscores = change / np.sqrt(variance[:, None] + (deviations**2).sum(axis=0))
    found = adata.layers[f"{stem}_fold_change_zscores_sample_var"]
    np.testing.assert_allclose(found, zscores, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(adata.layers[f"{stem}_fold_change"], change, atol=1e-5)
    assert list(adata.var_names[: len(names)]) == names
    groups = adata.varm[f"{stem}_mahalanobis_groups_sample_var"]
    assert list(groups) == ["<b>x", "y_.._z"]
    difference = (fit["coefficients_compared"] - fit["coefficients_reference"]).T
    spread = published_covariance(fit)
    for column, phi in zip(groups, (fit["phi"][::2], fit["phi"][1::2]), strict=True):
        for gene in range(20):
            deviations = phi @ fit["between"][:, gene].T
            covariance = phi @ spread @ phi.T + 1e-8 * np.eye(30) + deviations @ deviations.T
            d = phi @ difference[:, gene]
            wanted = np.sqrt(d @ np.linalg.solve(covariance, d))
            assert groups[column].iloc[gene] == pytest.approx(wanted, rel=1e-3)


def test_more_chunks_than_genes(attempt, tmp_path):
    changes = {"expression": {"gene_chunks": 21, "layers": ["smoothed", "fold_change_zscores"]}}
    empty = "results/tiny/a_vs_b/stages/genes.1-of-21.h5"
    done = attempt(empty, changes)
    assert done.returncode == 0, done.stdout
    with h5py.File(tmp_path / empty) as file:
        assert file["smoothed_reference"].shape == (60, 0)


def test_braces_and_escapes_in_names_are_only_names(attempt):
    red = "b\x1b[31m"

    def edit(adata):
        adata.layers["lo{g}"] = adata.layers.pop("logged")
        adata.obs["gr{oup}"] = adata.obs.pop("group").replace({"a": "=a{x}", "b": red}).astype(str)
        adata.obsm["D{M}"] = adata.obsm.pop("DM")
        adata.var_names = ["=1+1", "-1.5", *adata.var_names[2:]]

    changes = {
        "dataset.layer": "lo{g}",
        "dataset.cell_states.key": "D{M}",
        "contrasts.a_vs_b": {"column": "gr{oup}", "reference": "=a{x}", "compared": red},
    }
    done = attempt("results", changes, edit)
    assert done.returncode == 0, done.stdout
    assert "\x1b[31m" not in done.stdout
    tables = attempt.folder / "results/tiny/a_vs_b/tables"
    genes = (tables / "genes.tsv").read_text()
    assert "\n'=1+1\t" in genes
    assert "\n-1.5\t" in genes
    assert {"=1+1", "-1.5"} < set(pd.read_parquet(tables / "genes.parquet")["gene"])
    missing = attempt("results", changes | {"dataset.layer": "\x1b]0;title\x07"}, edit)
    assert "\x1b" not in missing.stdout.replace("\x1b[0m", "")
    assert r"no layer '\x1b]0;title\x07'" in missing.stdout


def test_a_quiet_run_still_shows_faults_of_the_configuration(tmp_path, snakemake_run):
    config = yaml.safe_load(yaml.safe_dump(CONFIG)) | {"fdr": {"treshold": 0.1}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    tiny().write_h5ad(tmp_path / "data.h5ad")
    arguments = ["results", "--cores", 1, "--quiet", "all"]
    file = tmp_path / "config.yaml"
    done = snakemake_run(tmp_path, *arguments, configfile=file, check=False)
    assert done.returncode != 0
    assert done.stdout.count("fdr: unknown key 'treshold'; did you mean threshold?") == 1


def test_a_file_that_is_no_configuration_has_its_line(tmp_path, snakemake_run):
    (tmp_path / "my.yaml").write_text("dataset:\n  name: d\n   layer: x\n")
    arguments = ["--cores", 1, "--quiet", "all", "--configfile", "my.yaml", "results"]
    done = snakemake_run(tmp_path, *arguments, check=False)
    assert done.returncode == 1
    first, *faults = done.stdout.splitlines()
    assert first.startswith("Using workflow specific profile")
    assert [fault.partition(";")[0] for fault in faults] == [
        "Error: my.yaml, line 3: not valid YAML (mapping values are not allowed here)",
        f"Error: --configfile: results is no file (seen from {tmp_path})",
    ]


@pytest.mark.parametrize(("count", "fails"), [(70, False), (501, True)])
def test_columns_that_hold_no_cell_types(attempt, count, fails):
    def edit(adata):
        many = anndata.concat([adata] * 9, index_unique="-")
        many.obs["cell_type"] = [f"type {i % count}" for i in range(len(many.obs))]
        return many

    done = attempt("results/tiny/figures/cell_type.png", edit=edit)
    assert (done.returncode != 0) == fails
    message = f"dataset.cell_type: obs column 'cell_type' has {count} levels"
    assert message + (", expected at most 500: cell" if fails else ": tables by") in done.stdout
