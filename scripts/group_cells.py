"""Find the cells of each group of a contrast, and say which groups are underrepresented."""

import warnings

import numpy as np
from _cells import contrast_members, find_groups
from _inputs import listed
from _job import run
from statediff import DataWarning, InputError
from statediff.provenance import group_column
from statediff.store import open_h5ad, write_arrays


def main(job):
    name, contrast = job.wildcards.contrast, job.params.contrast
    option = f"contrasts.{name}.groups"
    with open_h5ad(job.input[0]) as store:
        evaluated, members = contrast_members(store, name, contrast)
        groups = find_groups(store, contrast["groups"], option, evaluated)
    check_names(list(groups), option)
    names = np.array(list(groups), dtype=object)
    masks = np.array(list(groups.values())).reshape(len(groups), len(evaluated))
    counts = {role: (masks & cells).sum(axis=1) for role, cells in members.items()}
    smaller = np.minimum(counts["reference"], counts["compared"])
    small = smaller < contrast["min_cells"]
    absent = counts["reference"] + counts["compared"] == 0
    left_out = absent | (small & contrast["leave_out_small_groups"])
    if left_out.all():
        raise InputError(
            f"{option}: none of the groups ({listed(names)}) has enough cells of the conditions "
            f"(contrasts.{name}.min_cells, contrasts.{name}.leave_out_small_groups)"
        )
    for which, what in (
        (small & left_out, "are left out"),
        (small & ~left_out, f"are evaluated all the same ({option[:-6]}leave_out_small_groups)"),
    ):
        if which.any():
            found = [
                f"{names[i]} ({counts['reference'][i]} and {counts['compared'][i]})"
                for i in np.flatnonzero(which)
            ]
            warnings.warn(
                f"{option}: with fewer than {contrast['min_cells']} cells of "
                f"{contrast['reference']!r} or {contrast['compared']!r}, {listed(found)} {what}",
                DataWarning,
                stacklevel=1,
            )
    write_arrays(
        job.output[0],
        {"names": names, "masks": masks, "cells": masks.sum(axis=1)}
        | counts
        | {"underrepresented": small, "left_out": left_out},
    )


def check_names(names, option):
    """Each group needs a column of its own in the AnnData."""
    columns = {}
    for name in names:
        column = group_column(name)
        if column in ("", ".", "..", "_index") or "\0" in column:
            raise InputError(f"{option}: {name!r} cannot name a column of the results; rename it")
        if (other := columns.setdefault(column, name)) != name:
            raise InputError(
                f"{option}: {other!r} and {name!r} would share the column {column!r} of the "
                "results; rename one"
            )


run(main, snakemake)
