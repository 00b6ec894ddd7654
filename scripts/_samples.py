"""Samples of a contrast, and their design."""

import numpy as np
from statediff.design import Design

ROLES = ("reference", "compared")
# What a design can have beside the conditions.
DESCRIBED = ("covariates", "pairs", "values")


def numbered(members):
    """Cells that take part, number of each one's sample, and the design of the samples.

    A condition without samples that count is one of all its cells."""
    samples, conditions = np.full(len(members["reference"]), -1), []
    for condition, role in enumerate(ROLES):
        codes = members.get(f"samples_{role}", ())
        for cells in [members["sample"] == code for code in codes] or [members[role]]:
            samples[cells] = len(conditions)
            conditions.append(condition)
    cells = np.flatnonzero(samples >= 0)
    described = {key: members[key] for key in DESCRIBED if key in members}
    return cells, samples[cells], read_design({"conditions": np.array(conditions)} | described)


def read_design(arrays):
    """The design among the arrays of a stage."""
    conditions = arrays["conditions"]
    covariates = arrays.get("covariates", np.empty((len(conditions), 0)))
    return Design(conditions, covariates, arrays.get("pairs"), arrays.get("values"))


def span(known):
    """Attribute with the difference of the mean values of both halves of a numeric condition."""
    return (
        {"span": known["mean_compared"] - known["mean_reference"]}
        if "mean_compared" in known
        else {}
    )


def written(design):
    """Arrays from which `read_design` makes a design again."""
    arrays = {"conditions": design.conditions}
    if design.covariates.size:
        arrays["covariates"] = design.covariates
    known = {"pairs": design.pairs, "values": design.values}
    return arrays | {key: values for key, values in known.items() if values is not None}
