"""Hundreds of damaged h5ad files: each gives the right numbers, or one clear line."""

import sys
import warnings

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from anndata.io import read_elem, write_elem
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scipy import sparse
from statediff import DataWarning, InputError
from statediff.h5ad import SLOTS
from statediff.source import open_source
from statediff.store import create_h5ad, row_blocks, write_csr
from support import ROOT

sys.path.append(str(ROOT / "scripts"))
from statediff.adata_file import write_rest
from statediff.inputs import check_names, find_matrix, read_obsm

N_CELLS, N_GENES = 12, 5
ENCODINGS = [
    "", "array", "dict", "dataframe", "csr_matrix", "csc_matrix", "categorical", "string-array",
    "nullable-integer", "nullable-boolean", "nullable-string-array", "rec-array", "raw", "null",
    "numeric-scalar", "string", "awkward-array", "unheard-of",
]  # fmt: skip
TYPES = ["i1", "u8", ">i4", "f2", ">f8", "c16", "?", "S3", "f4", "i8"]
NUMBERS = [-1, 0, 1, 3, 2**31 - 1, -(2**31), 2**62, np.nan, np.inf, 1e300]


def base():
    rng = np.random.default_rng(0)
    counts = sparse.csr_matrix(rng.poisson(1.0, (N_CELLS, N_GENES)).astype(np.float32))
    obs = pd.DataFrame(
        {
            "condition": pd.Categorical(["a", "b"] * 6),
            "donor": [f"d{i % 3}" for i in range(N_CELLS)],
            "n": pd.array([1, None] * 6, dtype="Int64"),
            "share": rng.uniform(size=N_CELLS),
        },
        index=[f"cell{i}" for i in range(N_CELLS)],
    )
    var = pd.DataFrame({"symbol": list("ABCDE")}, index=[f"gene{i}" for i in range(N_GENES)])
    adata = anndata.AnnData(counts, obs=obs, var=var, obsm={"X_pca": rng.normal(size=(N_CELLS, 3))})
    adata.layers["logged"] = np.log1p(counts)
    adata.obsm["table"] = obs[["share"]].copy()
    adata.obsp["near"] = sparse.csr_matrix(np.eye(N_CELLS, dtype=np.float32))
    adata.varm["loadings"] = rng.normal(size=(N_GENES, 2))
    adata.uns |= {"condition_colors": ["#ff0000", "#0000ff"], "nested": {"a": 1, "b": ["x"]}}
    return adata


class Whole:
    """The file as it should be: its bytes, and the names of all that is in it."""

    def __init__(self, content, names):
        self.content, self.names = content, names


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "data.h5ad"
    base().write_h5ad(path)
    names = []
    with h5py.File(path) as file:
        file.visit(names.append)
    return Whole(path.read_bytes(), sorted(names))


def drop(file, name, _):
    del file[name]


def retype(file, name, pick):
    values, attributes = file[name][()], dict(file[name].attrs)
    put(file, name, np.asarray(values).astype(pick(TYPES)), attributes)


def reshape(file, name, pick):
    values, attributes = np.asarray(file[name][()]), dict(file[name].attrs)
    if values.dtype.kind == "O":
        values = values.astype("S")
    shorter, longer = values[: len(values) // 2], np.concatenate([values, values])
    other = [shorter, longer, values[..., None], values.ravel(), values[:0], values[0]]
    put(file, name, other[pick(range(len(other)))], attributes)


def revalue(file, name, pick):
    """One value that is out of range, or not a number."""
    values = file[name][()]
    with np.errstate(all="ignore"):
        values.flat[pick(range(values.size))] = np.array(pick(NUMBERS)).astype(values.dtype)
    file[name][()] = values


def relink(file, name, pick, names):
    target = pick([*names, "nowhere", "/"])
    hard = pick([True, False]) and target in file
    del file[name]
    file[name] = file[target] if hard and target in file else h5py.SoftLink(f"/{target}")


def rename(file, name, pick):
    group, _, last = name.rpartition("/")
    new = pick([f"{last} ", f"{last}/{last}", "_index", "index", "é\x1b[31m", "x" * 300, "X"])
    file.move(name, f"{group}/{new}")


def encode(file, name, pick):
    kind = pick(ENCODINGS)
    file[name].attrs["encoding-type"] = kind
    if pick([True, False]):
        del file[name].attrs["encoding-type"]


def describe(file, name, pick):
    """Another shape, index or list of columns."""
    attributes = file[name].attrs
    changes = {
        "shape": [[0, 0], [-1, 5], [N_GENES, N_CELLS], [2**40, 2**40], [1.5, 2.5], [12], "x"],
        "_index": ["", "nowhere", "condition", 3],
        "column-order": [[], ["nowhere"], ["condition", "condition"], 3, [1, 2]],
        "ordered": [3, "x", [True, False]],
    }
    known = sorted(changes.keys() & set(attributes))
    key = pick(known or sorted(changes))
    attributes.pop(key, None)
    if (value := pick([None, *changes[key]])) is not None:
        attributes[key] = value


def put(file, name, values, attributes):
    del file[name]
    file[name] = values
    file[name].attrs.update(attributes)


CHANGES = [drop, retype, reshape, revalue, relink, rename, encode, describe]


def damage(path, names, data):
    """Change a file in one to three places; a change that HDF5 refuses is none."""

    def pick(values):
        return data.draw(st.sampled_from(list(values)))

    with h5py.File(path, "a") as file:
        for _ in range(data.draw(st.integers(1, 3))):
            change, name = pick(CHANGES), pick(names)
            extra = (names,) if change is relink else ()
            try:
                change(file, name, pick, *extra)
            except (ValueError, TypeError, KeyError, OSError, AttributeError, IndexError):
                continue
            except RuntimeError:
                continue


def through(path, out):
    """What the stages read and write of a file; returns the expression."""
    with open_source(path) as source, create_h5ad(out) as store:
        obs, var = source.obs, source.var
        check_names(obs, var)
        states = read_obsm(source, "X_pca", "dataset.cell_states.compute.from")
        matrix = find_matrix(source, "logged", "dataset.layer")
        write_elem(store, "obs", obs)
        write_elem(store, "var", var)
        write_elem(store, "obsm", {"X_pca": states})
        write_csr(store.create_group("X"), (b for _, b in matrix.blocks(7)), len(var))
        expression = sparse.vstack([block for _, block in row_blocks(store["X"])]).toarray()
        write_rest(store, path, None)
    return expression


# What was drawn is printed as it is: to shrink it takes minutes.
@settings(
    max_examples=500, deadline=20_000, derandomize=True, database=None,
    phases=[Phase.generate], suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(data=st.data())
def test_a_damaged_file_is_read_rightly_or_refused_in_a_line(whole, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("one", numbered=True)
    path, out = folder / "data.h5ad", folder / "out.h5ad"
    path.write_bytes(whole.content)
    damage(path, whole.names, data)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            found, fault = through(path, out), None
        except InputError as error:
            fault = str(error)
    if fault is not None:
        assert "\n" not in fault
        assert len(fault) < 1000
        assert not out.exists()
        return
    adata = anndata.read_h5ad(out)
    np.testing.assert_array_equal(adata.X.toarray(), found)  # NaN too
    assert adata.shape == found.shape
    for one in told:
        if issubclass(one.category, DataWarning):
            assert "\n" not in str(one.message)
    try:
        with warnings.catch_warnings(), h5py.File(path) as file:
            warnings.simplefilter("ignore")
            expected = read_elem(file["layers/logged"])
            expected = expected.toarray() if sparse.issparse(expected) else np.asarray(expected)
    except Exception:
        return  # what anndata can't read, and we can
    np.testing.assert_array_equal(found, expected.astype(np.float32))
    assert set(adata.obsm) >= {"X_pca"}
    assert all(hasattr(adata, slot) for slot in SLOTS)
