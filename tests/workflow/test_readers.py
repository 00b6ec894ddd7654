"""The AnnData as others read it: anndata without a warning, scanpy, cellxgene."""

import re
import subprocess
import sys

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scanpy
import yaml
from matplotlib.colors import to_hex
from statediff.fields import DIRECTION_COLORS
from support import CONFIG, ROOT, tiny

DIRECTION = "kompot_da_Young_to_Old_lfc_direction"


@pytest.fixture(scope="module")
def path(small_run):
    return small_run / "results/small/young_vs_old/adata.h5ad"


@pytest.fixture(scope="module")
def text_path(tmp_path_factory, snakemake_run):
    """The AnnData from a file with text that is no category, as pandas 3 writes it."""
    directory = tmp_path_factory.mktemp("text")
    adata = tiny()
    adata.obs["barcode"] = [f"AC{i}GT" for i in range(60)]
    adata.obs["note"] = pd.array(["seen", pd.NA] * 30, dtype="string")
    adata.var["symbol"] = adata.var_names
    adata.obs["group"] = adata.obs["group"].astype("category")
    for table in (adata.obs, adata.var):
        table.index = table.index.astype("string")
    adata.obsm["frame"] = pd.DataFrame(
        {"p": ["q", pd.NA] * 30}, index=adata.obs_names, dtype="string"
    )
    adata.uns["table"] = pd.DataFrame({"x": ["a", pd.NA]}, dtype="string")
    adata.uns["words"] = pd.array(["a", "b"], dtype="string")
    with anndata.settings.override(allow_write_nullable_strings=True):
        adata.write_h5ad(directory / "data.h5ad", convert_strings_to_categoricals=False)
        with h5py.File(directory / "data.h5ad", "a") as file:
            del file["obs/group/categories"]
            levels = pd.array(["a", "b", "c"], dtype="string")
            anndata.io.write_elem(file, "obs/group/categories", levels)
    with h5py.File(directory / "data.h5ad") as file:
        assert file["obs/cell_type"].attrs["encoding-type"] != "categorical"
        for name in ("obs/_index", "var/_index", "obs/group/categories", "uns/words"):
            assert file[name].attrs["encoding-type"] == "nullable-string-array", name
    (directory / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    result = "results/tiny/a_vs_b/adata.h5ad"
    snakemake_run(directory, result, configfile=directory / "config.yaml")
    return directory / result


@pytest.fixture(params=["path", "text_path"])
def any_path(request):
    return request.getfixturevalue(request.param)


# The newest minor release for the Python that the pins are made with (anndata has a later one for
# newer Pythons only), and the one before, which kompot's environment has.
@pytest.mark.parametrize("release", ["0.12", "0.11"])
def test_anndata_reads_and_writes_it_without_a_warning(any_path, release, tmp_path, request):
    python = sys.executable if release == "0.12" else request.getfixturevalue("kompot_python")
    done = subprocess.run(
        [python, ROOT / "tests/read_strictly.py", any_path, tmp_path / "again.h5ad"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith(release)


def test_every_element_says_how_it_is_encoded(any_path):
    missing = []
    with h5py.File(any_path) as file:
        assert file.attrs["encoding-type"] == "anndata"
        # The parts of a sparse matrix are described by the whole.
        parts = {f"X/{name}" for name in ("data", "indices", "indptr")}
        file.visititems(
            lambda name, element: None if "encoding-type" in element.attrs else missing.append(name)
        )
        assert set(missing) <= parts


def test_columns_are_what_cellxgene_takes(any_path):
    adata = anndata.read_h5ad(any_path)
    for table in (adata.obs, adata.var):
        assert table.index.is_unique
        assert table.columns.is_unique
        for name, values in table.items():
            assert values.dtype.kind in "biuf" or values.dtype == "category", name
    coordinates = [key for key in adata.obsm if key.startswith("X_")]
    assert coordinates
    for key in coordinates:
        assert adata.obsm[key].shape[1] >= 2
        assert np.isfinite(adata.obsm[key]).all()
    for key in [key for key in adata.uns if key.endswith("_colors")]:
        categories = adata.obs[key.removesuffix("_colors")].cat.categories
        assert len(adata.uns[key]) == len(categories)
        assert all(re.fullmatch("#[0-9A-Fa-f]{6}", color) for color in adata.uns[key])


def test_text_becomes_categories(text_path):
    adata = anndata.read_h5ad(text_path)
    assert {"group", "cell_type", "barcode", "note"} <= set(adata.obs)
    assert list(adata.obs_names) == [f"cell{i}" for i in range(60)]
    assert list(adata.uns["words"]) == ["a", "b"]
    assert adata.obsm["frame"]["p"].isna().sum() == 30
    assert list(adata.obs["group"].cat.categories) == ["a", "b", "c"]
    assert list(adata.obs["barcode"][:2]) == ["AC0GT", "AC1GT"]
    assert adata.obs["note"].isna().sum() == 30
    assert list(adata.var["symbol"]) == list(adata.var_names)


def test_scanpy_draws_directions_in_our_colours(path):
    adata = anndata.read_h5ad(path)
    figure = scanpy.pl.embedding(adata, "pca", color=DIRECTION, return_fig=True, show=False)
    (points, *_) = figure.axes[0].collections
    drawn = {to_hex(color) for color in points.get_facecolors()}
    assert drawn == {to_hex(DIRECTION_COLORS[name]) for name in adata.obs[DIRECTION].unique()}


def test_scanpy_tests_its_expression(path):
    adata = anndata.read_h5ad(path)
    scanpy.tl.rank_genes_groups(adata, "Age", method="t-test")
    assert len(adata.uns["rank_genes_groups"]["names"]) == adata.n_vars
