"""Reading users' files: h5ad of any age and origin, zarr stores, MuData, counts of 10x.

Whatever wrote the file, what is read is in a plain form that every AnnData since 0.7 writes and
reads: names are text, text in tables is categorical or an array of objects, numbers have this
machine's byte order. Matrices are not read here but streamed (`statediff.matrices`).
"""

import errno
import warnings
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
from scipy import sparse

from statediff import DataWarning, InputError
from statediff.matrices import Matrix, attribute, is_array

__all__ = ["Source", "open_source"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
# What a file that is not HDF5 begins with, what that is, and what to do about it.
FOREIGN = (
    (
        b"version https://git-lfs",
        "a pointer of Git LFS, not the data",
        "fetch it with git lfs pull",
    ),
    (b"\x1f\x8b", "compressed by gzip, or an RDS file of R", "unpack it with gunzip"),
    (b"PK\x03\x04", "a zip archive", "unpack it"),
    (b"BZh", "compressed by bzip2", "unpack it with bunzip2"),
    (b"\xfd7zXZ", "compressed by xz", "unpack it with unxz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it with unzstd"),
    (b"RDX", "an R workspace", "convert it in R"),
    (b"<", "a web page, perhaps that of a failed download", "download the file itself"),
    (b"%%MatrixMarket", "a Matrix Market file", "read it with scanpy.read_mtx"),
)
OF_R = (
    "in R, anndataR::write_h5ad (or zellkonverter::writeH5AD) converts a SingleCellExperiment or "
    "Seurat object to h5ad"
)
# Endings of files of R.
R_FILES = (".rds", ".rda", ".rdata", ".qs", ".qs2")
ZARR = (".zgroup", "zarr.json", ".zmetadata")
# Groups that hold several AnnData: of MuData, and of SpatialData.
CONTAINERS = ("mod", "tables")
# Mappings of an AnnData, but for its layers.
SLOTS = ("obsm", "varm", "obsp", "varp", "uns")


@contextmanager
def open_source(path, modality=None):
    """Open a user's file for reading.

    Parameters
    ----------
    path : path
        An h5ad or h5mu file, a zarr store, or an h5 file of counts by 10x Genomics.
    modality : str, optional
        Which of several AnnData, where the file holds several.

    Yields
    ------
    Source

    Raises
    ------
    InputError
        If the file can't be read; the message says what it is and how to convert it.
    """
    path = Path(path)
    root = _open_zarr(path) if path.is_dir() else _open_hdf5(path)
    try:
        yield _recognised(root, path, modality)
    finally:
        if isinstance(root, h5py.File):
            root.close()


def _open_zarr(path):
    if not any((path / name).is_file() for name in ZARR):
        hint = (
            "; scanpy.read_10x_mtx reads it" if [*path.glob("*matrix.mtx*")] else ""
        )  # fmt: skip
        raise InputError(
            f"{path}: a folder, but no zarr store{hint}; expected an h5ad file (dataset.source)"
        )
    import zarr

    try:
        return zarr.open_group(path, mode="r")
    except Exception as error:
        raise InputError(f"{path}: a zarr store that can't be opened ({error})") from None


def _open_hdf5(path):
    import hdf5plugin  # noqa: F401 - compression filters beside those of HDF5

    try:
        with open(path, "rb") as file:
            begin = file.read(4096)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(
            f"{path}: can't be opened ({error.strerror}); expected leave to read"
        ) from None
    # HDF5 allows a block of the user's own before its signature.
    if not any(begin[offset:].startswith(SIGNATURE) for offset in (0, 512, 1024, 2048)):
        _refuse_foreign(path, begin)
    try:
        # Where the file system has no locks, none is asked for.
        return h5py.File(path, "r", locking="best-effort")
    except OSError as error:
        if error.errno == errno.EAGAIN or "lock" in str(error):
            raise InputError(
                f"{path}: locked: another program has it open for writing, such as a notebook "
                'with backed="r+"; close it there'
            ) from None
        if "truncated" in str(error):
            raise InputError(
                f"{path}: truncated ({error}); copy or download the file again"
            ) from None
        raise InputError(
            f"{path}: a damaged HDF5 file ({error}); copy or download the file again"
        ) from None


def _refuse_foreign(path, begin):
    """Say what a file is that is not HDF5."""
    what, do = "not an h5ad file", "expected an AnnData written with write_h5ad"
    if path.suffix.lower() in R_FILES:
        what, do = "a file of R", OF_R
    elif not begin:
        what, do = "empty", "copy or download the file again"
    else:
        for start, kind, remedy in FOREIGN:
            if begin.lstrip().startswith(start):
                what, do = f"not an h5ad file, but {kind}", remedy
                break
    raise InputError(f"{path}: {what}; {do} (dataset.source)")


def _recognised(root, path, modality):
    """The AnnData in an open file, by what the file holds."""
    found = set(root)
    for container in CONTAINERS:
        if container in found and (container == "tables" or "MuData" in _encoding(root, path)):
            return _modality(root, path, container, modality)
    if modality is not None:
        raise InputError(
            f"dataset.modality: found {modality!r}, expected null: {path} is no MuData (h5mu)"
        )
    if {"obs", "var"} <= found:
        return Source(root, path)
    if group := _tenx_group(root):
        return TenX(root[group], path)
    if {"row_attrs", "col_attrs", "matrix"} <= found:
        what, do = "a loom file", "scanpy.read_loom(…).write_h5ad(…) converts it"
    elif "cell.names" in found or {"assays", "meta.data"} <= found:
        what, do = "a file of SeuratDisk (h5Seurat)", f"SeuratDisk::Convert converts it; or {OF_R}"
    elif h5_like := {"X", "layers"} & found:
        what, do = (
            f"no h5ad: it holds {', '.join(sorted(h5_like))}, but not obs and var",
            "complete it",
        )
    else:
        names = ", ".join(sorted(found)[:10]) or "nothing"
        what = f"an HDF5 file but no h5ad: it holds {names}, not obs and var"
        do = "expected an AnnData written with write_h5ad"
    raise InputError(f"{path}: {what}; {do} (dataset.source)")


def _encoding(root, path):
    encoding = str(attribute(root, "encoding-type", ""))
    return "MuData" if not encoding and path.suffix == ".h5mu" else encoding


def _modality(root, path, container, modality):
    """One of several AnnData in a file, with the annotation that all of them share."""
    names = sorted(root[container])
    if modality is None and len(names) == 1:
        (modality,) = names
    if modality not in names:
        raise InputError(
            f"dataset.modality: found {modality!r}, expected one of those of {path}: "
            f"{', '.join(names)}"
        )
    shared = root if container == "mod" and "obs" in root else None
    return Source(root[container][modality], path, shared, prefix=f"{modality}:")


def _tenx_group(root):
    """Name of the group of counts in a file by 10x Genomics; those of old ones are genomes."""
    for name in root:
        if not is_array(root[name]) and {"barcodes", "data", "indices", "indptr"} <= set(
            root[name]
        ):
            return name
    return None


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
        table = self._frame(self._root["obs"], "obs")
        if self._shared is None:
            return table
        more = self._frame(self._shared["obs"], "obs")
        more = more[[c for c in more if c not in table and not c.startswith(self._prefix)]]
        more = more[~more.index.duplicated()]
        return table.join(more) if len(more.columns) else table

    @cached_property
    def var(self):
        """Annotation of the genes, a data frame."""
        return self._frame(self._root["var"], "var")

    @cached_property
    def raw_var(self):
        """Annotation of the genes of raw, completed by that of var."""
        table = self._frame(self._root[self._raw("var")], "raw/var")
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
        return _length(self._root["obs"])

    @property
    def n_genes(self):
        """Number of genes, without reading their annotation."""
        return _length(self._root["var"])

    @property
    def record(self):
        """What `statediff.store.described` said of the file that a file of ours was made of."""
        return self._root.attrs["source"]

    @property
    def has_x(self):
        """Whether X is there; AnnData may write it as null."""
        return "X" in self._root and attribute(self._root["X"], "encoding-type") != "null"

    def levels(self, column):
        """Number of levels of a column of obs; quick where it is categorical.

        Returns
        -------
        int
        """
        table = self._root["obs"]
        categories = f"{column}/categories"
        if not is_array(table) and categories in table:
            return _length(table[categories])
        return int(self.obs[column].nunique())

    def keys(self, slot):
        """Names in a mapping such as obsm; those within groups as paths."""
        if slot not in self._root:
            return []
        group = self._root[slot]
        if is_array(group):  # of anndata 0.6
            return list(group.dtype.names or ())
        if slot == "uns":
            return [key for key in group if key not in self._old_categories]
        return sorted(_paths(group))

    def has(self, slot, key):
        """Whether a mapping has a name."""
        if slot in self._root and is_array(self._root[slot]):
            return key in self.keys(slot)
        return f"{slot}/{key}" in self._root

    def read(self, slot, key):
        """An element of a mapping, in plain form."""
        group = self._root[slot]
        if is_array(group):
            return _native(group[key])
        value = _read(group[key])
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
                fits = slot == "uns" or (
                    len(value.shape) > 1 and list(value.shape[: len(lengths)]) == lengths
                )
                if not fits:
                    raise ValueError(f"its shape is {value.shape}")
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
        table = self._root[self._raw("var") if var == "raw/var" else "var"]
        expected = self.n_cells, _length(table)
        return Matrix(self._root[name], f"{name} of {self.path}", option, expected)

    def _raw(self, part):
        """Where a part of raw is: anndata 0.6 wrote a dot."""
        return f"raw.{part}" if f"raw.{part}" in self._root else f"raw/{part}"

    @cached_property
    def _old_categories(self):
        """Names in uns that hold categories of obs and var, as anndata 0.6 had them."""
        if not is_array(self._root["obs"]) or "uns" not in self._root:
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
        index = _names(index, f"{self.path}: {name}")
        for column in [key for key, values in columns.items() if len(values) != len(index)]:
            values = columns.pop(column)
            self.warn(f"{name} column {column!r}", f"{len(values)} values in {len(index)} rows")
        # AnnData reserves this name.
        if "_index" in columns:
            values = columns.pop("_index")
            if list(map(str, values)) != list(index) and "index" not in columns:
                columns["index"] = values
        table = _plain(pd.DataFrame(columns, index=pd.Index(index, dtype=object)))
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
            listed = [column for column in group if column not in (key, "__categories")]
        columns = {}
        for column in listed:
            try:
                columns[column] = _read_column(group, column)
            except Exception as error:
                self.warn(f"{name} column {column!r}", error)
        try:
            return key, _read(group[key]), columns
        except Exception as error:
            raise InputError(
                f"{self.path}: the names in the index of {name} can't be read ({error}); copy the "
                "file again, or write it again with AnnData"
            ) from None

    def _old_frame(self, dataset, name):
        """The same of a table of anndata 0.6, an array of records."""
        import pandas as pd

        values = dataset[()]
        index, *names = values.dtype.names
        columns = {column: _native(values[column]) for column in names if values[column].ndim == 1}
        for key, column in self._old_categories.items():
            codes = columns.get(column)
            if codes is None or codes.dtype.kind not in "iu":
                continue
            categories = np.atleast_1d(_read(self._root["uns"][key]))
            # obs and var shared one entry: it may be of the other.
            if len(codes) and codes.min() >= -1 and codes.max() < len(categories):
                columns[column] = pd.Categorical.from_codes(codes, categories)
        return None, _native(values[index]), columns

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


class TenX(Source):
    """Counts of 10x Genomics (Cell Ranger), of versions 2 and later.

    Genes are named by their identifiers, their symbols are the column `feature_name`; `library` is
    the number at the end of a barcode. Features other than genes (antibodies, guides) are refused.
    """

    @cached_property
    def obs(self):
        import pandas as pd

        barcodes = _names(_read(self._root["barcodes"]), f"{self.path}: barcodes")
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
        index = pd.Index(_names(_read(ids), f"{self.path}: features"), dtype=object)
        found = pd.DataFrame({"feature_name": pd.Categorical(_read(names))}, index=index)
        if "feature_type" in table:
            kinds = sorted(set(_read(table["feature_type"])) - {"Gene Expression"})
            if kinds:
                raise InputError(
                    f"{self.path}: holds {', '.join(kinds)} beside genes; keep the genes alone: "
                    "scanpy.read_10x_h5(…, gex_only=True).write_h5ad(…) (dataset.source)"
                )
        return found

    has_raw, has_x = False, True

    @property
    def n_cells(self):
        return int(self._root["barcodes"].shape[0])

    @property
    def n_genes(self):
        return int(self._root["shape"][0])

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


def _paths(group, prefix=""):
    """Names of the elements of a group; old anndata made groups of names with slashes."""
    for key in group:
        element = group[key]
        nested = not is_array(element) and attribute(element, "encoding-type", "") in ("", "dict")
        if nested and not {"data", "indices", "indptr"} <= set(element):
            yield from _paths(element, f"{prefix}{key}/")
        else:
            yield prefix + key


def _length(element):
    """Rows of a table or column, without reading it."""
    while not is_array(element):
        index = attribute(element, "_index")
        names = (index, "values", "codes", "_index", "index")
        known = [name for name in names if name is not None and name in element]
        if not known:
            raise InputError(
                f"{element.name} has no index of names; expected one, as AnnData writes it"
            )
        element = element[known[0]]
    return int(element.shape[0])


def _read_column(group, column):
    """A column of a table; anndata 0.7 and SeuratDisk keep the categories apart."""
    import pandas as pd

    element = group[column]
    reference, categories = element.attrs.get("categories"), None
    if reference is not None and is_array(element):
        # Of zarr a path, of HDF5 a reference.
        categories = group[reference]
    elif is_array(element) and "__categories" in group and column in group["__categories"]:
        categories = group["__categories"][column]
    if categories is None:
        return _read(element)
    ordered = bool(attribute(categories, "ordered", False))
    return pd.Categorical.from_codes(_read(element), _read(categories), ordered=ordered)


def _read(element):
    """An element in plain form. Arrays need no anndata, and no attributes."""
    if is_array(element) and element.shape != ():
        if h5py.check_string_dtype(element.dtype) and hasattr(element, "asstr"):
            return element.asstr("utf-8")[()]
        if element.dtype.kind in "biuf":
            return _native(element[()])
    import anndata

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", anndata.OldFormatWarning)
        return _plain(anndata.io.read_elem(element))


def _native(values):
    """Numbers in this machine's byte order, text as objects."""
    values = np.asarray(values)
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8").astype(object)
    if values.dtype.kind == "O":
        return np.array([v.decode() if isinstance(v, bytes) else v for v in values], dtype=object)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _plain(value):
    """A value without types that older anndata can't read, such as pandas' strings."""
    import pandas as pd

    if sparse.issparse(value) and value.format in ("csr", "csc"):
        value.check_format(full_check=True)  # scipy reads memory at indices beyond the shape
    if isinstance(value, dict):
        found = {key: _plain(item) for key, item in value.items()}
        return {key: item for key, item in found.items() if item is not None}
    if isinstance(value, pd.DataFrame):
        columns = {str(name): _plain(value[name].array) for name in value}
        names = _plain(value.index.array)
        if isinstance(names, pd.Categorical):
            names = np.asarray(names, dtype=object)
        index = pd.Index(names, dtype=names.dtype)
        return pd.DataFrame(columns, index=index)
    if isinstance(value, pd.Categorical):
        return value.rename_categories(pd.Index(_plain(value.categories.array)))
    if isinstance(value, pd.api.extensions.ExtensionArray):
        if not isinstance(value.dtype, pd.StringDtype):
            return value if not hasattr(value, "to_numpy") or _nullable(value) else value.to_numpy()
        # A missing text is none of the texts; only categories have it in every version.
        text = value.astype(object)
        return pd.Categorical(text) if pd.isna(text).any() else np.asarray(text, dtype=object)
    if isinstance(value, np.ndarray) and value.dtype.names is None and value.shape != ():
        return value.astype(object) if value.dtype.kind in "UT" else _native_or_same(value)
    return value


def _nullable(value):
    """Whether an array of pandas has missing values that numpy has not."""
    return hasattr(value, "_mask")


def _native_or_same(value):
    return _native(value) if value.ndim == 1 or value.dtype.kind != "O" else value


def _names(values, what):
    """Names as text, whatever their type; none may be missing."""
    import pandas as pd

    values = pd.Index(values)
    if missing := int(values.isna().sum()):
        raise InputError(f"{what} has {missing} missing names in its index; expected one each")
    return np.array([str(name) for name in values], dtype=object)
