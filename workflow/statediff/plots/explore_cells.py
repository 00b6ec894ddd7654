"""What the cells of the page to explore a contrast can be coloured by."""

import numpy as np
import pandas as pd

from statediff.fields import DIRECTION_COLORS
from statediff.plots.style import categorical_palette, short

__all__ = ["NAME", "category_column", "result_columns", "value_column"]

#: Letters of a condition in the labels.
NAME = 16
#: Label of the change of abundance, with its unit.
ABUNDANCE_CHANGE = "log₂ fold change of cell density, {b} / {a}"
# Of each result of a cell: name, label with the unit, and whether it is signed.
RESULTS = {
    "lfc": ("abundance: log fold change", ABUNDANCE_CHANGE, True),
    "lfc_zscore": ("abundance: z-score", "Change of cell density, {b} / {a}: z-score", True),
    "qvalue": ("abundance: −log₁₀ q-value", "Change of cell density: −log₁₀ q-value", False),
    "neg_log10_lfc_ptp": (
        "abundance: −log₁₀ tail probability",
        "Change of cell density: −log₁₀ tail probability",
        False,
    ),
    "log_density_reference": (
        "log density, {a}",
        "log₂ density of cells in {a}",
        False,
    ),
    "log_density_compared": (
        "log density, {b}",
        "log₂ density of cells in {b}",
        False,
    ),
    "std_reference": (
        "uncertainty, {a}",
        "Standard deviation of smoothed expression in {a} (units of the layer)",
        False,
    ),
    "std_compared": (
        "uncertainty, {b}",
        "Standard deviation of smoothed expression in {b} (units of the layer)",
        False,
    ),
}


def category_column(name, labels, order, colors=None, *, role=None):
    """Cells by a category; those of none in `order` are other cells, in grey.

    Parameters
    ----------
    name : str
    labels : array of str, shape (n,)
    order : sequence of str
        Categories in the legend's order.
    colors : sequence of colours, optional
        One for each of `order`.
    role : {"condition", "cell_type", "sample"}, optional
        What the page takes the category for.

    Returns
    -------
    dict
    """
    palette = categorical_palette(order, colors)
    return {
        "name": name,
        "codes": pd.Categorical(labels, categories=list(order)).codes.astype(int),
        "levels": list(order),
        "colors": [palette[label] for label in order],
        "other": "other cells",
        "role": role,
    }


def value_column(name, values, label, *, signed=False):
    """Cells by a number; signed ones in colours that are centred on zero.

    Parameters
    ----------
    name : str
    values : array, shape (n,)
    label : str
        Of the colour bar, with the unit.
    signed : bool

    Returns
    -------
    dict
    """
    return {"name": name, "values": np.asarray(values), "label": label, "signed": signed}


def result_columns(results, conditions):
    """Cells by the results of a contrast: change of abundance, densities, uncertainty.

    Parameters
    ----------
    results : dict of array, shape (n,)
        `lfc_direction` (names), and the columns of the table of cells, in log2.
    conditions : pair of str
        Reference and compared condition.

    Returns
    -------
    list of dict
        `category_column` and `value_column`.
    """
    a, b = (short(name, NAME) for name in conditions)
    order = ["up", "neutral", "down"]
    palette = [DIRECTION_COLORS[name] for name in order]
    columns = [category_column("abundance: direction", results["lfc_direction"], order, palette)]
    for key, (name, label, signed) in RESULTS.items():
        if key in results:
            values = results[key]
            if key == "qvalue":
                values = -np.log10(np.maximum(values, np.finfo(float).tiny))
            name, label = (text.format(a=a, b=b) for text in (name, label))
            columns.append(value_column(name, values, label, signed=signed))
    return columns
