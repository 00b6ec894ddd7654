"""Levels of columns as YAML reads them, and as the data have them."""

import copy

import yaml

from statediff import InputError

__all__ = ["levels_as_text"]


def levels_as_text(config, levels_of):
    """Configuration with levels that YAML took for something else as the data have them.

    YAML reads `no` as a boolean, `3` as a number and `2024-01-05` as a date. Of the levels of the
    column that is meant the one counts that YAML reads in the same way.

    Parameters
    ----------
    config : dict
        As read from YAML, and perhaps with faults; left as it is.
    levels_of : callable
        Names of the levels of a column of obs, or None where they are not known.

    Returns
    -------
    dict

    Raises
    ------
    InputError
        If no level of the column, or more than one, is read in this way.
    """
    config = copy.deepcopy(dict(config))

    def text(value, column, key):
        if value is None or isinstance(value, str | dict | list):
            return value
        known = levels_of(column)
        if known is None:
            return value
        found = [name for name in known if _read_as(name, value)]
        if len(found) != 1:
            names = ", ".join(map(repr, (found or known)[:20])) or "none"
            raise InputError(
                f"{key}: found {value}, which is not text, and {len(found) or 'no'} levels of obs "
                f"column {column!r} are written so ({names}); expected one of them in quotes"
            )
        return found[0]

    def filter_of(section, name, key):
        selection = section.get(name) if isinstance(section, dict) else None
        for column, wanted in selection.items() if isinstance(selection, dict) else ():
            one = f"{key}.{name}.{column}"
            many = isinstance(wanted, list)
            selection[column] = (
                [text(w, column, one) for w in wanted] if many else text(wanted, column, one)
            )

    def entries(section, name):
        found = section.get(name) if isinstance(section, dict) else None
        return found.items() if isinstance(found, dict) else ()

    for name, contrast in entries(config, "contrasts"):
        key = f"contrasts.{name}"
        if not isinstance(contrast, dict):
            continue
        for role in ("reference", "compared"):
            if role in contrast:
                contrast[role] = text(contrast[role], contrast.get("column"), f"{key}.{role}")
        if isinstance(levels := contrast.get("levels"), list):
            column = contrast.get("column")
            contrast["levels"] = [text(level, column, f"{key}.levels") for level in levels]
        filter_of(contrast, "cells", key)
        for group, _ in entries(contrast, "groups"):
            filter_of(contrast["groups"], group, f"{key}.groups")
    for name, entry in entries(config, "smooth"):
        filter_of(entry, "cells", f"smooth.{name}")
    filter_of(config.get("figures"), "cells", "figures")
    for name, page in entries(config, "paper"):
        for letter, panel in entries(page, "panels"):
            filter_of(panel, "cells", f"paper.{name}.panels.{letter}")
    return config


def _read_as(name, value):
    """Whether YAML reads a name as this value."""
    try:
        found = yaml.safe_load(name)
    except (yaml.YAMLError, ValueError):
        return False
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (found, value))
    return (numbers or type(found) is type(value)) and found == value
