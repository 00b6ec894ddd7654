"""Finding results of kompot, or of this workflow, in an AnnData."""

import json

import numpy as np
from statediff import InputError
from statediff.messages import listed


def find_run(source, kind, name, contrast):
    """Entry of the last run of an analysis ("da" or "de") that compared the conditions."""
    option = f"contrasts.{name}"
    history = f"kompot_{kind}/run_history"
    if not source.has("uns", history):
        raise InputError(f"dataset.results: no run of kompot in uns['kompot_{kind}'] of the file")
    runs = json.loads(source.read("uns", history))
    keys = ("groupby", "condition1", "condition2")
    found = [tuple(run["params"][key] for key in keys) for run in runs]
    wanted = contrast["column"], contrast["reference"], contrast["compared"]
    if wanted not in found:
        told = listed(f"{a} to {b} of {column!r}" for column, a, b in found)
        raise InputError(
            f"{option}: no run in uns['kompot_{kind}'] compares {wanted[1]!r} to {wanted[2]!r} of "
            f"obs column {wanted[0]!r}; there are: {told}"
        )
    return runs[len(found) - 1 - found[::-1].index(wanted)]


def read_field(table, field):
    """Numbers of a column of obs or var; missing values raise an error."""
    if field not in table:
        raise InputError(f"dataset.results: {field!r}, of kompot's run, is not in the file")
    values = table[field].to_numpy(dtype=np.float64)
    if missing := int((~np.isfinite(values)).sum()):
        raise InputError(
            f"dataset.results: {field!r} holds NaN or infinite values in {missing} rows; expected "
            "a finite number for each of the cells or genes"
        )
    return values
