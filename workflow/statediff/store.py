"""Files of the stages: partial reading of h5ad, row blocks of matrices, atomic writing.

Expression matrices are only ever seen as consecutive blocks of rows (cells), in CSR form.
"""

import hashlib
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from scipy import sparse

from statediff import InputError
from statediff.disk import create_h5
from statediff.progress import followed

__all__ = [
    "add_arrays",
    "create_h5ad",
    "create_slot",
    "described",
    "drop_layers",
    "is_stored",
    "labels_of",
    "matrix_shape",
    "open_h5ad",
    "read_arrays",
    "read_chunks",
    "read_columns",
    "read_labels",
    "read_levels",
    "read_names",
    "read_rows",
    "row_blocks",
    "take_rows",
    "write_arrays",
    "write_csr",
]

# Stored values read at a time, about 200 MB with their indices.
BLOCK_VALUES = 1 << 24
# Stored values that 32 bits can count.
MOST_INT32 = np.iinfo(np.int32).max
CHUNK = 1 << 18
# Rows of a dense array that are read at a time.
ROWS = 1 << 14
# Column of var with the symbols of genes whose index has identifiers.
LABELS = "feature_name"


def described(path):
    """Identity of a file: name, size and checksum, computed while reading.

    Of a folder, such as a zarr store, these are of all files in it and their names.

    Returns
    -------
    dict
        `file` (its name, without folders), `bytes`, `sha256`.
    """
    path = Path(path)
    if path.is_dir():
        files = {str(p.relative_to(path)): p for p in path.rglob("*") if p.is_file()}
        parts = [(name, described(files[name])) for name in sorted(files)]
        text = "".join(f"{part['sha256']}  {name}\n" for name, part in parts)
        digest = hashlib.sha256(text.encode()).hexdigest()
        size = sum(part["bytes"] for _, part in parts)
        return {"file": path.name, "bytes": size, "sha256": digest}
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": digest}


def open_h5ad(path):
    """Open an h5ad file for reading.

    Raises
    ------
    InputError
        If the file is missing, is not HDF5, is truncated, or holds no AnnData.
    """
    try:
        file = h5py.File(path, "r")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(
            f"{path}: not an h5ad file, or a truncated one ({error}); expected an AnnData "
            "written with write_h5ad (dataset.source)"
        ) from None
    if "obs" not in file or "var" not in file:
        found = ", ".join(file) or "nothing"
        file.close()
        raise InputError(f"{path}: an HDF5 file but no h5ad: it holds {found}, not obs and var")
    return file


@contextmanager
def create_h5ad(path):
    """Write an h5ad file element by element, atomically; gives the open HDF5 file."""
    with create_h5(path) as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        yield file
        for slot in ("layers", "obsm", "obsp", "uns", "varm", "varp"):
            create_slot(file, slot)


def drop_layers(path, names):
    """Rewrite an h5ad file without some of its layers; everything else is copied unchanged.

    The space of what is deleted within an HDF5 file is not given back. A killed job leaves the
    file as it was.
    """
    path = Path(path).resolve()  # the file, where this is a link
    with h5py.File(path, "r") as file, create_h5(path) as kept:
        kept.attrs.update(file.attrs)
        for slot in file:
            if slot != "layers":
                file.copy(slot, kept)
        layers = create_slot(kept, "layers")
        for name, layer in file["layers"].items():
            if name not in names:
                file.copy(layer, layers)


def create_slot(file, slot):
    """The group of an AnnData mapping such as layers, made if it is not there."""
    group = file.require_group(slot)
    group.attrs.update({"encoding-type": "dict", "encoding-version": "0.1.0"})
    return group


def matrix_shape(matrix):
    """Shape of a sparse matrix, in an HDF5 file or in memory."""
    return tuple(map(int, matrix.attrs["shape"] if is_stored(matrix) else matrix.shape))


def is_stored(matrix):
    """Whether a matrix is in an HDF5 file, and not in memory."""
    return isinstance(matrix, h5py.Group)


def _parts(matrix):
    """Values, columns of the values, and where rows begin, of a CSR matrix; the last as int64."""
    if is_stored(matrix):
        return matrix["data"], matrix["indices"], matrix["indptr"][:].astype(np.int64)
    return matrix.data, matrix.indices, matrix.indptr.astype(np.int64)


def row_blocks(matrix, block_values=BLOCK_VALUES):
    """Read a matrix that `write_csr` wrote, or one in memory, as consecutive row blocks.

    Those of users' files are read by `statediff.matrices`, which checks them.

    Parameters
    ----------
    matrix : h5py.Group or scipy.sparse.csr_matrix
    block_values : int
        Stored values a block should not exceed.

    Returns
    -------
    iterator of (int, scipy.sparse.csr_matrix)
        First row of a block, and the block.
    """
    return followed(_row_blocks(matrix, block_values), matrix_shape(matrix)[0], "cells read")


def _row_blocks(matrix, block_values):
    """Blocks of at most so many stored values, or of one row."""
    n_rows, n_columns = matrix_shape(matrix)
    data, indices, indptr = _parts(matrix)
    start = 0
    while start < n_rows:
        stop = np.searchsorted(indptr, indptr[start] + block_values, side="right") - 1
        stop = int(min(max(stop, start + 1), n_rows))
        values = slice(indptr[start], indptr[stop])
        parts = data[values], indices[values], indptr[start : stop + 1] - indptr[start]
        yield start, sparse.csr_matrix(parts, shape=(stop - start, n_columns))
        start = stop


def read_columns(matrix, columns):
    """Read chosen columns (genes) of a matrix, in one pass over its row blocks.

    Returns
    -------
    scipy.sparse.csr_matrix, shape (rows, len(columns))
    """
    return sparse.vstack([block[:, columns] for _, block in row_blocks(matrix)], format="csr")


def read_rows(matrix, rows):
    """Read chosen rows (cells), in increasing order, of a CSR matrix in a file or in memory.

    Returns
    -------
    scipy.sparse.csr_matrix, shape (len(rows), columns)
    """
    data, indices, indptr = _parts(matrix)
    lengths = indptr[rows + 1] - indptr[rows]
    data, indices = (
        np.concatenate([values[indptr[row] : indptr[row + 1]] for row in rows])
        for values in (data, indices)
    )
    shape = len(rows), matrix_shape(matrix)[1]
    return sparse.csr_matrix((data, indices, np.append(0, np.cumsum(lengths))), shape=shape)


def take_rows(array, rows):
    """Rows of a dense array, in a file or in memory, in any order.

    Parameters
    ----------
    array : h5py.Dataset or ndarray, shape (n, ...)
        One in a file is read a block at a time.
    rows : ndarray of int

    Returns
    -------
    ndarray, shape (len(rows), ...)
    """
    found = np.empty((len(rows), *array.shape[1:]), array.dtype)
    for start in range(0, len(array), ROWS):
        here = np.flatnonzero((rows >= start) & (rows < start + ROWS))
        found[here] = array[start : start + ROWS][rows[here] - start]
    return found


def read_names(frame):
    """Names in the index of a data frame (obs or var) of an h5ad file.

    Much faster to begin with than anndata, for those who need no more.

    Returns
    -------
    ndarray of str, shape (rows,)
    """
    return frame[frame.attrs["_index"]].asstr()[:]


def read_labels(genes):
    """Names by which genes are shown: `feature_name`, as CELLxGENE and 10x have it, if it is there.

    A gene without one, or that shares it with another, is shown by its name in the index.

    Parameters
    ----------
    genes : h5py.Group
        The data frame var of a store.

    Returns
    -------
    ndarray of str, shape (genes,)
    """
    names = read_names(genes)
    if LABELS not in genes:
        return names
    return labels_of(names, *read_levels(genes[LABELS]))


def labels_of(names, codes, levels):
    """Names by which genes are shown, of the levels of their column `feature_name`.

    Parameters
    ----------
    names : ndarray of str, shape (genes,)
    codes : ndarray of int, shape (genes,)
    levels : ndarray of str

    Returns
    -------
    ndarray of str, shape (genes,)
        The names where the labels are not unique.
    """
    unique = (codes >= 0) & (np.bincount(codes + 1, minlength=len(levels) + 1)[codes + 1] == 1)
    labels = names.copy()
    labels[unique] = levels[codes[unique]]
    return labels if len(set(labels)) == len(labels) else names


def read_levels(column):
    """Levels of a column of a data frame (obs or var) of an h5ad file, whatever its type.

    Much faster to begin with than anndata, for those who need no more.

    Parameters
    ----------
    column : h5py.Dataset or h5py.Group
        Strings, numbers or booleans as AnnData stores them, categorical or not; some may be
        missing.

    Returns
    -------
    codes : ndarray of int, shape (rows,)
        Index into the levels; −1 where the value is missing.
    levels : ndarray of str
        Names of the categories in their order, or of the values that occur, sorted.
    """
    if isinstance(column, h5py.Group) and "codes" in column:
        levels, _ = _known_values(column["categories"])
        return column["codes"][:].astype(np.int32), levels.astype(str).astype(object)
    values, known = _known_values(column)
    codes = np.full(len(values), -1, dtype=np.int32)
    levels, codes[known] = np.unique(values[known], return_inverse=True)
    return codes, levels.astype(str).astype(object)


def _known_values(column):
    """Values of a column that is not categorical, and which of them are not missing."""
    if isinstance(column, h5py.Group):
        return _values(column["values"]), ~column["mask"][:]
    values = _values(column)
    return values, values == values


def write_csr(group, blocks, n_columns):
    """Append row blocks to a new CSR matrix in an HDF5 group.

    Parameters
    ----------
    group : h5py.Group
        Empty; becomes a matrix AnnData can read.
    blocks : iterable of scipy.sparse.csr_matrix
    n_columns : int
    """
    dtypes = {"data": np.float32, "indices": np.int32}
    for name, dtype in dtypes.items():
        group.create_dataset(name, (0,), dtype=dtype, maxshape=(None,), chunks=(CHUNK,))
    indptr = [np.zeros(1, dtype=np.int64)]
    for block in blocks:
        block.sum_duplicates()
        end = indptr[-1][-1]
        for name in dtypes:
            group[name].resize((end + block.nnz,))
            group[name][end:] = getattr(block, name)
        indptr.append(end + block.indptr[1:].astype(np.int64))
    indptr = np.concatenate(indptr)
    # Both of one type: much of scipy, and so of scanpy, refuses a mixture.
    if indptr[-1] > MOST_INT32:
        _widen(group)
    group["indptr"] = indptr.astype(group["indices"].dtype)
    group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
    group.attrs["shape"] = np.array([len(indptr) - 1, n_columns])


def _widen(group):
    """Give the column of each value of a CSR matrix 64 bits."""
    narrow = group["indices"]
    del group["indices"]
    wide = group.create_dataset(
        "indices", narrow.shape, dtype=np.int64, maxshape=(None,), chunks=(CHUNK,)
    )
    for start in range(0, len(narrow), BLOCK_VALUES):
        block = slice(start, start + BLOCK_VALUES)
        wide[block] = narrow[block]


def write_arrays(path, arrays, **attributes):
    """Write named arrays and scalar attributes to an HDF5 file, atomically."""
    with create_h5(path) as file:
        add_arrays(file, arrays, **attributes)


def add_arrays(file, arrays, **attributes):
    """Write named arrays and scalar attributes to an HDF5 file that is open."""
    for name, values in arrays.items():
        file[name] = values
    file.attrs.update(attributes)


def read_arrays(path, *names):
    """Read arrays by name (all if none is named) and the attributes of an HDF5 file.

    Returns
    -------
    arrays : dict of ndarray
    attributes : dict
    """
    with h5py.File(path, "r") as file:
        attributes = {k: v.item() if hasattr(v, "item") else v for k, v in file.attrs.items()}
        return {name: _values(file[name]) for name in names or file}, attributes


def read_chunks(paths, names):
    """Arrays of the genes from files that each hold a chunk of them.

    Parameters
    ----------
    paths : sequence of path
        In any order; each has the index of its first gene, ``start``.
    names : sequence of str
        Arrays to read, of which a file may lack some.

    Returns
    -------
    dict of ndarray, shape (genes,)
    """
    with h5py.File(paths[0], "r") as chunk:
        there = [name for name in names if name in chunk]
    chunks = [read_arrays(path, "start", *there)[0] for path in paths]
    chunks.sort(key=lambda chunk: chunk["start"])
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in there}


def _values(dataset):
    return (dataset.asstr() if h5py.check_string_dtype(dataset.dtype) else dataset)[()]
