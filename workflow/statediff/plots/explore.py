"""One HTML file to explore a contrast in a browser: embedding and volcano, linked."""

import base64
import gzip
import json
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
from plotly.offline import get_plotlyjs
from scipy import sparse

from statediff.compression import (
    LEVELS,
    compress_layers,
    compress_measured,
    largest_error,
    low_then_high,
)
from statediff.fields import DIRECTION_COLORS
from statediff.plots.explore_cells import NAME
from statediff.plots.expression import LABELS, SHORT
from statediff.plots.style import GREY, point_size, short
from statediff.significance import rank_genes
from statediff.store import read_rows, take_rows

__all__ = ["MAX_CELLS", "STATISTICS", "explore_page", "where_it_changes"]

TEMPLATE = Path(__file__).with_name("explore.html")
# Of the whole page.
MAX_BYTES = 14_500_000
#: Cells drawn; of more, those drawn are chosen at random.
MAX_CELLS = 20_000
# Share of what is left for expression that smoothed expression may take before measured.
SMOOTHED = 2 / 3
# Cells whose expression is read at a time, and cells × genes of which it is read.
CELLS = 2048
MOST_MEASURED = 1 << 26
# Of cells without a significant change: darker than the background, lighter than most changes.
BEHIND = "#b0b0b0"
# Parts of a log2 fold change that are told apart in a block.
STEPS = 1000
#: Patterns of `statediff.localisation.patterns` in words.
PATTERNS = {
    "everywhere": "changes everywhere",
    "region": "changes in some cell states",
    "opposite": "changes in opposite directions",
}
# Least p-value that can be drawn.
TINY = np.finfo(float).tiny
#: Of a gene, as the page names them.
STATISTICS = {
    "mean_lfc": "mean log fold change",
    "mahalanobis": "Mahalanobis distance",
    "standardised": "standardised distance",
    "pvalue": "p",
    "qvalue": "q",
    "local_fdr": "local FDR",
    "tail_fdr": "tail FDR",
    "is_de": "called",
}


def where_it_changes(gene):
    """Where a called gene changes, in words.

    Parameters
    ----------
    gene : mapping
        `pattern`, `changed_share` and, if there are cell types, `strongest_type` and
        `strongest_type_lfc`, as in the table of genes.

    Returns
    -------
    str
    """
    if gene["pattern"] not in PATTERNS:
        return "no region of cells changes significantly"
    text = f"{PATTERNS[gene['pattern']]} ({gene['changed_share']:.0%} of the cells)"
    if gene.get("strongest_type") is None:
        return text
    change = f"log₂ fold change {gene['strongest_type_lfc']:.2f}".replace("-", "−")
    return f"{text}, most in {short(str(gene['strongest_type']), 30)} ({change})"


def explore_page(xy, names, columns, genes, *, phi, coefficients, expression, dataset, contrast,
                 column, conditions, conventions, axis_names, ranking, fdr_threshold, blocks=None,
                 found=None, size=None, max_bytes=MAX_BYTES, max_cells=MAX_CELLS):  # fmt: skip
    """Page on which cells are coloured by any result, and by a gene's expression and fold change.

    Of more than `max_cells` cells, those drawn are chosen at random.

    Parameters
    ----------
    xy : array, shape (n, 2)
    names : sequence of str, length n
    columns : list of dict
        What cells can be coloured by: `category_column`, `value_column` of
        `statediff.plots.explore_cells`. The first, which the page begins with, has the role
        "condition"; cells of the roles "sample" and "cell_type" are counted, where there are some.
    genes : pandas.DataFrame
        Index of gene names, and their `STATISTICS`. With `found` also what `where_it_changes`
        takes.
    phi : array or h5py.Dataset, shape (n, r)
        Basis at the cells.
    coefficients : pair of array, shape (genes, r)
        Of the genes in the reference and the compared condition.
    expression : h5py.Group or scipy.sparse.csr_matrix, shape (n, genes)
        Measured expression.
    dataset, contrast : str
    column : str
        Of obs, with the conditions.
    conditions : pair of str
        Reference and compared condition.
    conventions : str
    axis_names : pair of str
    ranking : {"pvalue", "standardised", "mahalanobis"}
        What ranks the genes; p-values are shown as −log10.
    fdr_threshold : float
    blocks : array of int, shape (n,), optional
        Block of each cell; −1 for cells that do not take part in the contrast.
    found : dict of array, optional
        Where the called genes change, from `statediff.gene_tests.locate_genes`.
    size : float, optional
        Area of a point in square points.
    max_bytes : int
        Size the page may have. If not all genes fit, the last in the order of the ranking, after
        those that are called, have no values at the cells.
    max_cells : int

    Returns
    -------
    str
    """
    n_cells, drawn = len(xy), np.random.default_rng(0).permutation(len(xy))[:max_cells]
    # Called genes first, then those nearest to it.
    order = rank_genes({name: genes[name].to_numpy() for name in genes}, ranking)
    order = order[np.argsort(~genes["is_de"].to_numpy(dtype=bool)[order], kind="stable")]
    genes, phi, xy = genes.iloc[order], take_rows(phi, drawn), xy[drawn]
    reference, compared = (part[order] for part in coefficients)
    a, b = (short(name, NAME) for name in conditions)
    called = genes["is_de"].to_numpy(dtype=bool)
    diameter = np.sqrt(size or point_size(len(xy))) * 4 / 3
    tables = {
        "title": f"{conditions[1]} against {conditions[0]} ({column})",
        "subtitle": f"{dataset} · {contrast} · conventions {conventions}",
        "dataset": dataset,
        "conditions": [a, b],
        "axes": list(axis_names),
        "x": _numbers(xy[:, 0], 5),
        "y": _numbers(xy[:, 1], 5),
        "cells": [str(names[i]) for i in drawn],
        "columns": [_drawn(column, drawn) for column in columns],
        "size": max(3.0, round(float(diameter), 1)),
        "genes": _volcano(genes, called, ranking),
        "kinds": [
            {"name": "not significant", "color": DIRECTION_COLORS["neutral"]},
            {"name": f"lower in {b}", "color": DIRECTION_COLORS["down"]},
            {"name": f"higher in {b}", "color": DIRECTION_COLORS["up"]},
        ],
        "labels": {
            "x": f"Mean log fold change over cells, {b} − {a} (units of the layer)",
            "y": LABELS[ranking],
            "change": f"{b} − {a} (units of the layer)",
            "where": f"{b} / {a} (normalised counts)",
            "unit": "units of the layer",
        },
        "colors": {
            "other": GREY,
            "behind": BEHIND,
            "signed": _colorscale("RdBu_r"),
            "positive": _colorscale("viridis"),
        },
    }
    tables["line"] = _line(tables["genes"]["y"], called, ranking, fdr_threshold)
    regions = b""
    if found is not None:
        lfc = found["lfc"][np.searchsorted(found["genes"], order[: called.sum()])]
        words = [where_it_changes(gene) for gene in genes[called].to_dict("records")]
        tables["blocks"] = {"cells": blocks[drawn].tolist(), "count": lfc.shape[1],
                            "steps": STEPS, "words": words}  # fmt: skip
        regions = low_then_high(np.round(STEPS * lfc))
    template = TEMPLATE.read_text(encoding="utf-8")
    parts = {"plotly": _packed(get_plotlyjs().encode()), "regions": _packed(regions)}
    # The tables' own size is known only once the layers are in them: 48 bytes a gene cover that.
    spent = sum(map(len, [template.encode(), *parts.values(), _packed(_json(tables))]))
    spare = max_bytes - spent - 48 * len(genes)
    layers, parts["layers"] = _layers_within(SMOOTHED * spare, phi, reference, compared)
    # No more genes than can fit are read.
    columns = order[: max(1, MOST_MEASURED // len(drawn))]
    values = _measured_values(expression, drawn, columns)
    low, step, parts["measured"] = _measured_within(spare - len(parts["layers"]), values)
    stored = len(layers.change)
    scalars = ("mean_change", "mean_level", "scale_change", "scale_level")
    tables["layers"] = {name: _numbers(getattr(layers, name), 6) for name in scalars}
    tables["measured"] = {"low": _numbers(low, 6), "step": _numbers(step, 6)}
    error = largest_error(layers, phi, reference[:stored], compared[:stored])
    tables["notes"] = _notes(len(xy), n_cells, stored, len(low), len(genes), error)
    parts["tables"] = _packed(_json(tables))
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _drawn(column, drawn):
    """A column at the cells that are drawn, for JSON."""
    if "codes" in column:
        return column | {"codes": column["codes"][drawn].tolist()}
    return column | {"values": _numbers(column["values"][drawn])}


def _volcano(genes, called, ranking):
    """Names, places in the volcano, and statistics of the genes."""
    change = genes["mean_lfc"].to_numpy(dtype=float)
    height = genes[ranking].to_numpy(dtype=float)
    height = -np.log10(np.maximum(height, TINY)) if ranking == "pvalue" else height
    columns = [
        {"name": text, "values": _numbers(genes[key])}
        for key, text in STATISTICS.items()
        if key in genes
    ]
    return {
        "names": [str(name) for name in genes.index],
        "x": _numbers(change),
        "y": _numbers(height),
        "kinds": np.where(called, np.where(change > 0, 2, 1), 0).tolist(),
        "columns": columns,
    }


def _measured_values(expression, drawn, genes):
    """Measured expression of genes at the cells drawn, sparse."""
    rows = np.sort(drawn)
    starts = range(0, len(rows), CELLS)
    blocks = [read_rows(expression, rows[start : start + CELLS])[:, genes] for start in starts]
    return sparse.vstack(blocks, format="csr")[np.searchsorted(rows, drawn)]


def _measured_within(limit, values):
    """Measured expression, packed, of as many of the first genes as fit; where it begins, steps."""
    codes, low, step = compress_measured(values)
    genes = len(codes)
    while True:
        text = _packed(codes[:genes].tobytes())
        if len(text) <= limit or genes == 1:
            return low[:genes], step[:genes], text
        genes = max(1, int(0.97 * genes * limit / len(text)))


def _layers_within(limit, phi, reference, compared):
    """Compressed layers, also packed, of as many of the first genes as fit."""
    genes = len(reference)
    while True:
        layers = compress_layers(phi, reference[:genes], compared[:genes])
        text = _packed(layers.to_bytes())
        if len(text) <= limit or genes == 1:
            return layers, text
        genes = max(1, int(0.97 * genes * limit / len(text)))


def _line(height, called, ranking, fdr_threshold):
    """Height above which genes are called, and what it stands for."""
    if not called.any():
        return None
    y = min(value for value, is_called in zip(height, called, strict=True) if is_called)
    rate = "local FDR" if ranking == "mahalanobis" else "FDR"
    return {"y": y, "name": f"{rate} < {fdr_threshold:g} ({SHORT[ranking]} ≥ {y:.1f})"}


def _notes(drawn, n_cells, smoothed, measured, n_genes, error):
    cells = f"All {n_cells:,} cells are drawn."
    if drawn < n_cells:
        cells = f"{drawn:,} of {n_cells:,} cells are drawn and counted, chosen at random."
    genes = [
        f"All {n_genes:,} genes have {what} at the cells"
        if stored == n_genes
        else f"{stored:,} of {n_genes:,} genes have {what} at the cells, those called or nearest "
        "to it"
        for what, stored in (
            ("fold changes and smoothed expression", smoothed),
            ("measured expression", measured),
        )
    ]
    return [
        cells,
        f"{genes[0]}; computed from compressed layers, the fold changes are within "
        f"{100 * error:.2g} % of the gene's range of the exact ones.",
        f"{genes[1]}, rounded to {LEVELS} steps.",
        "Colours of signed numbers saturate at the 99th percentile of the absolute values.",
    ]


def _numbers(values, digits=4):
    """For JSON: rounded to significant digits, null if not finite."""
    values = np.asarray(values)
    if values.dtype.kind == "b":
        return values.tolist()
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in values.tolist()]


def _colorscale(name):
    """Colours of matplotlib for Plotly, from 0 to 1."""
    at = np.linspace(0, 1, 33)
    return [[float(x), mpl.colors.to_hex(mpl.colormaps[name](x))] for x in at]


def _json(tables):
    return json.dumps(tables, ensure_ascii=False, allow_nan=False).encode()


def _packed(content):
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode()
