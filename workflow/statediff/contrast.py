"""Cells of a contrast: those that are evaluated, those of each condition, and their samples."""

import warnings

import numpy as np

from statediff import DataWarning, InputError
from statediff.annotation import compare_depth, resembles_samples
from statediff.design import halves, sample_columns
from statediff.fields import group_column
from statediff.messages import key_of, listed
from statediff.observations import cells_at_levels, read_column, select_cells
from statediff.samples import design_arrays, find_design, read_numbers

__all__ = ["condition_masks", "describe_depth", "find_cells", "group_masks"]

ROLES = ("reference", "compared")
MIN_CELLS = 10
# Effect of a difference in depth, by whether the components come from dataset.preprocess.
EFFECTS = {
    False: "a difference in sequencing depth can look like a difference in state or abundance if "
    "cell states come from log expression; dataset.preprocess computes components that hardly "
    "depend on depth",
    True: "components and tests account for it, but smoothed expression and fold changes come from "
    "a logarithm, in which genes with few counts are higher in the condition with higher depth",
}


def find_cells(obs, contrast, option, coordinates=None):
    """Find the cells of a contrast, and the design of its samples.

    Parameters
    ----------
    obs : StoredObservations or FrameObservations
    contrast : dict
        Entry of `contrasts` in the configuration, with all keys; `cells` may also be a mask.
    option : str
        Section of the configuration, for messages.
    coordinates : callable, optional
        Gives coordinates (cells, D) in which cells of the same state are near; called only to
        look for columns that resemble samples, which without it are not looked for.

    Returns
    -------
    arrays : dict of ndarray
        Masks `evaluated`, `reference` and `compared`, shape (cells,). With samples also `sample`
        (code of each cell's, −1 for none), `samples_reference` and `samples_compared` (codes), and
        the arrays of the design.
    attributes : dict
        Numbers of cells and samples; of a numeric condition the mean and range of both halves.

    Raises
    ------
    InputError
        If a column or level is missing, a condition has fewer than 10 cells or too few samples,
        or the condition cannot be separated from pairs and covariates.
    """
    evaluated, members = condition_masks(obs, contrast, option)
    replicates = _read_samples(obs, contrast, option)
    looked_for = coordinates is not None and not replicates
    candidates = _find_candidates(obs, contrast, members, coordinates) if looked_for else {}
    for role, cells in members.items():
        if (n := int(cells.sum())) < MIN_CELLS:
            filtered = contrast["cells"] is not None and len(contrast["cells"])
            passing = f" that pass {key_of(option, 'cells')}" if filtered else ""
            raise InputError(
                f"{key_of(option, role)}: {contrast[role]!r} has {n} cells{passing}, expected at "
                f"least {MIN_CELLS}"
            )
    samples = _find_samples(contrast, *replicates, members, option) if replicates else {}
    if contrast["pair"] or contrast["adjust"] or contrast["numeric"]:
        samples |= design_arrays(find_design(obs, contrast, samples, option))
    _warn_of_candidates(candidates, option)
    attributes = {f"n_{role}": int(cells.sum()) for role, cells in members.items()}
    attributes |= {"n_cells": len(evaluated), "n_evaluated": int(evaluated.sum())}
    if contrast["numeric"]:
        attributes |= _describe_numbers(read_numbers(obs, contrast, option), samples)
    attributes["n_samples"] = sum(len(samples.get(f"samples_{role}", ())) for role in members)
    return {"evaluated": evaluated} | members | samples, attributes


def condition_masks(obs, contrast, option):
    """Masks of the cells that pass the filter of a contrast, and of those in each condition.

    Parameters
    ----------
    obs, contrast, option
        As for `find_cells`.

    Returns
    -------
    evaluated : ndarray of bool, shape (cells,)
    members : dict of ndarray of bool
        By role, `reference` and `compared`.

    Raises
    ------
    InputError
        If a column or level is missing, or a numeric condition is the same in all samples.
    """
    evaluated = select_cells(obs, contrast["cells"], key_of(option, "cells"))
    if contrast["numeric"]:
        return evaluated, _halves_of_samples(obs, contrast, evaluated, option)
    column, key = contrast["column"], key_of(option, "column")
    return evaluated, {
        role: evaluated & cells_at_levels(obs, column, [contrast[role]], key_of(option, role), key)
        for role in ROLES
    }


def describe_depth(contrast, depth, members, preprocessed):
    """Median counts of a cell in each condition, with a warning where they differ much.

    Parameters
    ----------
    contrast : dict
    depth : ndarray, shape (cells,)
        Counts of each cell, NaN where they are unknown.
    members : dict of ndarray
        From `find_cells`.
    preprocessed : bool
        Whether the components come from dataset.preprocess.

    Returns
    -------
    dict
        `depth_reference` and `depth_compared`; empty where the counts are unknown.
    """
    conditions, samples = [members[role] for role in ROLES], members.get("sample")
    found = compare_depth(depth, conditions, samples)
    if found is None:
        return {}
    if found.large:
        spread = f"; samples of a condition differ by {found.spread:.2f} times"
        _warn(
            f"cells of {contrast['compared']!r} have {found.compared:,.0f} counts, those of "
            f"{contrast['reference']!r} {found.reference:,.0f} (medians"
            f"{spread if samples is not None else ''}): {EFFECTS[preprocessed]}; see "
            "docs/warnings.md#depth"
        )
    return {"depth_reference": found.reference, "depth_compared": found.compared}


def group_masks(groups, members, contrast, option):
    """Find out which groups of a contrast have enough cells.

    Parameters
    ----------
    groups : dict of ndarray of bool
        Cells of each group, from `statediff.observations.find_groups`.
    members : dict of ndarray of bool
        From `condition_masks`.
    contrast : dict
        With `min_cells` and `leave_out_small_groups`.
    option : str
        Section of the contrast, for messages.

    Returns
    -------
    dict of ndarray
        `names`, `masks` (groups, cells), and of each group the number of `cells`, those of the
        `reference` and of the `compared` condition, whether it is `underrepresented` and whether
        it is `left_out`.

    Raises
    ------
    InputError
        If no group has enough cells, or a name cannot be that of a column of the results.
    """
    key = key_of(option, "groups")
    _check_group_names(list(groups), key)
    names = np.array(list(groups), dtype=object)
    masks = np.array(list(groups.values())).reshape(len(groups), -1)
    counts = {role: (masks & members[role]).sum(axis=1) for role in ROLES}
    smaller = np.minimum(counts["reference"], counts["compared"])
    small = smaller < contrast["min_cells"]
    absent = counts["reference"] + counts["compared"] == 0
    left_out = absent | (small & contrast["leave_out_small_groups"])
    switch = key_of(option, "leave_out_small_groups")
    if left_out.all():
        raise InputError(
            f"{key}: none of the groups ({listed(names)}) has enough cells of the conditions "
            f"({key_of(option, 'min_cells')}, {switch})"
        )
    for which, what in (
        (small & left_out, "are left out"),
        (small & ~left_out, f"are evaluated all the same ({switch})"),
    ):
        if which.any():
            found = [
                f"{names[i]} ({counts['reference'][i]} and {counts['compared'][i]})"
                for i in np.flatnonzero(which)
            ]
            _warn(
                f"{key}: with fewer than {contrast['min_cells']} cells of "
                f"{contrast['reference']!r} or {contrast['compared']!r}, {listed(found)} {what}"
            )
    found = {"names": names, "masks": masks, "cells": masks.sum(axis=1)} | counts
    return found | {"underrepresented": small, "left_out": left_out}


def _check_group_names(names, key):
    """Each group needs a column of its own in the AnnData."""
    columns = {}
    for name in names:
        column = group_column(name)
        if column in ("", ".", "..", "_index") or "\0" in column:
            raise InputError(f"{key}: {name!r} cannot name a column of the results; rename it")
        if (other := columns.setdefault(column, name)) != name:
            raise InputError(
                f"{key}: {other!r} and {name!r} would share the column {column!r} of the "
                "results; rename one"
            )


def _halves_of_samples(obs, contrast, evaluated, option):
    """Masks of the cells whose samples have the lower and the upper half of the numbers."""
    values, key = read_numbers(obs, contrast, option), key_of(option, "sample")
    samples = np.array([read_column(obs, one, key)[0] for one in sample_columns(contrast)])
    cells = np.flatnonzero(evaluated & ~np.isnan(values) & (samples >= 0).all(axis=0))
    known, of_cell = np.unique(
        np.vstack([samples[:, cells], values[cells]]), axis=1, return_inverse=True
    )
    if len(np.unique(known[-1])) < 2:
        found = f"{known[-1, 0]:g} in all samples" if known.size else "missing in all cells"
        raise InputError(
            f"{key_of(option, 'column')}: obs column {contrast['column']!r} is {found}; expected "
            "numbers that differ between samples"
        )
    upper = np.full(len(values), -1)
    upper[cells] = halves(known[-1])[of_cell.ravel()]
    return {"reference": upper == 0, "compared": upper == 1}


def _read_samples(obs, contrast, option):
    """Sample of every cell (−1: none) and the names of the samples; None without samples."""
    columns = sample_columns(contrast)
    if not columns:
        return None
    key = key_of(option, "sample" if len(columns) == 1 else "pair")
    codes, levels = read_column(obs, columns[0], key)
    for column in columns[1:]:
        more, of_column = read_column(obs, column, key)
        known = (codes >= 0) & (more >= 0)
        codes = np.where(known, codes * len(of_column) + more, -1)
        levels = np.array([f"{one}, {other}" for one in levels for other in of_column], object)
    return codes, levels


def _find_candidates(obs, contrast, members, coordinates):
    """Columns of obs that look like samples, which the contrast does not name."""
    cells = np.flatnonzero(members["reference"] | members["compared"])
    labels, near, found = members["compared"][cells], coordinates()[cells], {}
    for column in obs.columns:
        of_results = column.startswith(("kompot_da_", "kompot_de_"))
        if of_results or column == contrast["column"] or not obs.has_levels(column):
            continue
        kind = resembles_samples(column, obs.levels(column)[0][cells], labels, near)
        if kind is not None:
            found[column] = kind
    return found


def _warn_of_candidates(candidates, option):
    """Say which column to name as the samples, at best one whose levels are in one condition."""
    for kind in ("nested", "crossed"):
        columns = [column for column, found in candidates.items() if found == kind]
        if not columns:
            continue
        names = " or ".join(map(repr, columns[:3]))
        key, what = ("sample", "samples") if kind == "nested" else ("pair", "donors in both")
        _warn(
            f"{key_of(option, key)}: null, but obs column {names} looks like the {what}: "
            "without it, cells are treated as independent, and differences between samples as "
            "differences between conditions; see docs/warnings.md#sample"
        )
        return


def _describe_numbers(numbers, samples):
    """Values of a numeric condition: mean and range of the samples of either half."""
    described = {}
    for role in ROLES:
        first = [np.argmax(samples["sample"] == code) for code in samples[f"samples_{role}"]]
        values = numbers[first]
        for what, value in (("mean", values.mean()), ("min", values.min()), ("max", values.max())):
            described[f"{what}_{role}"] = float(value)
    return described


def _find_samples(contrast, codes, levels, members, option):
    """Code of each cell's sample (−1: none that counts, or the cell is of neither condition), and
    the codes of each condition."""
    column, key = " and ".join(sample_columns(contrast)), key_of(option, "sample")
    found = {role: np.unique(codes[cells & (codes >= 0)]) for role, cells in members.items()}
    both = np.intersect1d(found["reference"], found["compared"])
    if both.size:
        raise InputError(
            f"{key}: {levels[both[0]]!r} of obs column {column!r} occurs in both "
            f"{contrast['reference']!r} and {contrast['compared']!r}; expected replicates that "
            f"belong to one condition ({key_of(option, 'pair')} is for donors that are in both)"
        )
    few = []
    for role, cells in members.items():
        sizes = np.array([(cells & (codes == code)).sum() for code in found[role]], dtype=int)
        found[role] = found[role][sizes >= contrast["min_cells"]]
        if len(found[role]) < 2:
            few.append(
                f"{contrast[role]!r} has {len(found[role])} replicates of at least "
                f"{contrast['min_cells']} cells in obs column {column!r}"
            )
    if len(few) == 2 or (few and not contrast["allow_single_condition_variance"]):
        hint = "" if len(few) == 2 else ", or allow_single_condition_variance: true"
        raise InputError(f"{key}: {'; '.join(few)}; expected 2 or more{hint}")
    if few:
        _warn(f"{few[0]}: the variance between replicates of the other condition is used for both")
    used = np.isin(codes, np.concatenate(list(found.values())))
    used &= members["reference"] | members["compared"]
    return {"sample": np.where(used, codes, -1)} | {
        f"samples_{role}": codes_of for role, codes_of in found.items()
    }


def _warn(message):
    warnings.warn(message, DataWarning, stacklevel=3)
