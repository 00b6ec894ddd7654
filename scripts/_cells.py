"""Choosing cells by their annotation."""

import h5py
import numpy as np
from _inputs import listed
from statediff import InputError
from statediff.design import halves, sample_columns
from statediff.store import read_levels

# A column of groups with more levels was not meant: it holds numbers or names of cells.
MAX_GROUPS = 500


def read_column(store, column, option):
    """Level of every cell (−1: missing) in a column of obs, and the names of the levels."""
    columns = store["obs"].attrs["column-order"]
    if column not in columns:
        raise InputError(f"{option}: no obs column {column!r}; there are: {listed(columns)}")
    return read_levels(store["obs"][column])


def read_values(store, column, option):
    """Value of every cell in a column of obs, NaN where it is missing, if these are numbers;
    else the level of every cell, −1 where it is missing, and the names of the levels."""
    found = store["obs"].get(column)
    if isinstance(found, h5py.Dataset) and found.dtype.kind in "iuf":
        return found[:].astype(np.float64), None
    if isinstance(found, h5py.Group) and "mask" in found and found["values"].dtype.kind in "iuf":
        return np.where(found["mask"][:], np.nan, found["values"][:]), None
    return read_column(store, column, option)


def at_levels(store, column, wanted, option, option_of_column):
    """Cells with one of the wanted levels of a column, all of which must occur, as a mask."""
    codes, levels = read_column(store, column, option_of_column)
    occurring = levels[np.unique(codes[codes >= 0])]
    for level in wanted:
        if level not in occurring:
            raise InputError(
                f"{option}: {level!r} does not occur in obs column {column!r}; "
                f"its levels are: {listed(sorted(occurring))}"
            )
    return np.isin(codes, np.flatnonzero(np.isin(levels, wanted)))


def select(store, selection, option):
    """Cells that meet all conditions of a selection {obs column: level or levels}."""
    chosen = np.ones(len(store["obs"][store["obs"].attrs["_index"]]), dtype=bool)
    for column, wanted in selection.items():
        wanted = [wanted] if isinstance(wanted, str) else wanted
        chosen &= at_levels(store, column, wanted, f"{option}.{column}", option)
    return chosen


def contrast_members(store, name, contrast):
    """Masks of the cells that pass the filter, and of those in each condition."""
    evaluated = select(store, contrast["cells"] or {}, f"contrasts.{name}.cells")
    column = contrast["column"], f"contrasts.{name}.column"
    if contrast["numeric"]:
        return evaluated, halves_of_samples(store, name, contrast, evaluated)
    return evaluated, {
        role: evaluated
        & at_levels(store, column[0], [contrast[role]], f"contrasts.{name}.{role}", column[1])
        for role in ("reference", "compared")
    }


def halves_of_samples(store, name, contrast, evaluated):
    """Masks of the cells whose samples have the lower and the upper half of the numbers."""
    values = read_numbers(store, name, contrast)
    samples = np.array(
        [read_column(store, one, f"contrasts.{name}.sample")[0] for one in sample_columns(contrast)]
    )
    cells = np.flatnonzero(evaluated & ~np.isnan(values) & (samples >= 0).all(axis=0))
    known, of_cell = np.unique(
        np.vstack([samples[:, cells], values[cells]]), axis=1, return_inverse=True
    )
    if len(np.unique(known[-1])) < 2:
        found = f"{known[-1, 0]:g} in all samples" if known.size else "missing in all cells"
        raise InputError(
            f"contrasts.{name}.column: obs column {contrast['column']!r} is {found}; expected "
            "numbers that differ between samples"
        )
    upper = np.full(len(values), -1)
    upper[cells] = halves(known[-1])[of_cell.ravel()]
    return {"reference": upper == 0, "compared": upper == 1}


def read_numbers(store, name, contrast):
    """Value of a numeric condition in every cell; NaN where it is missing."""
    option = f"contrasts.{name}.column"
    values, levels = read_values(store, contrast["column"], option)
    if levels is not None:
        raise InputError(
            f"{option}: obs column {contrast['column']!r} holds no numbers but {listed(levels)}; "
            "expected numbers, or two of these as reference and compared"
        )
    return values


def find_groups(store, groups, option, evaluated):
    """Masks of groups by name: the levels of a column, or selections; filtered cells only."""
    if not isinstance(groups, str):
        return {
            name: evaluated & select(store, selection, f"{option}.{name}")
            for name, selection in groups.items()
        }
    codes, levels = read_column(store, groups, option)
    occurring = np.unique(codes[evaluated & (codes >= 0)])
    if occurring.size > MAX_GROUPS:
        raise InputError(
            f"{option}: obs column {groups!r} has {occurring.size} levels, expected at most "
            f"{MAX_GROUPS}"
        )
    return {levels[code]: evaluated & (codes == code) for code in occurring}
