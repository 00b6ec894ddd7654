"""The annotation of the cells (obs), a column at a time: of a store on disk or of an AnnData.

Levels are text, whatever the type of a column, as in the configuration.
"""

import warnings

import h5py
import numpy as np

from statediff import DataWarning, InputError
from statediff.messages import key_of, listed
from statediff.store import read_levels, read_names

__all__ = [
    "MAX_GROUPS",
    "UNKNOWN",
    "FrameObservations",
    "StoredObservations",
    "cells_at_levels",
    "cells_of_condition",
    "combined_levels",
    "find_groups",
    "read_cell_types",
    "read_column",
    "read_values",
    "select_cells",
]

#: A column of groups with more levels was not meant: it holds numbers or names of cells.
MAX_GROUPS = 500
#: Type of the cells without one.
UNKNOWN = "not annotated"
# Cell types from which on their names on a figure overlap.
MANY_TYPES = 60


class StoredObservations:
    """The annotation in an open store.

    Parameters
    ----------
    store : h5py.File
        An h5ad file of the workflow.

    Attributes
    ----------
    columns : list of str
    n_cells : int
    """

    def __init__(self, store):
        self._obs = store["obs"]
        self.columns = [str(name) for name in self._obs.attrs["column-order"]]
        self.n_cells = len(self._obs[self._obs.attrs["_index"]])

    def names(self):
        """Names of the cells."""
        return read_names(self._obs)

    def levels(self, column):
        """Code of each cell, −1 where the value is missing, and the names of the levels."""
        return read_levels(self._obs[column])

    def numbers(self, column):
        """Value of each cell, NaN where it is missing; None for a column that is not numeric."""
        found = self._obs[column]
        if isinstance(found, h5py.Dataset) and found.dtype.kind in "iuf":
            return found[:].astype(np.float64)
        if (
            isinstance(found, h5py.Group)
            and "mask" in found
            and found["values"].dtype.kind in "iuf"
        ):
            return np.where(found["mask"][:], np.nan, found["values"][:])
        return None

    def has_levels(self, column):
        """Whether a column is categorical, text or whole numbers."""
        found = self._obs[column]
        if isinstance(found, h5py.Group) and "codes" in found:
            return True
        # Values with a mask where some are missing.
        values = found.get("values") if isinstance(found, h5py.Group) else found
        return values is not None and values.ndim == 1 and values.dtype.kind not in "fb"


class FrameObservations:
    """The annotation of an AnnData in memory, read as that of a store.

    Parameters
    ----------
    obs : pandas.DataFrame

    Attributes
    ----------
    columns : list of str
    n_cells : int
    """

    def __init__(self, obs):
        self._obs = obs
        self.columns = [str(name) for name in obs.columns]
        self.n_cells = len(obs)

    def names(self):
        """Names of the cells."""
        return self._obs.index.to_numpy(dtype=object)

    def levels(self, column):
        """Code of each cell, −1 where the value is missing, and the names of the levels."""
        found = self._obs[column].astype("category").cat
        levels = np.array([str(name) for name in found.categories], dtype=object)
        return found.codes.to_numpy().astype(np.int32), levels

    def numbers(self, column):
        """Value of each cell, NaN where it is missing; None for a column that is not numeric."""
        from pandas.api.types import is_bool_dtype, is_numeric_dtype

        found = self._obs[column]
        if not is_numeric_dtype(found) or is_bool_dtype(found):
            return None
        return found.to_numpy(dtype=np.float64, na_value=np.nan)

    def has_levels(self, column):
        """Whether a column is categorical, text or whole numbers."""
        return self._obs[column].dtype.kind not in "fb"


def read_column(obs, column, option):
    """Level of every cell in a column.

    Parameters
    ----------
    obs : StoredObservations or FrameObservations
    column : str
    option : str
        Key of the configuration that names the column, for messages.

    Returns
    -------
    codes : ndarray of int, shape (cells,)
        −1 where the value is missing.
    levels : ndarray of str

    Raises
    ------
    InputError
        If there is no such column.
    """
    if column not in obs.columns:
        raise InputError(f"{option}: no obs column {column!r}; there are: {listed(obs.columns)}")
    return obs.levels(column)


def combined_levels(obs, columns, option):
    """Number of each cell's combination of levels of some columns; −1 where one is missing.

    Raises
    ------
    InputError
        If there is no such column.
    """
    codes = np.array([read_column(obs, column, option)[0] for column in columns])
    _, numbers = np.unique(codes, axis=1, return_inverse=True)
    return np.where((codes >= 0).all(axis=0), numbers.ravel(), -1)


def read_values(obs, column, option):
    """Numbers of a column, or its levels where it holds none.

    Returns
    -------
    values : ndarray, shape (cells,)
        Numbers, NaN where they are missing; or codes of the levels, −1 where they are missing.
    levels : ndarray of str or None
        None for numbers.

    Raises
    ------
    InputError
        If there is no such column.
    """
    numbers = obs.numbers(column) if column in obs.columns else None
    return read_column(obs, column, option) if numbers is None else (numbers, None)


def cells_at_levels(obs, column, wanted, option, option_of_column):
    """Mask of the cells with one of the wanted levels of a column.

    Raises
    ------
    InputError
        If there is no such column, or a level does not occur.
    """
    codes, levels = read_column(obs, column, option_of_column)
    occurring = levels[np.unique(codes[codes >= 0])]
    for level in wanted:
        if level not in occurring:
            raise InputError(
                f"{option}: {level!r} does not occur in obs column {column!r}; "
                f"its levels are: {listed(sorted(occurring))}"
            )
    return np.isin(codes, np.flatnonzero(np.isin(levels, wanted)))


def select_cells(obs, selection, option):
    """Mask of the cells that meet all conditions of a selection.

    Parameters
    ----------
    obs : StoredObservations or FrameObservations
    selection : dict, ndarray of bool or None
        {column: level or list of levels}, or the mask itself. None: all cells.
    option : str

    Returns
    -------
    ndarray of bool, shape (cells,)

    Raises
    ------
    InputError
        If a column or level does not occur, or the mask has another length.
    """
    if isinstance(selection, np.ndarray):
        if selection.dtype != bool or selection.shape != (obs.n_cells,):
            raise InputError(
                f"{option}: found an array of {selection.dtype} of shape {selection.shape}, "
                f"expected a boolean for each of the {obs.n_cells} cells"
            )
        return selection
    chosen = np.ones(obs.n_cells, dtype=bool)
    for column, wanted in (selection or {}).items():
        wanted = [wanted] if isinstance(wanted, str) else wanted
        chosen &= cells_at_levels(obs, column, wanted, key_of(option, column), option)
    return chosen


def find_groups(obs, groups, option, evaluated):
    """Masks of groups of cells by name.

    Parameters
    ----------
    obs : StoredObservations or FrameObservations
    groups : str or dict
        A column, each level of which is a group, or selections by name.
    option : str
    evaluated : ndarray of bool, shape (cells,)
        Cells that can belong to a group.

    Returns
    -------
    dict of ndarray of bool

    Raises
    ------
    InputError
        If a column has more than 500 levels, or a column or level does not occur.
    """
    if not isinstance(groups, str):
        return {
            name: evaluated & select_cells(obs, selection, key_of(option, name))
            for name, selection in groups.items()
        }
    codes, levels = read_column(obs, groups, option)
    occurring = np.unique(codes[evaluated & (codes >= 0)])
    if occurring.size > MAX_GROUPS:
        raise InputError(
            f"{option}: obs column {groups!r} has {occurring.size} levels, expected at most "
            f"{MAX_GROUPS}"
        )
    return {levels[code]: evaluated & (codes == code) for code in occurring}


def read_cell_types(obs, column):
    """Type of each cell as a categorical, ``not annotated`` where the column has no value.

    Parameters
    ----------
    obs : StoredObservations
    column : str

    Returns
    -------
    pandas.Categorical

    Raises
    ------
    InputError
        If there is no such column, or it holds names of cells or measurements.
    """
    import pandas as pd

    codes, levels = read_column(obs, column, "dataset.cell_type")
    types = pd.Categorical.from_codes(codes, levels).remove_unused_categories()
    what = f"dataset.cell_type: obs column {column!r} has {len(types.categories)} levels"
    if len(types.categories) > MAX_GROUPS:
        raise InputError(
            f"{what}, expected at most {MAX_GROUPS}: cell types, not names of cells or numbers"
        )
    if len(types.categories) > MANY_TYPES:
        warnings.warn(
            f"{what}: tables by cell type will be long, and names in figures will overlap; use a "
            "coarser annotation: see docs/warnings.md#many-cell-types",
            DataWarning,
            stacklevel=1,
        )
    return types.add_categories(UNKNOWN).fillna(UNKNOWN) if (codes < 0).any() else types


def cells_of_condition(obs, column, level, cells, sample, min_cells):
    """Cells of one condition, and of its replicates that count.

    Parameters
    ----------
    obs : StoredObservations
    column, level : str
        Of the condition.
    cells : dict or None
        Filter of the contrast.
    sample : str or None
        Column of the replicates.
    min_cells : int
        Smallest number of cells of a replicate that counts.

    Returns
    -------
    members : ndarray of bool, shape (cells,)
    replicates : list of ndarray of bool
    """
    members = select_cells(obs, cells, "contrasts")
    members &= select_cells(obs, {column: level}, "contrasts")
    if sample is None:
        return members, []
    codes, _ = read_column(obs, sample, "contrasts")
    replicates, sizes = np.unique(codes[members & (codes >= 0)], return_counts=True)
    return members, [members & (codes == code) for code in replicates[sizes >= min_cells]]
