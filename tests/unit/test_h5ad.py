"""Users' files of any dialect read as the same data; other files are named."""

import json
import subprocess
import sys
import warnings
import zipfile

import anndata
import h5py
import hdf5plugin
import numpy as np
import pandas as pd
import pytest
from anndata.io import read_elem, write_elem
from scipy import sparse
from statediff import DataWarning, InputError
from statediff.h5ad import SLOTS
from statediff.source import open_source

N_CELLS, N_GENES = 24, 7
TEXT = h5py.string_dtype()


def base():
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {
            "condition": pd.Categorical(["a", "b"] * 12),
            "donor": [f"d{i % 5}" for i in range(N_CELLS)],
            "n": np.arange(N_CELLS),
        },
        index=[f"cell{i}" for i in range(N_CELLS)],
    )
    var = pd.DataFrame(
        {"symbol": [f"S{i}" for i in range(N_GENES)]}, index=[f"gene{i}" for i in range(N_GENES)]
    )
    counts = sparse.csr_matrix(rng.poisson(1.0, (N_CELLS, N_GENES)).astype(np.float32))
    adata = anndata.AnnData(counts, obs=obs, var=var, obsm={"X_pca": rng.normal(size=(N_CELLS, 3))})
    adata.layers["logged"] = np.log1p(counts)
    adata.uns["condition_colors"] = ["#ff0000", "#0000ff"]
    return adata


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "data.h5ad"
    with anndata.settings.override(allow_write_nullable_strings=True):
        base().write_h5ad(path, convert_strings_to_categoricals=False)
    return path


def edited(path, edit):
    """The file after an edit of what HDF5 holds."""
    with h5py.File(path, "a") as file:
        edit(file)
    return path


def replace(file, key, values, **attributes):
    del file[key]
    file[key] = values
    file[key].attrs.update(attributes)


def check_same(path, modality=None, layer="layers/logged", obsm=("X_pca",)):
    """The file has the data of `base`."""
    adata = base()
    with open_source(path, modality) as source:
        pd.testing.assert_index_equal(source.obs.index, adata.obs_names, check_names=False)
        pd.testing.assert_index_equal(source.var.index, adata.var_names, check_names=False)
        assert source.obs.index.dtype == source.var.index.dtype == object
        for column in adata.obs:
            assert list(source.obs[column].astype(str)) == list(adata.obs[column].astype(str))
        np.testing.assert_allclose(source.read("obsm", "X_pca"), adata.obsm["X_pca"], rtol=1e-6)
        assert source.keys("obsm") == list(obsm)
        found = sparse.vstack([b for _, b in source.matrix(layer, "dataset.layer").blocks(20)])
        np.testing.assert_allclose(found.toarray(), adata.layers["logged"].toarray(), rtol=2e-3)
        assert source.n_cells == N_CELLS
        assert source.levels("condition") == 2
        return source.obs, source.var, {slot: source.readable(slot) for slot in SLOTS}


def check_writable(path, tables):
    """What was read is written without a setting, and in types that any AnnData reads."""
    obs, var, slots = tables
    with h5py.File(path.with_name("again.h5ad"), "w") as file:
        for name, value in (("obs", obs), ("var", var), *slots.items()):
            write_elem(file, name, value)
        kinds = set()
        file.visititems(lambda _, element: kinds.add(element.attrs.get("encoding-type")))
        assert "nullable-string-array" not in kinds
        assert "null" not in kinds
        pd.testing.assert_frame_equal(read_elem(file["obs"]), obs, check_names=False)


def test_a_file_of_this_anndata(path):
    check_writable(path, check_same(path))


def no_column_order(file):
    del file["var/symbol"]
    del file["var"].attrs["column-order"]


def float_column_order(file):
    del file["var/symbol"]
    file["var"].attrs["column-order"] = np.zeros(0)


def fixed_strings(file):
    for name in ("obs/_index", "var/_index", "obs/donor"):
        replace(file, name, file[name].asstr()[:].astype("S"))


def no_encodings(file):
    file.visititems(
        lambda _, element: [
            element.attrs.pop(name, None)
            for name in ("encoding-type", "encoding-version")
            if element.attrs.get("encoding-type") != "categorical"
        ]
    )


def vectors_for_attributes(file):
    """As rhdf5 writes attributes: fixed-length text, vectors of one."""

    def change(_, element):
        for name, value in list(element.attrs.items()):
            if isinstance(value, str):
                element.attrs[name] = np.array([value.encode()])

    file.visititems(change)
    # anndata itself reads no categories then.
    for name in ("obs/condition", "obs/condition/codes", "obs/condition/categories"):
        element = file[name]
        for key in ("encoding-type", "encoding-version"):
            element.attrs[key] = element.attrs[key][0].decode()


def old_categories(file):
    """anndata 0.7, SeuratDisk."""
    no_encodings(file)
    group = file["obs"]
    codes, levels = group["condition/codes"][:], group["condition/categories"].asstr()[:]
    del group["condition"]
    group.create_dataset("__categories/condition", data=levels.astype(object), dtype=TEXT)
    group["condition"] = codes
    group["condition"].attrs["categories"] = group["__categories/condition"].ref
    for name in ("obs", "var"):
        file[name].attrs.update({"encoding-type": "dataframe", "encoding-version": "0.1.0"})


def categories_without_references(file):
    old_categories(file)
    del file["obs/condition"].attrs["categories"]


def index_is_column(file):
    file["obs"].move("_index", "barcode")
    file["obs"].attrs["_index"] = "barcode"
    columns = [*file["obs"].attrs["column-order"], "barcode"]
    file["obs"].attrs.create("column-order", columns, dtype=TEXT)


def index_and_another_column_of_its_name(file):
    file["obs"].move("_index", "name")
    file["obs"].attrs["_index"] = "name"
    write_elem(file, "obs/_index", np.array(["x", "y"] * 12, dtype=object))
    columns = [*file["obs"].attrs["column-order"], "_index"]
    file["obs"].attrs.create("column-order", columns, dtype=TEXT)


def other_numbers(file):
    dense = read_elem(file["layers/logged"]).toarray()
    replace(file, "layers/logged", dense.astype(">f2"))
    replace(file, "obsm/X_pca", file["obsm/X_pca"][:].astype(">f8"))
    replace(file, "obs/n", file["obs/n"][:].astype(">i2"))


def columns_of_wide_indices(file):
    matrix = read_elem(file["layers/logged"]).tocsc()
    del file["layers/logged"]
    write_elem(file, "layers/logged", matrix)
    for part in ("indices", "indptr"):
        replace(file, f"layers/logged/{part}", file[f"layers/logged/{part}"][:].astype("i8"))


def zstd(file):
    for name in ("layers/logged/data", "obs/n", "obsm/X_pca"):
        values, attributes = file[name][:], dict(file[name].attrs)
        del file[name]
        file.create_dataset(name, data=values, **hdf5plugin.Zstd()).attrs.update(attributes)


@pytest.mark.parametrize(
    "edit",
    [
        no_column_order, float_column_order, fixed_strings, no_encodings, vectors_for_attributes,
        old_categories, categories_without_references, index_is_column,
        index_and_another_column_of_its_name, other_numbers, columns_of_wide_indices, zstd,
    ],
    ids=lambda edit: edit.__name__,
)  # fmt: skip
def test_dialects(path, edit):
    check_writable(path, check_same(edited(path, edit)))


def compound(table, categories=()):
    """A table as anndata 0.6 wrote it: records, the index first."""
    columns = {"index": np.asarray(table.index, dtype="S")}
    for name in table:
        values = table[name]
        coded = name in categories
        columns[name] = values.cat.codes.to_numpy() if coded else values.to_numpy()
        if columns[name].dtype == object:
            columns[name] = columns[name].astype("S")
    dtype = [(name, values.dtype) for name, values in columns.items()]
    records = np.zeros(len(table), dtype=dtype)
    for name, values in columns.items():
        records[name] = values
    return records


@pytest.mark.parametrize("form", ["sparse", "dense"])
def test_anndata_0_6(tmp_path, form):
    adata, path = base(), tmp_path / "old.h5ad"
    logged = adata.layers["logged"].tocsr()
    with h5py.File(path, "w") as file:
        if form == "dense":
            file["X"] = logged.toarray()
        else:
            group = file.create_group("X")
            group.attrs.update({"h5sparse_format": "csr", "h5sparse_shape": logged.shape})
            for part in ("data", "indices", "indptr"):
                group[part] = getattr(logged, part)
        file["obs"] = compound(adata.obs, ["condition"])
        file["var"] = file["raw.var"] = compound(adata.var)
        file["raw.X"] = adata.X.toarray()
        dtype = [("X_pca", "f8", (3,))]
        file["obsm"] = np.array([(row,) for row in adata.obsm["X_pca"]], dtype=dtype)
        file["uns/condition_categories"] = np.array(["a", "b"], dtype="S")
        file["uns/condition_colors"] = np.array(["#ff0000", "#0000ff"], dtype="S7")
    tables = check_same(path, layer="X")
    check_writable(path, tables)
    assert list(tables[2]["uns"]) == ["condition_colors"]
    with open_source(path) as source:
        assert source.has_raw
        raw = sparse.vstack([b for _, b in source.matrix("raw", "dataset.counts").blocks()])
        np.testing.assert_array_equal(raw.toarray(), adata.X.toarray())
        assert list(source.raw_var.index) == list(adata.var_names)


def test_integer_names_are_text(path):
    edited(path, lambda file: replace(file, "obs/_index", np.arange(N_CELLS)))
    with open_source(path) as source:
        assert list(source.obs.index) == [str(i) for i in range(N_CELLS)]


def test_names_that_are_missing_are_refused(path):
    def edit(file):
        del file["obs/_index"]
        with anndata.settings.override(allow_write_nullable_strings=True):
            names = pd.array(["x", None] * 12, dtype="string")
            write_elem(file, "obs/_index", names)

    with open_source(edited(path, edit)) as source, pytest.raises(InputError, match="12 missing"):
        _ = source.obs


def test_strings_of_new_pandas_anywhere(tmp_path):
    def text(values):
        return pd.array(values, dtype="string")

    adata, path = base(), tmp_path / "data.h5ad"
    adata.obs = adata.obs.astype({"condition": "string", "donor": "string"})
    adata.obs["condition"] = adata.obs["condition"].astype("category")
    adata.obs["note"] = text(["seen", None] * 12)
    adata.obs["flag"] = pd.array([True, None] * 12, dtype="boolean")
    for table in (adata.obs, adata.var):
        table.index = table.index.astype("string")
    adata.var = adata.var.astype("string")
    adata.uns["table"] = pd.DataFrame({"x": text(["a", None])}, index=text(["r", "s"]))
    adata.uns["nothing"] = None
    adata.uns["numbered"] = pd.DataFrame({"x": text(["a", "b"])}, index=[4, 7])
    adata.uns["nested"] = {"names": text(["a", "b"]), "some": text(["a", None]), "nothing": None}
    adata.uns["condition_colors"] = text(["#ff0000", "#0000ff"])
    adata.obsm["frame"] = pd.DataFrame({"p": text(["q"] * N_CELLS)}, index=adata.obs_names)
    with anndata.settings.override(allow_write_nullable_strings=True):
        adata.write_h5ad(path)
        with h5py.File(path, "a") as file:
            # As anndata 0.13 has it.
            del file["uns/nothing"]
            file["uns/nothing"] = h5py.Empty("f4")
            file["uns/nothing"].attrs.update({"encoding-type": "null", "encoding-version": "0.1.0"})
            del file["obs/condition/categories"]
            write_elem(file, "obs/condition/categories", text(["a", "b"]))
    obs, var, slots = check_same(path, obsm=["X_pca", "frame"])
    check_writable(path, (obs, var, slots))
    assert obs["note"].isna().sum() == obs["flag"].isna().sum() == 12
    assert obs["condition"].cat.categories.dtype == object
    assert "nothing" not in slots["uns"]
    assert list(slots["uns"]["nested"]) == ["names", "some"]
    assert list(slots["obsm"]["frame"].index) == list(obs.index)
    assert slots["uns"]["table"]["x"].isna().sum() == 1
    assert list(slots["uns"]["numbered"].index) == [4, 7]


def test_a_zarr_store_with_an_array_of_unknown_type(tmp_path):
    path = tmp_path / "data.zarr"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base().write_zarr(path)
    (path / "uns/strange").mkdir()
    kind = {"zarr_format": 2, "dtype": "future", "shape": [1], "chunks": [1], "compressor": None}
    kind |= {"fill_value": None, "order": "C", "filters": None}
    (path / "uns/strange/.zarray").write_text(json.dumps(kind))
    (path / "uns/strange/.zattrs").write_text("{}")
    with pytest.warns(DataWarning, match="strange"):
        check_same(path)


@pytest.mark.parametrize("version", [2, 3])
def test_zarr_stores(tmp_path, version):
    path = tmp_path / "data.zarr"
    with warnings.catch_warnings(), anndata.settings.override(zarr_write_format=version):
        warnings.simplefilter("ignore")
        base().write_zarr(path)
    check_writable(path, check_same(path))


def test_modalities(tmp_path, path):
    mudata = tmp_path / "data.h5mu"
    adata = base()
    with h5py.File(mudata, "w") as file, h5py.File(path) as rna:
        file.attrs["encoding-type"] = "MuData"
        shared = adata.obs[["condition"]].iloc[::-1]
        shared = shared.set_axis(shared.index.astype(object))
        write_elem(file, "obs", shared.assign(**{"rna:n": 1}))
        write_elem(file, "var", adata.var)
        for slot in rna:
            rna.copy(slot, file.require_group("mod/rna"))
        del file["mod/rna/obs/condition"]
        columns = ["donor", "n"]
        file["mod/rna/obs"].attrs.create("column-order", columns, dtype=TEXT)
    obs, *_ = check_same(mudata)
    assert list(obs) == ["donor", "n", "condition"]
    check_same(mudata, modality="rna")
    edited(mudata, lambda file: file.copy("mod/rna", "mod/atac"))
    for modality in (None, "adt"):
        with (
            pytest.raises(InputError, match=rf"dataset\.modality: found {modality!r}.*atac, rna"),
            open_source(mudata, modality),
        ):
            pass
    with (
        pytest.raises(InputError, match=r"dataset\.modality: .*expected null"),
        open_source(path, "rna"),
    ):
        pass


@pytest.mark.parametrize("version", [2, 3])
def test_counts_of_10x(tmp_path, version):
    path, adata = tmp_path / "counts.h5", base()
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix" if version == 3 else "GRCh38")
        group["barcodes"] = np.array([f"{name}-{i % 2 + 1}" for i, name in
                                      enumerate(adata.obs_names)], "S")  # fmt: skip
        for part in ("data", "indices", "indptr"):
            group[part] = getattr(adata.X, part)
        group["shape"] = adata.shape[::-1]
        names = {"id": adata.var_names, "name": adata.var["symbol"]}
        old = {"id": "genes", "name": "gene_names"}
        for name, values in names.items():
            key = f"features/{name}" if version == 3 else old[name]
            group[key] = values.to_numpy().astype("S")
        if version == 3:
            group["features/feature_type"] = np.array(["Gene Expression"] * N_GENES, "S")
    with open_source(path) as source:
        assert list(source.var.index) == list(adata.var_names)
        assert list(source.var["feature_name"]) == list(adata.var["symbol"])
        assert list(source.obs["library"][:3]) == ["1", "2", "1"]
        counts = source.matrix("X", "dataset.preprocess.counts")
        found = sparse.vstack([block for _, block in counts.blocks(20)])
        np.testing.assert_array_equal(found.toarray(), adata.X.toarray())
        assert not counts.by_columns
        assert source.keys("layers") == []
    if version == 3:
        kinds = np.array(["Gene Expression", "Antibody Capture"] * 4, "S")[:N_GENES]
        edited(path, lambda file: replace(file, "matrix/features/feature_type", kinds))
        with open_source(path) as source, pytest.raises(InputError, match="Antibody Capture"):
            _ = source.var
        edited(path, lambda file: file.__delitem__("matrix/features"))
        with open_source(path) as source, pytest.raises(InputError, match="without genes and"):
            _ = source.var


def test_raw_of_cellxgene(path):
    adata = base()
    adata.var["feature_name"] = pd.Categorical(adata.var["symbol"])
    adata.raw = anndata.AnnData(adata.X, var=adata.var[[]])
    adata = adata[:, ::2].copy()
    adata.write_h5ad(path)
    with open_source(path) as source:
        assert source.has_raw
        assert source.matrix("raw", "dataset.preprocess.counts").shape == (N_CELLS, N_GENES)
        assert list(source.raw_var.index) == list(base().var_names)
        assert list(source.raw_var["feature_name"].iloc[::2]) == list(adata.var["feature_name"])


def test_what_cannot_be_read_is_left_out_with_a_warning(path):
    def edit(file):
        for name in ("obs/n", "uns/condition_colors"):
            file[name].attrs["encoding-type"] = "future"
        write_elem(file, "uns/strange", {"a": 1})
        file["uns/strange"].attrs["encoding-type"] = "future"
        write_elem(file, "obs/coded", pd.Categorical(["a", "b"] * 12))
        file["obs/coded/codes"][3] = 9
        columns = [*file["obs"].attrs["column-order"], "coded", "gone"]
        file["obs"].attrs.create("column-order", columns, dtype=TEXT)
        file["obsm/short"] = np.ones((3, 2))
        file["obsm/flat"] = np.ones(N_CELLS)
        write_elem(file, "obsp/beyond", sparse.eye(N_CELLS, format="csr"))
        file["obsp/beyond/indices"][5] = -7

    with open_source(edited(path, edit)) as source, warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", DataWarning)
        # Arrays need no encoding.
        assert list(source.obs) == ["condition", "donor", "n"]
        assert set(source.readable("uns")) == {"condition_colors"}
        assert set(source.readable("obsm")) == {"X_pca"}
        assert source.readable("obsp") == {}
    told = " ".join(str(warning.message) for warning in found)
    for name in (
        "'coded'",
        "'gone'",
        "uns['strange']",
        "obsm['short']",
        "obsm['flat']",
        "obsp['beyond']",
    ):
        assert f"{name} of data.h5ad can't be read and was left out" in told


def test_a_matrix_of_null_is_none(path):
    def edit(file):
        del file["X"]
        file["X"] = h5py.Empty("f4")
        file["X"].attrs["encoding-type"] = "null"

    with open_source(path) as source:
        assert source.has_x
    with open_source(edited(path, edit)) as source:
        assert not source.has_x


FOREIGN = {
    "pointer.h5ad": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "empty.h5ad": (b"", "empty"),
    "packed.h5ad.gz": (b"\x1f\x8b\x08\x00rest", "compressed by gzip"),
    "packed.h5ad": (b"BZh91AY", "bunzip2"),
    "page.h5ad": (b"\n<!DOCTYPE html>", "a web page"),
    "object.rds": (b"\x1f\x8b\x08\x00rest", "anndataR"),
    "table.h5ad": (b"cells,genes\n", "not an h5ad file"),
    "short.h5ad": (b"\x89HDF\r\n\x1a\n" + bytes(20), "HDF5 file"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_files_that_are_not_hdf5(tmp_path, name):
    content, message = FOREIGN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as raised, open_source(tmp_path / name):
        pass
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["row_attrs", "col_attrs", "matrix"], "a loom file; scanpy.read_loom"),
        (["cell.names", "assays", "meta.data"], "h5Seurat"),
        (["X", "layers", "obsm"], "it holds X, layers, but not obs and var"),
        (["counts"], "it holds counts, not obs and var"),
        ([], "it holds nothing, not obs and var"),
    ],
)
def test_hdf5_of_another_kind(tmp_path, groups, message):
    with h5py.File(tmp_path / "other.h5ad", "w") as file:
        for name in groups:
            file.create_group(name)
    with pytest.raises(InputError, match=message), open_source(tmp_path / "other.h5ad"):
        pass


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(InputError, match="no such file"), open_source(tmp_path / "gone.h5ad"):
        pass
    with pytest.raises(InputError, match="a folder, but no zarr store"), open_source(tmp_path):
        pass
    (tmp_path / "matrix.mtx.gz").touch()
    with pytest.raises(InputError, match="read_10x_mtx"), open_source(tmp_path):
        pass


def test_truncated_locked_and_zipped_files(path):
    code = "import h5py, sys; f = h5py.File(sys.argv[1], 'r+'); print(flush=True); input()"
    command = [sys.executable, "-c", code, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        writer.stdout.readline()
        try:
            with pytest.raises(InputError, match="locked: another program"), open_source(path):
                pass
        finally:
            writer.stdin.close()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="truncated"), open_source(path):
        pass
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.h5ad", content)
    with pytest.raises(InputError, match="a zip archive"), open_source(path):
        pass


def add_external_link(file, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["secret"] = np.arange(3)
    file["uns/secret"] = h5py.ExternalLink(str(folder / "other.h5"), "/secret")


def add_external_storage(file, folder):
    (folder / "secret.bin").write_bytes(bytes(range(N_CELLS * 2)))
    external = [(str(folder / "secret.bin"), 0, h5py.h5f.UNLIMITED)]
    file.create_dataset("obsm/secret", (N_CELLS, 2), np.uint8, external=external)


def add_virtual(file, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["secret"] = np.zeros((N_CELLS, 2))
    layout = h5py.VirtualLayout((N_CELLS, 2), np.float64)
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "secret", (N_CELLS, 2))
    del file["obsm/X_pca"]
    file.create_virtual_dataset("obsm/X_pca", layout)


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (add_external_link, r"uns/secret is an external link to '.*/other.h5', outside the file"),
        (add_external_storage, r"obsm/secret has external storage, '.*/secret.bin', outside"),
        (add_virtual, r"obsm/X_pca is a virtual data set of '.*/other.h5', outside the file"),
    ],
)
def test_data_in_other_files_are_refused(path, tmp_path, add, message):
    edited(path, lambda file: add(file, tmp_path))
    with pytest.raises(InputError, match=message), open_source(path):
        pass


def test_links_within_a_file_are_followed(path):
    def link(file):
        file["layers/soft"] = h5py.SoftLink("/layers/logged")
        file["layers/hard"] = file["layers/logged"]
        file["uns/around"] = file["uns"]  # a cycle

    edited(path, link)
    with open_source(path) as source:
        assert source.matrix("layers/soft", "dataset.layer").shape == (N_CELLS, N_GENES)


def test_a_zarr_store_with_links_to_elsewhere_is_refused(tmp_path):
    base().write_zarr(tmp_path / "data.zarr")
    (tmp_path / "elsewhere").write_text("secret")
    (tmp_path / "data.zarr/uns/secret").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(InputError, match=r"uns/secret is a link to '.*elsewhere', outside"),
        open_source(tmp_path / "data.zarr"),
    ):
        pass
