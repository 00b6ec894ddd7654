"""Choosing cells by their annotation."""

import numpy as np
from _inputs import listed, read_column
from statediff import InputError

# A column of groups with more levels was not meant: it holds numbers or names of cells.
MAX_GROUPS = 500


def at_levels(values, wanted, option):
    """Cells with one of the wanted levels, all of which must occur, as a mask."""
    text, known = values.astype(str), values.notna()
    levels = text[known].unique()
    for level in wanted:
        if level not in levels:
            raise InputError(
                f"{option}: {level!r} does not occur in obs column {values.name!r}; "
                f"its levels are: {listed(sorted(levels))}"
            )
    return (known & text.isin(wanted)).to_numpy()


def select(obs, selection, option):
    """Cells that meet all conditions of a selection {obs column: level or levels}."""
    chosen = np.ones(len(obs), dtype=bool)
    for column, wanted in selection.items():
        wanted = [wanted] if isinstance(wanted, str) else wanted
        chosen &= at_levels(read_column(obs, column, option), wanted, f"{option}.{column}")
    return chosen


def contrast_members(obs, name, contrast):
    """Masks of the cells that pass the filter, and of those in each condition."""
    evaluated = select(obs, contrast["cells"] or {}, f"contrasts.{name}.cells")
    values = read_column(obs, contrast["column"], f"contrasts.{name}.column")
    return evaluated, {
        role: evaluated & at_levels(values, [contrast[role]], f"contrasts.{name}.{role}")
        for role in ("reference", "compared")
    }


def find_groups(obs, groups, option, evaluated):
    """Masks of groups by name: the levels of a column, or selections; filtered cells only."""
    if not isinstance(groups, str):
        return {
            name: evaluated & select(obs, selection, f"{option}.{name}")
            for name, selection in groups.items()
        }
    values = read_column(obs, groups, option).astype("category").cat
    codes = values.codes.to_numpy()
    occurring = np.unique(codes[evaluated & (codes >= 0)])
    if occurring.size > MAX_GROUPS:
        raise InputError(
            f"{option}: obs column {groups!r} has {occurring.size} levels, expected at most "
            f"{MAX_GROUPS}"
        )
    return {str(values.categories[code]): evaluated & (codes == code) for code in occurring}
