"""Choosing cells by their annotation."""

import numpy as np
from _inputs import listed, read_column
from statediff import InputError


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
