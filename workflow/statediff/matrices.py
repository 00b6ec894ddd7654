"""Matrices of users' files as row blocks in CSR form, validated while they are read.

A file of another program, or a damaged one, can contain indices outside the matrix. Scipy does not
check them and would read other memory. Therefore all values are checked here.
"""

import numpy as np
from scipy import sparse

from statediff import InputError
from statediff.elements import attribute, is_array, member
from statediff.progress import followed
from statediff.store import BLOCK_VALUES, MOST_INT32

__all__ = ["Matrix"]

PARTS = ("data", "indices", "indptr")
REWRITE = "the file is damaged, or another program wrote it wrongly; write the matrix again"


class Matrix:
    """A matrix of cells and genes in a user's file; opening it reads no values.

    Parameters
    ----------
    element : h5py.Dataset, h5py.Group, zarr.Array or zarr.Group
        Dense, CSR or CSC, with or without AnnData's attributes.
    name : str
        File and place, for messages.
    option : str
        Key of the configuration that chose this matrix, for messages.
    expected : tuple of int
        Cells and genes of the file.
    transposed : bool
        Whether the file has genes as rows, as those of 10x have: its columns are the cells.

    Attributes
    ----------
    shape : tuple of int
    stored : int
        Stored values.
    by_columns : bool
        Whether rows can't be read one by one, so that all stored values are held in memory.
    """

    def __init__(self, element, name, option, expected, transposed=False):
        self._element, self._name, self._option = element, name, option
        self._dense, self.by_columns = is_array(element), False
        if self._dense:
            self.shape = tuple(map(int, element.shape))
            self.stored = int(np.prod(self.shape))
        else:
            if missing := [part for part in PARTS if part not in element]:
                kind = attribute(element, "encoding-type") or "group"
                self._refuse(
                    f"is a {kind} without {' and '.join(missing)}",
                    "expected a dense, CSR or CSC matrix",
                )
            for part in PARTS:
                found = member(element, part)
                if not is_array(found) or len(found.shape) != 1:
                    self._refuse(f"has {part} that is no list", "expected one of numbers")
            self.shape = self._sparse_shape(expected)
            self.stored = int(element["data"].shape[0])
            self.by_columns = self._is_csc()
        if transposed:
            self.shape, self.by_columns = self.shape[::-1], not self.by_columns
        if self.shape != tuple(expected):
            turned = self.shape == tuple(expected)[::-1]
            hint = "; it has the genes as rows: transpose it" if turned else ""
            raise InputError(
                f"{option}: the matrix has shape {self.shape}, expected {expected[0]} cells × "
                f"{expected[1]} genes{hint}"
            )

    def blocks(self, block_values=BLOCK_VALUES):
        """Read consecutive row blocks.

        Parameters
        ----------
        block_values : int
            Stored values a block should not exceed.

        Yields
        ------
        start : int
            First row of the block.
        block : scipy.sparse.csr_matrix
            Indices sorted, and no position stored twice: such values are summed.

        Raises
        ------
        InputError
            If values or indices can't be those of a matrix of this shape, or can't be read.
        """
        if self._dense:
            found = self._of_dense(block_values)
        elif self.by_columns:
            found = self._of_columns(block_values)
        else:
            found = self._of_rows(block_values)
        try:
            for start, block in followed(found, self.shape[0], "cells read"):
                block.sum_duplicates()
                yield start, block
        except OSError as error:
            self._refuse(
                f"can't be read ({error})",
                "the file is damaged, or compressed by an unknown filter",
            )

    def _sparse_shape(self, expected):
        shape = self._element.attrs.get("shape", self._element.attrs.get("h5sparse_shape"))
        if shape is None:
            return tuple(expected)
        return tuple(int(n) for n in np.ravel(shape))

    def _is_csc(self):
        """Shape from the attributes of the file, or else from the number of pointers."""
        format = attribute(self._element, "encoding-type") or attribute(
            self._element, "h5sparse_format"
        )
        if format in (None, "", "dict"):
            pointers = self._element["indptr"].shape[0] - 1
            return pointers != self.shape[0] and pointers == self.shape[1]
        if str(format)[:3] not in ("csr", "csc"):
            self._refuse(f"is a {format}", "expected a dense, CSR or CSC matrix")
        return str(format)[:3] == "csc"

    def _of_dense(self, block_values):
        n_rows, n_columns = self.shape
        self._check_numeric(self._element.dtype)
        step = max(1, block_values // max(n_columns, 1))
        for start in range(0, n_rows, step):
            yield start, sparse.csr_matrix(self._numbers(self._element[start : start + step]))

    def _of_rows(self, block_values):
        n_rows, n_columns = self.shape
        indptr = self._pointers(n_rows)
        start = 0
        while start < n_rows:
            stop = np.searchsorted(indptr, indptr[start] + block_values, side="right") - 1
            stop = int(min(max(stop, start + 1), n_rows))
            part, pointers = slice(indptr[start], indptr[stop]), indptr[start : stop + 1]
            indices = self._indices(part, n_columns, "column")
            data = self._numbers(self._element["data"][part])
            parts = data, indices, pointers - indptr[start]
            yield start, sparse.csr_matrix(parts, shape=(stop - start, n_columns))
            start = stop

    def _of_columns(self, block_values):
        n_rows, n_columns = self.shape
        indptr, everything = self._pointers(n_columns), slice(None)
        indices = self._indices(everything, n_rows, "row")
        parts = self._numbers(self._element["data"][:]), indices, indptr
        matrix = sparse.csc_matrix(parts, shape=self.shape).tocsr()
        step = max(1, int(block_values * n_rows / max(matrix.nnz, 1)))
        for start in range(0, n_rows, step):
            yield start, matrix[start : start + step]

    def _pointers(self, n):
        """Where rows (of CSC: columns) begin and end, checked."""
        self._check_numeric(self._element["data"].dtype)
        lengths = {part: self._element[part].shape for part in PARTS}
        if lengths["data"] != lengths["indices"] or len(lengths["data"]) != 1:
            self._refuse(
                f"has {lengths['data']} values and {lengths['indices']} indices",
                "expected as many of both",
            )
        if lengths["indptr"] != (n + 1,):
            self._refuse(f"has indptr of shape {lengths['indptr']}", f"expected {(n + 1,)}")
        indptr = self._integers(self._element["indptr"][:], "indptr").astype(np.int64)
        if indptr[0] != 0 or indptr[-1] != self.stored:
            self._refuse(
                f"has indptr from {indptr[0]} to {indptr[-1]}", f"expected 0 to {self.stored}"
            )
        if (np.diff(indptr) < 0).any():
            self._refuse("has indptr that decreases", "expected it to increase")
        return indptr

    def _indices(self, part, n, kind):
        """Columns (of CSC: rows) of some stored values, checked."""
        indices = self._integers(self._element["indices"][part], "indices")
        if indices.size:
            low, high = indices.min(), indices.max()
            if low < 0 or high >= n:
                self._refuse(
                    f"has the {kind} index {low if low < 0 else high}", f"expected 0 to {n - 1}"
                )
        return indices.astype(np.int32, copy=False) if n <= MOST_INT32 else indices

    def _integers(self, values, part):
        """Indices as signed integers, from whole numbers of any type."""
        if values.dtype.kind not in "iuf":
            self._refuse(f"has {part} of type {values.dtype}", "expected whole numbers")
        if values.dtype.kind == "f" and not (
            np.isfinite(values).all() and (values == np.round(values)).all()
        ):
            self._refuse(f"has {part} that are fractional", "expected whole numbers")
        # Larger ones would turn negative.
        if values.dtype.kind == "u" and values.size and values.max() > np.iinfo(np.int64).max:
            self._refuse(f"has {part} up to {values.max()}", "expected fewer")
        if values.dtype.kind == "i":
            return values.astype(values.dtype.newbyteorder("="), copy=False)
        return values.astype(np.int64)

    def _check_numeric(self, dtype):
        if dtype.kind not in "biuf":
            self._refuse(f"holds values of type {_type_name(dtype)}", "expected real numbers")

    def _numbers(self, values):
        """Values of a type that scipy computes with, exactly."""
        kind, bytes_ = values.dtype.kind, values.dtype.itemsize
        if kind == "b" or bytes_ < 4:
            return values.astype(np.float32)
        if kind == "u" or bytes_ > 8:
            return values.astype(np.float64)
        return values.astype(values.dtype.newbyteorder("="), copy=False)

    def _refuse(self, found, expected):
        raise InputError(f"{self._option}: {self._name} {found}, {expected}; {REWRITE}")


def _type_name(dtype):
    return "text" if dtype.kind in "OSUT" else "a table" if dtype.names else str(dtype)
