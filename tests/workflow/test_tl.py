"""The functions for notebooks give what the workflow gives."""

import anndata
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import statediff as sd
from scipy import sparse
from statediff.curves import curves_of_genes
from statediff.expression import relative_eps
from statediff.expression_fit import fit_conditions
from statediff.pl._results import ROLES, Expression
from statediff.smoothness import SignalToNoise
from statediff.store import read_arrays
from support import ROOT

CONFIGS = ROOT / "tests/config"
RUN = "results/standard/young_vs_old"
# Figures that are compared with the workflow's, and their arguments.
ALIKE = {
    "fit": {},
    "gene_panels": {"basis": "X_pca"},
    "expression_along": {},
    "sample_expression": {"cell_type": "cell_type"},
}
DESIGN = {"sample": "sample", "layer": "logged_counts", "cell_type": "cell_type"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, snakemake_run):
    directory = tmp_path_factory.mktemp("standard")
    files = [CONFIGS / name for name in ("small.yaml", "standard.yaml")]
    tables = [f"{RUN}/tables/{name}.tsv" for name in ("genes", "cells", "gene_regions")]
    figures = [f"{RUN}/figures/{name}.png" for name in ALIKE]
    snakemake_run(directory, f"{RUN}/adata.h5ad", *tables, *figures, configfile=files)
    return directory


@pytest.fixture(scope="module")
def data(finished):
    adata = anndata.read_h5ad(finished / "results/standard/data/simulated.h5ad")
    sd.tl.diffusion_maps(adata, column="Age", sample="sample")
    return adata


@pytest.fixture(scope="module")
def results(data):
    """The AnnData with both analyses, and their tables."""
    adata = data.copy()
    cells = sd.tl.abundance(adata, "Age", "Young", "Old", **DESIGN)
    genes = sd.tl.expression(
        adata, "Age", "Young", "Old", block_cells=40, groups="lineage", **DESIGN
    )
    return adata, cells, genes


def assert_same(found, expected, rtol):
    """The same columns of text and whole numbers; others but for rounding."""
    for column in expected.columns:
        if expected[column].dtype.kind == "f":
            scale = np.nanmax(np.abs(expected[column]))
            np.testing.assert_allclose(
                found[column], expected[column], rtol=rtol, atol=rtol * scale, err_msg=column
            )
        else:
            assert list(found[column].astype(str)) == list(expected[column].astype(str)), column


def test_genes_are_those_of_the_workflow(finished, results):
    expected = pd.read_parquet(finished / RUN / "tables/genes.parquet")
    found = results[2].reset_index(drop=True)
    assert list(found.columns) == list(expected.columns)
    assert_same(found, expected, 1e-7)


def test_cells_are_those_of_the_workflow(finished, results):
    expected = pd.read_parquet(finished / RUN / "tables/cells.parquet")
    shared = [column for column in expected.columns if not column.startswith("std_")]
    found = results[1]
    assert list(found.columns) == shared
    assert_same(found, expected[shared], 1e-6)


def test_fields_are_those_of_the_workflow(finished, results):
    expected, adata = anndata.read_h5ad(finished / RUN / "adata.h5ad"), results[0]
    for slot in ("obs", "var", "obsm", "varm", "uns"):
        written = {name for name in getattr(expected, slot) if name.startswith("kompot_")}
        missing = written - set(getattr(adata, slot))
        assert not missing, slot
    regions = pd.read_parquet(finished / RUN / "tables/gene_regions.parquet")
    found = adata.uns["kompot_de_Young_to_Old_gene_regions"]
    assert_same(found, regions, 1e-9)


def test_groups(results):
    found = results[0].varm["kompot_de_Young_to_Old_qvalue_groups_sample_var"]
    assert sorted(found.columns) == sorted(results[0].obs["lineage"].unique())
    assert (found.to_numpy() >= 0).all()


def test_results_can_be_saved_and_opened(results, tmp_path):
    results[0].write_h5ad(tmp_path / "a.h5ad")
    again = anndata.read_h5ad(tmp_path / "a.h5ad")
    assert sd.pl.expression_volcano(again).axes


@pytest.mark.parametrize("form", ["csc", "dense", "float64", "backed"])
def test_any_form_of_the_matrix(data, results, tmp_path, form):
    adata = data[:, :60].copy()
    adata.X = adata.layers["logged_counts"]
    how = {"sample": "sample", "block_cells": 40}
    expected = sd.tl.expression(adata.copy(), "Age", "Young", "Old", **how)
    if form == "backed":
        adata.write_h5ad(tmp_path / "a.h5ad")
        adata = anndata.read_h5ad(tmp_path / "a.h5ad", backed="r")
    else:
        change = {"csc": sparse.csc_matrix, "dense": lambda x: x.toarray(),
                  "float64": lambda x: x.astype(np.float64)}  # fmt: skip
        adata.X = change[form](adata.X)
    found = sd.tl.expression(adata, "Age", "Young", "Old", **how)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-6)


def test_a_copy_leaves_the_data_alone(data):
    before = set(data.obs)
    mask = (data.obs["lineage"] != "Lymphoid").to_numpy()
    table, copy = sd.tl.abundance(
        data, "Age", "Young", "Old", sample="sample", layer="logged_counts", cells=mask, copy=True
    )
    assert set(data.obs) == before
    assert "kompot_da_Young_to_Old_lfc" in copy.obs
    assert len(table) == data.n_obs


def test_numbers_as_the_condition(data):
    table = sd.tl.expression(
        data.copy(), "months", sample="sample", layer="logged_counts", block_cells=40
    )
    assert "lfc_per_unit" in table


def test_terms_of_files(results, tmp_path):
    genes = results[2]
    called = list(genes.loc[genes["is_de"], "gene"])
    others = list(genes.loc[~genes["is_de"], "gene"])[:20]
    path = tmp_path / "mine.gmt"
    path.write_text("\n".join(
        "\t".join([name, "described", *members])
        for name, members in (("changed", called[:15]), ("not", others))
    ))  # fmt: skip
    found = sd.tl.enrichment(genes, path, threads=1)
    assert sd.pl.enrichment(found, fdr_threshold=1.1).axes
    assert found.iloc[0][["term", "category"]].tolist() == ["changed", "mine"]
    assert found.iloc[0]["fdr"] < 0.05
    assert {"all", "up", "down"} & set(found["gene_set"])
    path.write_text("a\tb\tc\n")
    with pytest.raises(sd.InputError, match="none of its 1 genes"):
        sd.tl.enrichment(genes, path)


def test_smoothed_expression_of_a_population(data):
    found = sd.tl.smooth(data, ["Gene003", "Gene001"], cells={"Age": "Old"}, layer="logged_counts")
    old = (data.obs["Age"] == "Old").to_numpy()
    assert list(found.var_names) == ["Gene003", "Gene001"]
    np.testing.assert_array_equal(found.obs["in_population"], old)
    measured = found.layers["expression"].toarray()
    np.testing.assert_allclose(found.X[old].mean(axis=0), measured[old].mean(axis=0), atol=0.05)
    assert found.X.std() < measured.std()
    assert found.uns["smooth"]["ls"] > 0
    with pytest.raises(sd.InputError, match=r"genes: not among the 250 genes: 'gene003'"):
        sd.tl.smooth(data, ["gene003"], layer="logged_counts")
    with pytest.raises(sd.InputError, match="cells: 0 cells are left"):
        sd.tl.smooth(data, ["Gene003"], cells=np.zeros(data.n_obs, dtype=bool))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"column": "age"}, "column: no obs column 'age'; there are: "),
        ({"reference": "young"}, "reference: 'young' does not occur in obs column 'Age'"),
        ({"compared": None}, "reference: found alone"),
        ({"sample": "Sample"}, "sample: no obs column 'Sample'"),
        ({"layer": "log"}, "layer: no layer 'log'; there are: "),
        ({"states": "DM"}, "states: no obsm key 'DM'; there are: "),
        ({"blocks_from": "pca"}, "blocks_from: no obsm key 'pca'"),
        ({"cell_type": "type"}, "cell_type: no obs column 'type'"),
        ({"adjust": ["Age"]}, "adjust: the condition is determined by obs column 'Age'"),
        ({"cells": {"lineage": "None"}}, "cells.lineage: 'None' does not occur"),
        ({"reference": None, "compared": None, "sample": None}, "found neither; expected two"),
    ],
)
def test_messages_name_the_argument(data, change, message):
    asked = {"column": "Age", "reference": "Young", "compared": "Old"} | DESIGN | change
    with pytest.raises(sd.InputError, match=r"expected|there are|its levels are") as error:
        sd.tl.expression(data.copy(), **asked)
    assert message in str(error.value)


# Of more than one analysis, and of a table.
OTHERS = {"contrast_comparison", "enrichment"}


@pytest.mark.parametrize("name", sorted({*sd.pl.__all__} - OTHERS))
def test_every_figure(results, name, tmp_path):
    adata = results[0]
    function = getattr(sd.pl, name)
    takes = function.__code__.co_varnames[: function.__code__.co_argcount]
    given = {"cell_type": "cell_type", "gene": adata.var_names[3]}
    options = {key: value for key, value in given.items() if key in takes}
    if "basis" in function.__kwdefaults__:
        options["basis"] = "X_pca"
    if "layer" in function.__kwdefaults__:
        options["layer"] = "logged_counts"
    figure = function(adata, save=tmp_path / "figure.png", **options)
    assert figure.axes
    assert (tmp_path / "figure.png").stat().st_size > 5000
    assert figure._repr_png_().startswith(b"\x89PNG")
    if "ax" in function.__kwdefaults__:
        own, axes = plt.subplots(1, 2)
        assert function(adata, ax=axes[1], **options) is own
        assert axes[1].has_data()
        assert not axes[0].has_data()
        plt.close(own)


@pytest.mark.parametrize("name", ALIKE)
@pytest.mark.parametrize("source", ["tl", "workflow"])
def test_figure_is_that_of_the_workflow(finished, results, name, source, tmp_path):
    path = finished / RUN / "adata.h5ad"
    adata = results[0] if source == "tl" else anndata.read_h5ad(path)
    getattr(sd.pl, name)(adata, save=tmp_path / "figure.png", **ALIKE[name])
    found, expected = map(
        plt.imread, (tmp_path / "figure.png", finished / RUN / f"figures/{name}.png")
    )
    assert found.shape == expected.shape
    # Points of almost equal values may be drawn in another order.
    assert (np.abs(found - expected) < 0.05).all(axis=2).mean() > 0.999


def curves_of(fit, genes):
    """Curves of genes from the arrays of a fit, which hold the deviations of the samples."""
    return curves_of_genes(
        fit["phi"], [fit[f"coefficients_{role}"][genes].T for role in ROLES],
        [fit[f"relative_std_{role}"] for role in ROLES],
        SignalToNoise.of_arrays(fit).of_genes(genes), relative_eps(None),
        fit["between"][:, genes].swapaxes(1, 2),
    )  # fmt: skip


def test_numbers_of_figures_are_those_of_the_workflow(finished, results):
    genes = np.array([7, 0, 100])
    expected = curves_of(read_arrays(finished / RUN / "stages/fit.h5")[0], genes)
    of_workflow = anndata.read_h5ad(finished / RUN / "adata.h5ad")
    numbers = of_workflow.uns["kompot_de_Young_to_Old_fit"]
    assert set(numbers) == {"spectrum", "residual", "tol", "ls", "freedom", "evidence", "signal"}
    for adata in (of_workflow, results[0]):
        run = Expression(adata, None, None)
        for key, values in run.fit().items():
            np.testing.assert_allclose(values, numbers[key], rtol=1e-6, atol=1e-9, err_msg=key)
        for found, curve in zip(run.curves(genes), expected, strict=True):
            np.testing.assert_allclose(found, curve, rtol=1e-4, atol=1e-4)


def test_deviations_of_samples_under_a_linear_kernel(data, monkeypatch):
    """The prior of a linear part is found again from the values of the basis."""
    fits = []

    def keep(phi, *args):
        fits.append(fit_conditions(phi, *args))
        fits[-1][0]["phi"] = phi
        return fits[-1]

    monkeypatch.setattr("statediff.expression_fit.fit_conditions", keep)
    adata, genes = data[:, :30].copy(), np.array([4, 1])
    how = {"sample": "sample", "layer": "logged_counts", "block_cells": 40}
    sd.tl.expression(adata, "Age", "Young", "Old", kernel="matern52+linear", **how)
    found = Expression(adata, None, None).curves(genes)
    for curve, expected in zip(found, curves_of(fits[0][0], genes), strict=True):
        np.testing.assert_allclose(curve, expected, rtol=1e-3, atol=1e-3)


def test_figures_of_the_adata_of_the_workflow(finished):
    adata = anndata.read_h5ad(finished / RUN / "adata.h5ad")
    for name in ("abundance_volcano", "expression_volcano"):
        assert getattr(sd.pl, name)(adata).axes
    assert sd.pl.abundance_direction(adata, basis="X_pca").axes
    assert sd.pl.fold_changes(adata, "cell_type").axes
    assert sd.pl.abundance_swarm(adata, "cell_type").axes
    assert sd.pl.gene_regions(adata).axes


def test_figures_say_what_is_missing(data, results):
    with pytest.raises(
        sd.InputError, match=r"uns\['kompot_da'\]: found nothing; sd\.tl\.abundance"
    ):
        sd.pl.abundance_volcano(data)
    with pytest.raises(
        sd.InputError, match=r"expected the conditions of an analysis .* Young, Old"
    ):
        sd.pl.expression_volcano(results[0], reference="Old", compared="Young")
    with pytest.raises(sd.InputError, match=r"genes: not among the 250 genes: 'gene003'.*Gene003"):
        sd.pl.fold_changes(results[0], "cell_type", genes=["gene003"])
    with pytest.raises(sd.InputError, match="component: found 99, expected at most 40"):
        sd.pl.expression_along(results[0], component=99)
    earlier = results[0].copy()
    del earlier.uns["kompot_de_Young_to_Old_fit"], earlier.obs["kompot_de_Young_to_Old_size_factor"]
    with pytest.raises(sd.InputError, match="found no uns 'kompot_de_Young_to_Old_fit'"):
        sd.pl.fit(earlier)
    with pytest.raises(sd.InputError, match="found no obs 'kompot_de_Young_to_Old_size_factor'"):
        sd.pl.sample_expression(earlier, "cell_type")


def test_two_analyses_are_both_recorded(results):
    adata = results[0].copy()
    sd.tl.abundance(adata, "lineage", "Erythroid", "Monocyte", layer="logged_counts")
    assert sd.pl.abundance_volcano(adata).axes
    assert sd.pl.abundance_volcano(adata, reference="Young").axes


def test_figure_of_two_analyses(results):
    adata = results[0].copy()
    with pytest.raises(sd.InputError, match="found one analysis; expected two or more"):
        sd.pl.contrast_comparison(adata)
    samples = {"sample": "sample", "blocks_from": "X_pca", "layer": "logged_counts"}
    sd.tl.expression(adata, "Age", "Old", "Young", **samples)
    (panel,) = sd.pl.contrast_comparison(adata).axes
    assert panel.get_xlabel().endswith("Old / Young")
