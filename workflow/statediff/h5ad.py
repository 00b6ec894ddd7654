"""The AnnData of a user's file, read piece by piece; also counts of 10x Genomics.

Whatever wrote the file, what is read is in a plain form (`statediff.elements`). Matrices are not
read here but streamed (`statediff.matrices`).
"""

import warnings
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from statediff import DataWarning, InputError
from statediff.elements import (
    as_names,
    attribute,
    children,
    is_array,
    length,
    member,
    native,
    paths,
    plain,
    read,
    read_column,
)
from statediff.matrices import Matrix

__all__ = ["Source", "TenX"]

# Mappings of an AnnData, but for its layers.
SLOTS = ("obsm", "varm", "obsp", "varp", "uns")


class Source:
    """An AnnData in a user's file, read piece by piece.

    Parameters
    ----------
    root : h5py.Group or zarr.Group
        That holds obs, var and so on.
    path : Path
        For messages.
    shared : h5py.Group, optional
        That holds the annotation of the cells of all modalities.
    prefix : str
        Of columns there that come from this modality.
    """

    def __init__(self, root, path, shared=None, prefix=""):
        self._root, self.path = root, Path(path)
        self._shared, self._prefix = shared, prefix

    @cached_property
    def obs(self):
        """Annotation of the cells, a data frame."""
        table = self._frame(member(self._root, "obs"), "obs")
        if self._shared is None:
            return table
        more = self._frame(self._shared["obs"], "obs")
        more = more[[c for c in more if c not in table and not c.startswith(self._prefix)]]
        more = more[~more.index.duplicated()]
        return table.join(more) if len(more.columns) else table

    @cached_property
    def var(self):
        """Annotation of the genes, a data frame."""
        return self._frame(member(self._root, "var"), "var")

    @cached_property
    def raw_var(self):
        """Annotation of the genes of raw, completed by that of var."""
        table = self._frame(member(self._root, self._raw("var")), "raw/var")
        if table.index.has_duplicates or self.var.index.has_duplicates:
            return table
        more = [column for column in self.var if column not in table]
        return table.join(self.var[more]) if len(more) else table

    @property
    def has_raw(self):
        """Whether raw holds a matrix."""
        return self._raw("X") in self._root

    @property
    def n_cells(self):
        """Number of cells, without reading their annotation."""
        return length(member(self._root, "obs"))

    @property
    def n_genes(self):
        """Number of genes, without reading their annotation."""
        return length(member(self._root, "var"))

    @property
    def record(self):
        """What `statediff.store.described` said of the file that a file of ours was made of."""
        return self._root.attrs["source"]

    @property
    def has_x(self):
        """Whether X is there; AnnData may write it as null."""
        return "X" in self._root and attribute(member(self._root, "X"), "encoding-type") != "null"

    def levels(self, column):
        """Number of levels of a column of obs; quick where it is categorical.

        Returns
        -------
        int
        """
        table = member(self._root, "obs")
        categories = f"{column}/categories"
        if not is_array(table) and categories in table:
            return length(table[categories])
        return int(self.obs[column].nunique())

    def keys(self, slot):
        """Names in a mapping such as obsm; those within groups as paths."""
        if slot not in self._root:
            return []
        try:
            group = self._root[slot]
        except (KeyError, OSError, RuntimeError) as error:  # a link to nothing
            self.warn(slot, error)
            return []
        if is_array(group):  # of anndata 0.6
            return list(group.dtype.names or ())
        if slot == "uns":
            return [key for key in children(group) if key not in self._old_categories]
        return sorted(paths(group))

    def has(self, slot, key):
        """Whether a mapping has a name."""
        return key in self.keys(slot) or (bool(self.keys(slot)) and f"{slot}/{key}" in self._root)

    def read(self, slot, key):
        """An element of a mapping, in plain form."""
        group = self._root[slot]
        if is_array(group):
            return native(group[key])
        value = read(group[key])
        axis = {"obsm": "obs", "varm": "var"}.get(slot)
        if axis and hasattr(value, "index"):
            value.index = getattr(self, axis).index
        return value

    def readable(self, slot, without=()):
        """What a mapping holds, but for some names; warns of what can't be read.

        Returns
        -------
        dict
        """
        lengths = [self.n_cells if slot.startswith("obs") else self.n_genes]
        lengths = lengths * (2 if slot.endswith("p") else 1)
        found = {}
        for key in self.keys(slot):
            if key in without:
                continue
            try:
                value = self.read(slot, key)
                shape = np.shape(value)
                fits = len(shape) > 1 and list(shape[: len(lengths)]) == lengths
                if slot != "uns" and not fits:
                    expected = " × ".join([*map(str, lengths), "any"][:2])
                    raise ValueError(f"its shape is {shape}, expected {expected}")
            except Exception as error:
                self.warn(f"{slot}[{key!r}]", error)
            else:
                if value is not None:
                    found[key] = value
        return found

    def matrix(self, name, option):
        """Expression or counts.

        Parameters
        ----------
        name : str
            "X", "raw" or a path such as "layers/counts".
        option : str
            Key of the configuration that chose it.

        Returns
        -------
        statediff.matrices.Matrix
        """
        var, name = ("raw/var", self._raw("X")) if name == "raw" else ("var", name)
        table = member(self._root, self._raw("var") if var == "raw/var" else "var")
        expected = self.n_cells, length(table)
        return Matrix(member(self._root, name), f"{name} of {self.path}", option, expected)

    def _raw(self, part):
        """Where a part of raw is: anndata 0.6 wrote a dot."""
        return f"raw.{part}" if f"raw.{part}" in self._root else f"raw/{part}"

    @cached_property
    def _old_categories(self):
        """Names in uns that hold categories of obs and var, as anndata 0.6 had them."""
        if not is_array(member(self._root, "obs")) or "uns" not in self._root:
            return {}
        columns = {name for slot in ("obs", "var") for name in self._root[slot].dtype.names or ()}
        return {
            f"{name}_categories": name
            for name in columns
            if f"{name}_categories" in self._root["uns"]
        }

    def _frame(self, element, name):
        """obs or var as a data frame, its index of unique type: text."""
        import pandas as pd

        title, index, columns = (self._old_frame if is_array(element) else self._new_frame)(
            element, name
        )
        index = as_names(index, f"{self.path}: {name}")
        for column, values in [*columns.items()]:
            try:
                columns[column] = _checked(values, len(index))
            except ValueError as error:
                del columns[column]
                self.warn(f"{name} column {column!r}", error)
        # AnnData reserves this name.
        if "_index" in columns:
            values = columns.pop("_index")
            if list(map(str, values)) != list(index) and "index" not in columns:
                columns["index"] = values
        table = plain(pd.DataFrame(columns, index=pd.Index(index, dtype=object)))
        # A column of the same name may differ from the index, which AnnData does not write.
        table.index.name = None if title in columns or title == "_index" else title
        return table

    def _new_frame(self, group, name):
        """Name and values of the index, and columns, of a table that is a group."""
        key = attribute(group, "_index")
        if key is None or key not in group:
            known = [k for k in ("_index", "index") if k in group]
            if not known:
                raise InputError(
                    f"{self.path}: {name} has no index of names; expected one, as AnnData writes it"
                )
            key = known[0]
        listed = group.attrs.get("column-order", ())
        listed = [] if isinstance(listed, h5py.Empty) else list(np.ravel(listed))
        listed = [c.decode() if isinstance(c, bytes) else c for c in listed]
        if not listed or not all(isinstance(column, str) for column in listed):
            listed = [column for column in children(group) if column not in (key, "__categories")]
        columns = {}
        for column in listed:
            try:
                columns[column] = read_column(group, column)
            except Exception as error:
                self.warn(f"{name} column {column!r}", error)
        try:
            return key, read(group[key]), columns
        except Exception as error:
            raise InputError(
                f"{self.path}: the names in the index of {name} can't be read ({error}); copy the "
                "file again, or write it again with AnnData"
            ) from None

    def _old_frame(self, dataset, name):
        """The same of a table of anndata 0.6, an array of records."""
        import pandas as pd

        if not dataset.dtype.names:
            raise InputError(f"{self.path}: {name} is an array of numbers, expected a table")
        values = dataset[()]
        index, *names = values.dtype.names
        columns = {column: native(values[column]) for column in names if values[column].ndim == 1}
        for key, column in self._old_categories.items():
            codes = columns.get(column)
            if codes is None or codes.dtype.kind not in "iu":
                continue
            categories = np.atleast_1d(read(self._root["uns"][key]))
            # obs and var shared one entry: it may be of the other.
            if len(codes) and codes.min() >= -1 and codes.max() < len(categories):
                columns[column] = pd.Categorical.from_codes(codes, categories)
        return None, native(values[index]), columns

    def warn(self, what, error):
        """Warn that a part of the file is left out.

        Parameters
        ----------
        what : str
        error : Exception or str
        """
        reason = " ".join(str(error).split())[:200]
        warnings.warn(
            f"{what} of {self.path.name} can't be read and was left out ({reason}): see "
            "docs/warnings.md#unreadable-parts",
            DataWarning,
            stacklevel=2,
        )


def _checked(values, n_rows):
    """A column in a form that can be written; a ValueError says why there is none."""
    import pandas as pd

    shape = np.shape(values)
    if shape != (n_rows,):
        raise ValueError(f"its shape is {shape}, expected ({n_rows},)")
    categorical = isinstance(values, pd.Categorical)
    levels = values.categories.to_numpy() if categorical else values
    kind = getattr(levels.dtype, "kind", "O")
    if kind in "cV":
        raise ValueError(f"it holds values of type {levels.dtype}")
    if kind != "O" or isinstance(levels.dtype, pd.api.extensions.ExtensionDtype):
        return values
    if any(not np.isscalar(level) and not pd.isna(level) for level in levels):
        raise ValueError("it holds arrays")
    if all(isinstance(level, str) or pd.isna(level) for level in levels):
        return values
    # A mixture, such as of text and numbers.
    return pd.Categorical([None if pd.isna(one) else str(one) for one in values])


class TenX(Source):
    """Counts of 10x Genomics (Cell Ranger), of versions 2 and later.

    Genes are named by their identifiers, their symbols are the column `feature_name`; `library` is
    the number at the end of a barcode. Features other than genes (antibodies, guides) are refused.
    """

    @cached_property
    def obs(self):
        import pandas as pd

        barcodes = as_names(read(member(self._root, "barcodes")), f"{self.path}: barcodes")
        library = pd.Categorical([name.rpartition("-")[2] for name in barcodes])
        return pd.DataFrame({"library": library}, index=pd.Index(barcodes, dtype=object))

    @cached_property
    def var(self):
        import pandas as pd

        table = self._root.get("features", self._root)
        keys = ("id", "name") if "id" in table else ("genes", "gene_names")
        if missing := [key for key in keys if key not in table]:
            raise InputError(
                f"{self.path}: counts of 10x without {' and '.join(missing)}; expected the names "
                "of the genes (dataset.source)"
            )
        ids, names = (table[key] for key in keys)
        index = pd.Index(as_names(read(ids), f"{self.path}: features"), dtype=object)
        found = pd.DataFrame({"feature_name": pd.Categorical(read(names))}, index=index)
        if "feature_type" in table:
            kinds = sorted(set(read(table["feature_type"])) - {"Gene Expression"})
            if kinds:
                raise InputError(
                    f"{self.path}: holds {', '.join(kinds)} beside genes; keep the genes alone: "
                    "scanpy.read_10x_h5(…, gex_only=True).write_h5ad(…) (dataset.source)"
                )
        return found

    has_raw, has_x = False, True

    @property
    def n_cells(self):
        return int(member(self._root, "barcodes").shape[0])

    @property
    def n_genes(self):
        return int(member(self._root, "shape")[0])

    def keys(self, slot):
        return []

    def has(self, slot, key):
        return False

    def matrix(self, name, option):
        expected = self.n_cells, self.n_genes
        where = f"the matrix of {self.path}"
        return Matrix(_Columns(self._root), where, option, expected, transposed=True)


class _Columns:
    """The group of counts by 10x as a CSC matrix, which its attributes do not say."""

    def __init__(self, group):
        self._group = group
        shape = tuple(map(int, group["shape"][:]))
        self.attrs = {"encoding-type": "csc_matrix", "shape": shape}

    def __contains__(self, name):
        return name in self._group

    def __getitem__(self, name):
        return self._group[name]
