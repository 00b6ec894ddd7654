"""Samples of a contrast and their design, from the annotation of the cells."""

import re
import warnings
from dataclasses import replace

import numpy as np

from statediff import DataWarning, InputError
from statediff.design import Design, sample_columns
from statediff.messages import key_of, listed
from statediff.observations import read_column, read_values

__all__ = ["describe_cells", "design_arrays", "find_design", "number_samples", "read_design",
           "read_numbers", "sample_names", "span"]  # fmt: skip

ROLES = ("reference", "compared")
# Names of columns whose numbers are rather names.
NUMBERED = re.compile(r"batch|lane|pool|plate|library|run|chip|site|center|centre", re.IGNORECASE)
# What a design can have beside the conditions.
DESCRIBED = ("covariates", "pairs", "values")


def find_design(obs, contrast, samples, option):
    """Conditions, donors and covariates of the samples of a contrast.

    Parameters
    ----------
    obs : StoredObservations or FrameObservations
    contrast : dict
        Entry of `contrasts` in the configuration.
    samples : dict
        Code of the sample of each cell, and codes of each condition in their order.
    option : str
        Section of the configuration, for messages.

    Returns
    -------
    statediff.design.Design

    Raises
    ------
    InputError
        If a column is missing, varies within a sample, or the condition follows from others.
    """
    codes = np.concatenate([samples[f"samples_{role}"] for role in ROLES])
    conditions = np.repeat([0, 1], [len(samples[f"samples_{role}"]) for role in ROLES])
    cells_of = [np.flatnonzero(samples["sample"] == code) for code in codes]
    parts, pairs = {}, None
    numbers = _numbers_of_samples(obs, contrast, cells_of, conditions, option)
    if contrast["pair"] is not None:
        key = key_of(option, "pair")
        values, levels = read_column(obs, contrast["pair"], key)
        found = [_one_value(values, cells, key, contrast["pair"], levels) for cells in cells_of]
        donors, pairs = np.unique(found, return_inverse=True)
        labels = conditions if numbers is None else numbers
        _check_pairs(key, contrast, levels[donors.astype(int)], pairs, labels)
    for column in contrast["adjust"]:
        key = key_of(option, "adjust")
        values, levels = read_values(obs, column, key)
        found = np.array([_one_value(values, cells, key, column, levels) for cells in cells_of])
        parts[column] = _coded(found, levels, column, key)
    covariates = np.hstack([*parts.values(), np.empty((len(codes), 0))])
    design = Design(conditions, covariates, pairs, numbers)
    _check_rank(option, contrast, design, parts)
    return design


def read_numbers(obs, contrast, option):
    """Value of a numeric condition in every cell; NaN where it is missing.

    Raises
    ------
    InputError
        If the column is missing or holds no numbers.
    """
    key = key_of(option, "column")
    values, levels = read_values(obs, contrast["column"], key)
    if levels is not None:
        raise InputError(
            f"{key}: obs column {contrast['column']!r} holds {listed(levels)}, not numbers; "
            "expected numbers, or two of these as reference and compared"
        )
    return values


def number_samples(members):
    """Cells that take part, number of each one's sample, and the design of the samples.

    A condition without samples that count is one of all its cells.

    Parameters
    ----------
    members : dict of ndarray
        From `statediff.contrast.find_cells`.

    Returns
    -------
    cells : ndarray of int, shape (n,)
    samples : ndarray of int, shape (n,)
    design : Design
    """
    samples, conditions = np.full(len(members["reference"]), -1), []
    for condition, role in enumerate(ROLES):
        codes = members.get(f"samples_{role}", ())
        for cells in [members["sample"] == code for code in codes] or [members[role]]:
            samples[cells] = len(conditions)
            conditions.append(condition)
    cells = np.flatnonzero(samples >= 0)
    described = {key: members[key] for key in DESCRIBED if key in members}
    return cells, samples[cells], read_design({"conditions": np.array(conditions)} | described)


def describe_cells(obs, contrast, members):
    """Condition and sample of each cell that takes part in a contrast, as columns of obs.

    Parameters
    ----------
    obs : StoredObservations or FrameObservations
    contrast : dict
        Entry of `contrasts` in the configuration, with the names of both conditions.
    members : dict of ndarray
        From `statediff.contrast.find_cells`.

    Returns
    -------
    dict of pandas.Categorical, shape (cells,)
        ``condition``, and ``sample`` in the order of `number_samples`; missing for other cells.
    """
    import pandas as pd

    conditions = [contrast[role] for role in ROLES]
    of_condition = np.full(len(members["reference"]), -1)
    for code, role in enumerate(ROLES):
        of_condition[members[role]] = code
    cells, samples, design = number_samples(members)
    of_sample = np.full(len(of_condition), -1)
    of_sample[cells] = samples
    names = conditions
    if "sample" in members:
        of_cell = sample_names(obs, contrast)
        names = []
        for code, condition in enumerate(design.conditions):
            # Cells of a condition without replicates need not have a sample.
            alone = not len(members.get(f"samples_{ROLES[condition]}", ()))
            first = np.flatnonzero(of_sample == code)[0]
            names.append(f"all of {conditions[condition]}" if alone else of_cell[first])
    return {
        "condition": pd.Categorical.from_codes(of_condition, conditions),
        "sample": pd.Categorical.from_codes(of_sample, names),
    }


def read_design(arrays):
    """The design in the arrays of a stage."""
    conditions = arrays["conditions"]
    covariates = arrays.get("covariates", np.empty((len(conditions), 0)))
    return Design(conditions, covariates, arrays.get("pairs"), arrays.get("values"))


def sample_names(obs, contrast):
    """Name of the sample of each cell, of the levels of all columns that tell samples.

    Parameters
    ----------
    obs : StoredObservations or FrameObservations
    contrast : dict
        Entry of `contrasts` in the configuration.

    Returns
    -------
    ndarray of object, shape (cells,)
        None where a value is missing.
    """
    columns = [obs.levels(column) for column in sample_columns(contrast)]
    known = np.all([codes >= 0 for codes, _ in columns], axis=0)
    names = np.full(len(known), None, dtype=object)
    parts = (levels[codes[known]] for codes, levels in columns)
    names[known] = [" · ".join(levels) for levels in zip(*parts, strict=True)]
    return names


def span(known):
    """Attribute with the difference of the mean values of the halves of a numeric condition."""
    return (
        {"span": known["mean_compared"] - known["mean_reference"]}
        if "mean_compared" in known
        else {}
    )


def design_arrays(design):
    """Arrays of a design, of which `read_design` makes it again."""
    arrays = {"conditions": design.conditions}
    if design.covariates.size:
        arrays["covariates"] = design.covariates
    known = {"pairs": design.pairs, "values": design.values}
    return arrays | {key: values for key, values in known.items() if values is not None}


def _numbers_of_samples(obs, contrast, cells_of, conditions, option):
    """Numeric condition of each sample: 0 at the mean of the lower half, 1 at that of the upper.

    None for a condition that is not numeric.
    """
    if not contrast["numeric"]:
        return None
    found = read_numbers(obs, contrast, option)
    column = contrast["column"]
    values = [_one_value(found, c, key_of(option, "column"), column, None) for c in cells_of]
    low, high = (np.mean(values, where=conditions == role) for role in (0, 1))
    return (np.array(values) - low) / (high - low)


def _one_value(values, cells, key, column, levels):
    """The value of a column in all cells of a sample."""
    found = values[cells]
    if np.isnan(found).any() or (levels is not None and (found < 0).any()):
        raise InputError(
            f"{key}: obs column {column!r} has no value in some cells of a sample; expected one "
            "for each sample"
        )
    if (found != found[0]).any():
        different = np.unique(found)[:2]
        shown = [repr(levels[int(v)]) if levels is not None else f"{v:g}" for v in different]
        raise InputError(
            f"{key}: obs column {column!r} is {shown[0]} and {shown[1]} in cells of one sample; "
            "expected a column that is constant within each sample"
        )
    return found[0]


def _coded(values, levels, column, key):
    """Columns of the design: numbers in standard deviations, or an indicator of each level but
    the first."""
    if (values == values[0]).all():
        raise InputError(
            f"{key}: obs column {column!r} has the same value in all samples; expected a column "
            "that differs between them"
        )
    if levels is None:
        if NUMBERED.search(column) and (values == np.round(values)).all():
            warnings.warn(
                f"{key}: obs column {column!r} holds numbers and is used as a quantity; if the "
                "numbers are labels, store the column as categories",
                DataWarning,
                stacklevel=1,
            )
        return ((values - values.mean()) / values.std())[:, None]
    return np.equal.outer(values, np.unique(values)[1:]).astype(float)


def _check_pairs(key, contrast, donors, pairs, labels):
    """Two donors in both conditions, and a word on those in one."""
    complete = np.array([len(np.unique(labels[pairs == i])) > 1 for i in range(len(donors))])
    if complete.sum() < 2:
        both = f"in both {contrast['reference']!r} and {contrast['compared']!r}"
        if contrast["numeric"]:
            both = f"at different values of {contrast['column']!r}"
        raise InputError(
            f"{key}: {complete.sum()} levels of obs column {contrast['pair']!r} have samples of at "
            f"least {contrast['min_cells']} cells {both}, expected 2 or more"
        )
    if not complete.all():
        warnings.warn(
            f"{key}: {listed(donors[~complete])} of obs column {contrast['pair']!r} "
            f"{'is' if (~complete).sum() == 1 else 'are'} in one condition only: these cells are "
            "used for states and the noise of genes, but not for the difference between the "
            "conditions",
            DataWarning,
            stacklevel=1,
        )


def _check_rank(option, contrast, design, parts):
    """The condition must not follow from pairs and covariates, nor one of these from the rest."""
    asked = key_of(option, "adjust" if contrast["adjust"] else "pair")
    adjusted = key_of(option, "adjust")
    if not design.estimable:
        unpaired = replace(design, pairs=None)
        alone = [c for c, x in parts.items() if not replace(unpaired, covariates=x).estimable]
        names = alone[:1] or list(parts)
        joined = " and ".join(map(repr, names)) + (
            f" within {contrast['pair']!r}" if not alone and design.pairs is not None else ""
        )
        raise InputError(
            f"{adjusted}: the condition is determined by obs column {joined}, so that their "
            "effects cannot be separated; expected columns whose values occur in both conditions"
        )
    for column in parts:
        others = [x for other, x in parts.items() if other != column]
        rest = np.hstack([*others, np.empty((len(design.conditions), 0))])
        if np.linalg.matrix_rank(
            replace(design, covariates=rest).matrix, tol=1e-6
        ) == np.linalg.matrix_rank(design.matrix, tol=1e-6):
            names = [c for c in (contrast["pair"], *parts) if c not in (None, column)]
            rest = " and ".join(map(repr, names))
            raise InputError(
                f"{adjusted}: obs column {column!r} is determined by {rest}, adjusted for already; "
                "expected columns that do not determine one another"
            )
    if design.freedom < 1:
        raise InputError(
            f"{asked}: {len(design.conditions)} samples leave no degree of freedom for "
            "the variance between them after pairs and covariates; expected more samples, or fewer "
            "columns"
        )
