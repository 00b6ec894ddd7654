"""Matrices of users' files: the same blocks whatever the form, and refused where they can't be."""

import h5py
import numpy as np
import pytest
import zarr
from anndata.io import write_elem
from scipy import sparse
from statediff import InputError
from statediff.matrices import Matrix

SHAPE = 97, 13


@pytest.fixture(scope="module")
def matrix():
    return sparse.random(*SHAPE, density=0.3, format="csr", dtype=np.float32, rng=0)


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        yield file


def opened(element, expected=SHAPE, **options):
    return Matrix(element, "X of file.h5", "dataset.layer", expected, **options)


def whole(found, block_values=1 << 24):
    return sparse.vstack([block for _, block in found.blocks(block_values)]).toarray()


def parts(file, matrix, **attributes):
    """A sparse matrix as bare arrays, to be spoilt."""
    group = file.create_group("X")
    for part in ("data", "indices", "indptr"):
        group[part] = getattr(matrix, part)
    group.attrs.update({"encoding-type": f"{matrix.format}_matrix", "shape": matrix.shape})
    group.attrs.update(attributes)
    return group


@pytest.mark.parametrize("form", ["csr", "csc", "dense"])
@pytest.mark.parametrize("block_values", [1, 17, 10**6])
def test_blocks_are_the_matrix(file, matrix, form, block_values):
    write_elem(file, "X", matrix.toarray() if form == "dense" else matrix.asformat(form))
    found = opened(file["X"])
    assert found.shape == SHAPE
    assert found.by_columns == (form == "csc")
    starts, blocks = zip(*found.blocks(block_values), strict=True)
    assert starts == tuple(np.cumsum([0, *(b.shape[0] for b in blocks[:-1])]))
    assert block_values > 1 or len(blocks) > 50
    np.testing.assert_array_equal(sparse.vstack(blocks).toarray(), matrix.toarray())


def test_rows_without_values_are_kept(file):
    write_elem(file, "X", sparse.csr_matrix((5, 3), dtype=np.float32))
    assert sum(block.shape[0] for _, block in opened(file["X"], (5, 3)).blocks(1)) == 5


@pytest.mark.parametrize("form", ["csr", "csc", "dense"])
@pytest.mark.parametrize("dtype", ["f2", ">f4", ">f8", "bool", "u1", "i2", ">i4", "u8", "i8"])
def test_any_type_of_numbers(file, matrix, form, dtype):
    # Large enough that sums of duplicates would overflow a byte.
    values = matrix.copy()
    values.data = np.arange(values.nnz) % 2 * 200 if dtype != "bool" else np.arange(values.nnz) % 2
    values = values.astype(np.float32)
    if form == "dense":
        file.create_dataset("X", data=values.toarray().astype(dtype))
    else:
        group = parts(file, values.asformat(form))
        kept = group["data"][:].astype(dtype)
        del group["data"]
        group["data"] = kept
    np.testing.assert_array_equal(whole(opened(file["X"])), values.toarray())


@pytest.mark.parametrize("form", ["csr", "csc"])
@pytest.mark.parametrize("dtype", ["i8", ">i4", "u2", "u8", "f8"])
def test_any_type_of_indices(file, matrix, form, dtype):
    group = parts(file, matrix.asformat(form))
    for part in ("indices", "indptr"):
        kept = group[part][:].astype(dtype)
        del group[part]
        group[part] = kept
    np.testing.assert_array_equal(whole(opened(group)), matrix.toarray())


@pytest.mark.parametrize("form", ["csr", "csc"])
def test_duplicates_are_summed_and_indices_sorted(file, form):
    data, rows, columns = np.array([3, 200, 100, 5], "u1"), [1, 0, 0, 1], [2, 1, 1, 0]
    indptr = [0, 2, 4] if form == "csr" else [0, 1, 3, 4]
    order = [1, 2, 0, 3] if form == "csr" else [3, 1, 2, 0]
    kept = sparse.csr_matrix((2, 3)).asformat(form)
    kept.data, kept.indptr = data[order], np.array(indptr, "i4")
    kept.indices = np.array(columns if form == "csr" else rows, "i4")[order]
    ((_, block),) = opened(parts(file, kept), (2, 3)).blocks()
    np.testing.assert_array_equal(block.toarray(), [[0, 300, 0], [5, 0, 3]])
    assert block.has_canonical_format


@pytest.mark.parametrize("form", ["csr", "csc"])
def test_old_and_missing_attributes(file, matrix, form):
    group = parts(file, matrix.asformat(form))
    group.attrs.pop("encoding-type"), group.attrs.pop("shape")
    np.testing.assert_array_equal(whole(opened(group)), matrix.toarray())
    group.attrs.update({"h5sparse_format": form.encode(), "h5sparse_shape": np.array(SHAPE, "f8")})
    np.testing.assert_array_equal(whole(opened(group)), matrix.toarray())


@pytest.mark.parametrize("form", ["csr", "csc", "dense"])
def test_zarr(tmp_path, matrix, form):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    write_elem(group, "X", matrix.toarray() if form == "dense" else matrix.asformat(form))
    np.testing.assert_array_equal(whole(opened(group["X"]), 50), matrix.toarray())


def change(part, edit):
    def spoil(group):
        values = edit(group[part][:])
        del group[part]
        group[part] = values

    return spoil


def at(position, value):
    def edit(values):
        values[position] = value
        return values

    return edit


FAULTS = {
    "too large": (change("indices", at(5, 9999)), "index 9999, expected 0 to"),
    "negative": (change("indices", at(-1, -3)), "index -3, expected 0 to"),
    "huge": (change("indices", lambda v: at(2, 2**64 - 1)(v.astype("u8"))), "indices up to 1844"),
    "fractional": (change("indices", lambda v: v + 0.5), "indices that are fractional"),
    "complex": (change("indices", lambda v: v * 1j), "indices of type complex"),
    "text": (change("indices", lambda v: v.astype("S4")), "indices of type |S4"),
    "decreasing": (change("indptr", at(2, 0)), "indptr that decreases"),
    "first": (change("indptr", at(0, 1)), "indptr from 1 to"),
    "last": (change("indptr", lambda v: at(-1, v[-1] + 1)(v)), "indptr from 0 to"),
    "negative pointer": (change("indptr", at(3, -1)), "indptr that decreases"),
    "short pointers": (change("indptr", lambda v: v[:-1]), "indptr of shape"),
    "fewer values": (change("data", lambda v: v[:-1]), "expected as many of both"),
    "complex values": (change("data", lambda v: v * 1j), "holds values of type complex64"),
    "text values": (change("data", lambda v: v.astype("S4")), "holds values of type text"),
}


@pytest.mark.parametrize("form", ["csr", "csc"])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_matrix_is_refused(file, matrix, form, fault):
    spoil, message = FAULTS[fault]
    group = parts(file, matrix.asformat(form))
    spoil(group)
    with pytest.raises(InputError, match=r"dataset\.layer: X of file\.h5 (has|holds) ") as raised:
        whole(opened(group))
    assert message in str(raised.value)
    assert "write the matrix again" in str(raised.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full(SHAPE, b"1"), "holds values of type text"),
        (np.ones(SHAPE, complex), "holds values of type complex128"),
        (np.ones(SHAPE[::-1]), "it has the genes as rows: transpose it"),
        (np.ones(97), "the matrix has shape (97,), expected 97 cells × 13 genes"),
        (np.ones((97, 13, 2)), "the matrix has shape (97, 13, 2)"),
    ],
)
def test_dense_arrays_that_are_no_matrix_are_refused(file, values, message):
    file["X"] = values
    with pytest.raises(InputError) as raised:
        whole(opened(file["X"]))
    assert message in str(raised.value)


def test_other_elements_are_refused(file, matrix):
    with pytest.raises(InputError, match="is a group without data and indices and indptr"):
        opened(file.create_group("empty"))
    with pytest.raises(InputError, match="is a coo, expected a dense, CSR or CSC matrix"):
        opened(parts(file, matrix, **{"encoding-type": "coo"}))


def test_values_that_cannot_be_read_are_told(file, matrix, monkeypatch):
    file.create_dataset("X", data=matrix.toarray(), chunks=(10, 13), fletcher32=True)
    offset = file["X"].id.get_chunk_info(3).byte_offset
    path, _ = file.filename, file.close()
    with open(path, "r+b") as raw:
        raw.seek(offset)
        raw.write(b"\xff" * 8)
    with h5py.File(path) as spoilt, pytest.raises(InputError, match=r"X of file\.h5 can't be read"):
        whole(opened(spoilt["X"]))
