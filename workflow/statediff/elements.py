"""Elements of HDF5 files and zarr stores in a plain form, whatever wrote them.

Names are text, text is categorical or an array of objects, numbers have this machine's byte order:
what every AnnData since 0.7 writes and reads.
"""

import warnings
from pathlib import Path

import h5py
import numpy as np
from scipy import sparse

from statediff import InputError

__all__ = [
    "as_names",
    "attribute",
    "children",
    "is_array",
    "length",
    "member",
    "native",
    "paths",
    "plain",
    "read",
    "read_column",
]

# Slashes in a name; a link can make a group a part of itself.
DEEPEST = 8
# Groups within groups of a dict.
DEEPEST_GROUP = 32


def is_array(element):
    """Whether an element of an HDF5 file or a zarr store is an array, not a group."""
    return hasattr(element, "shape")


def children(group):
    """Names within a group.

    Those of a zarr store are names of folders: zarr opens every member to list them, and so lists
    none where one is of a type that it does not know.
    """
    if not hasattr(group, "store"):
        return list(group)
    folder = Path(group.store.root, group.path)
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def member(group, name):
    """An element of a group.

    Raises
    ------
    InputError
        If it is not there, a link to nothing, or damaged.
    """
    try:
        return group[name]
    except (KeyError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).strip("'\"").split())
        raise InputError(
            f"{group.name.rstrip('/')}/{name} can't be read ({reason}); copy the file again, or "
            "write it again with AnnData (dataset.source)"
        ) from None


def attribute(element, name, default=None):
    """A single attribute of an element; R writes texts as vectors, Julia as bytes."""
    value = element.attrs.get(name, default)
    if isinstance(value, h5py.Empty):
        return default
    if isinstance(value, np.ndarray | list) and np.size(value) == 1:
        value = np.ravel(value)[0]
    return value.decode() if isinstance(value, bytes) else value


def paths(group, prefix="", depth=0):
    """Names of the elements of a group; old anndata made groups of names with slashes."""
    for key in children(group):
        try:
            element = group[key]
            nested = _is_folder(element) and depth < DEEPEST
        except Exception:  # a link to nothing, or a damaged element: whoever reads it will see
            nested = False
        if nested:
            yield from paths(element, f"{prefix}{key}/", depth + 1)
        else:
            yield prefix + key


def _is_folder(element):
    """Whether a group holds elements that have names of their own."""
    if is_array(element) or attribute(element, "encoding-type", "") not in ("", "dict"):
        return False
    return not {"data", "indices", "indptr"} <= set(children(element))


def length(element):
    """Rows of a table or column, without reading it."""
    while not is_array(element):
        index = attribute(element, "_index")
        names = (index, "values", "codes", "_index", "index")
        known = [name for name in names if name is not None and name in element]
        if not known:
            raise InputError(
                f"{element.name} has no index of names; expected one, as AnnData writes it"
            )
        element = member(element, known[0])
    if not element.shape:
        raise InputError(f"{element.name} is a single value; expected one for each cell or gene")
    return int(element.shape[0])


def read_column(group, column):
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
        return read(element)
    ordered = bool(attribute(categories, "ordered", False))
    return pd.Categorical.from_codes(read(element), read(categories), ordered=ordered)


def read(element):
    """Read an element in plain form; arrays need no attributes.

    Parameters
    ----------
    element : h5py.Dataset, h5py.Group, zarr.Array or zarr.Group

    Returns
    -------
    object
        As `anndata.io.read_elem` returns it, see `plain`.
    """
    if is_array(element) and element.shape is None:
        return None  # as newer anndata writes it
    if is_array(element) and element.shape != ():
        if h5py.check_string_dtype(element.dtype) and hasattr(element, "asstr"):
            return element.asstr("utf-8")[()]
        if element.dtype.kind in "biuf":
            return native(element[()])
    import anndata

    _check_depth(element)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", anndata.OldFormatWarning)
        return plain(anndata.io.read_elem(element))


def _check_depth(element, depth=0):
    """Refuse a group that a link makes a part of itself, which would be read without end."""
    if depth > DEEPEST_GROUP:
        raise ValueError("a link makes it a part of itself")
    if not is_array(element):
        for key in children(element):
            _check_depth(element[key], depth + 1)


def native(values):
    """Numbers in this machine's byte order, text as objects."""
    values = np.asarray(values)
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8").astype(object)
    if values.dtype.kind == "O":
        return np.array([v.decode() if isinstance(v, bytes) else v for v in values], dtype=object)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def plain(value):
    """Turn types that older anndata can't read, such as pandas' strings, into others.

    Parameters
    ----------
    value : object
        As `anndata.io.read_elem` returns it.

    Returns
    -------
    object
        Text is an array of objects, or categorical where some is missing. Null entries of a
        dict are left out.

    Raises
    ------
    ValueError
        If the indices of a sparse matrix point outside of it.
    """
    import pandas as pd

    if sparse.issparse(value) and value.format in ("csr", "csc"):
        value.check_format(full_check=True)  # scipy reads memory at indices beyond the shape
    if isinstance(value, dict):
        found = {key: plain(item) for key, item in value.items()}
        return {key: item for key, item in found.items() if item is not None}
    if isinstance(value, pd.DataFrame):
        columns = {str(name): plain(value[name].array) for name in value}
        names = plain(value.index.array)
        if isinstance(names, pd.Categorical):
            names = np.asarray(names, dtype=object)
        index = pd.Index(names, dtype=names.dtype)
        return pd.DataFrame(columns, index=index)
    if isinstance(value, pd.Categorical):
        return value.rename_categories(pd.Index(plain(value.categories.array)))
    if isinstance(value, pd.api.extensions.ExtensionArray):
        if isinstance(value.dtype, pd.StringDtype):
            # A missing text is none of the texts; only categories have it in every version.
            text = value.astype(object)
            return pd.Categorical(text) if pd.isna(text).any() else np.asarray(text, dtype=object)
        # Numbers of which some may be missing stay as they are.
        return value if hasattr(value, "_mask") else value.to_numpy()
    if isinstance(value, np.ndarray) and value.dtype.kind in "UT":
        return value.astype(object)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufcS":
        return native(value)
    return value


def as_names(values, what):
    """Names as text, whatever their type.

    Parameters
    ----------
    values : array
    what : str
        For the message.

    Returns
    -------
    ndarray of str

    Raises
    ------
    InputError
        If some are missing.
    """
    import pandas as pd

    if np.ndim(values) != 1:
        raise InputError(
            f"{what} has an index of shape {np.shape(values)}; expected a list of names"
        )
    values = pd.Index(values)
    if missing := int(values.isna().sum()):
        raise InputError(f"{what} has {missing} missing names in its index; expected one each")
    return np.array([str(name) for name in values], dtype=object)
