"""One HTML file to explore a contrast in a browser: embedding and volcano, linked."""

import base64
import gzip
import json
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
from plotly.offline import get_plotlyjs

from statediff.compression import compress_layers, largest_error, low_then_high
from statediff.plots.expression import LABELS, SHORT
from statediff.plots.style import GREY, categorical_palette, point_size, short
from statediff.provenance import DIRECTION_COLORS

__all__ = [
    "MAX_CELLS",
    "NAME",
    "STATISTICS",
    "category_column",
    "explore_page",
    "value_column",
    "where_it_changes",
]

TEMPLATE = Path(__file__).with_name("explore.html")
# Of the whole page.
MAX_BYTES = 14_500_000
#: Cells drawn; of more, those drawn are chosen at random.
MAX_CELLS = 20_000
#: Letters of a condition in the labels.
NAME = 16
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


def category_column(name, labels, order, colors=None):
    """Cells by a category; those of none in `order` are other cells, in grey.

    Parameters
    ----------
    name : str
    labels : array of str, shape (n,)
    order : sequence of str
        Categories in the legend's order.
    colors : sequence of colours, optional
        One for each of `order`.

    Returns
    -------
    dict
        What the page knows of it.
    """
    order = list(order)
    code = {label: i for i, label in enumerate(order)}
    palette = categorical_palette(order, colors)
    return {
        "name": name,
        "codes": [code.get(label, -1) for label in labels],
        "levels": order,
        "colors": [palette[label] for label in order],
        "other": "other cells",
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
        What the page knows of it.
    """
    return {"name": name, "values": _numbers(values), "label": label, "signed": signed}


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


def explore_page(xy, names, columns, genes, phi, reference, compared, *, dataset, contrast,
                 conditions, described, axis_names, ranking, fdr_threshold, n_cells,
                 blocks=None, block_lfc=None, size=None, max_bytes=MAX_BYTES):  # fmt: skip
    """Page on which cells are coloured by any result, or by the fold change of a gene.

    Parameters
    ----------
    xy : array, shape (n, 2)
        Coordinates of the cells drawn, in a random order.
    names : sequence of str, length n
    columns : list of dict
        Results of the cells: `category_column`, `value_column`; drawn by the first to begin with.
    genes : pandas.DataFrame
        Index of gene names, and their statistics. Those come first whose fold changes matter
        most: if not all fit, the last have statistics only. With `block_lfc` also what
        `where_it_changes` takes.
    phi : array, shape (n, r)
        Basis at the cells drawn.
    reference, compared : array, shape (genes, r)
        Coefficients of the genes in the conditions.
    dataset, contrast : str
    conditions : pair of str
        Reference and compared condition.
    described : str
        The line beside the title.
    axis_names : pair of str
    ranking : {"pvalue", "standardised", "mahalanobis"}
        What ranks the genes; p-values are shown as −log10.
    fdr_threshold : float
    n_cells : int
        Cells of the data set, drawn or not.
    blocks : array of int, shape (n,), optional
        Block of each cell drawn; −1 for cells that do not take part in the contrast.
    block_lfc : array, shape (called, blocks), optional
        log2 fold change of the first genes, those that are called, in each block; 0 where it is not
        significant.
    size : float, optional
        Area of a point in square points.
    max_bytes : int
        Size the page may have.

    Returns
    -------
    str
    """
    a, b = (short(name, NAME) for name in conditions)
    height = genes[ranking].to_numpy(dtype=float)
    height = -np.log10(np.maximum(height, TINY)) if ranking == "pvalue" else height
    called = genes["is_de"].to_numpy(dtype=bool)
    change = genes["mean_lfc"].to_numpy(dtype=float)
    diameter = np.sqrt(size or point_size(len(xy))) * 4 / 3
    tables = {
        "title": f"{dataset} · {contrast}",
        "subtitle": described,
        "conditions": [a, b],
        "axes": list(axis_names),
        "x": _numbers(xy[:, 0], 5),
        "y": _numbers(xy[:, 1], 5),
        "cells": [str(name) for name in names],
        "columns": columns,
        "size": max(3.0, round(float(diameter), 1)),
        "genes": {
            "names": [str(name) for name in genes.index],
            "x": _numbers(change),
            "y": _numbers(height),
            "kinds": np.where(called, np.where(change > 0, 2, 1), 0).tolist(),
            "columns": [
                {"name": text, "values": _numbers(genes[key])}
                for key, text in STATISTICS.items()
                if key in genes
            ],
        },
        "kinds": [
            {"name": "not significant", "color": DIRECTION_COLORS["neutral"]},
            {"name": f"lower in {b}", "color": DIRECTION_COLORS["down"]},
            {"name": f"higher in {b}", "color": DIRECTION_COLORS["up"]},
        ],
        "line": _line(height, called, ranking, fdr_threshold),
        "labels": {
            "x": f"Mean log fold change over cells, {b} − {a} (units of the layer)",
            "y": LABELS[ranking],
            "change": f"{b} − {a} (units of the layer)",
            "smoothed": [f"in {name} (units of the layer)" for name in (a, b)],
        },
        "colors": {
            "other": GREY,
            "behind": BEHIND,
            "signed": _colorscale("RdBu_r"),
            "positive": _colorscale("viridis"),
        },
    }
    regions = b""
    if block_lfc is not None:
        tables["blocks"] = {
            "cells": np.asarray(blocks).tolist(),
            "count": block_lfc.shape[1],
            "steps": STEPS,
            "words": [
                where_it_changes(gene) for gene in genes.head(len(block_lfc)).to_dict("records")
            ],
        }
        tables["labels"]["where"] = f"{b} / {a} (normalised counts)"
        regions = low_then_high(np.round(STEPS * np.asarray(block_lfc)))
    regions = _packed(regions)
    template = TEMPLATE.read_text(encoding="utf-8")
    library = _packed(get_plotlyjs().encode())
    # The tables' own size is known only once the layers are in them: 24 bytes a gene cover that.
    spent = (
        len(template.encode())
        + len(library)
        + len(regions)
        + len(_packed(_json(tables)))
        + 24 * len(genes)
    )
    layers, text = _layers_within(max_bytes - spent, phi, reference, compared)
    stored = len(layers.change)
    scalars = ("mean_change", "mean_level", "scale_change", "scale_level")
    tables["layers"] = {name: _numbers(getattr(layers, name), 6) for name in scalars}
    error = largest_error(layers, phi, reference[:stored], compared[:stored])
    tables["notes"] = _notes(len(xy), n_cells, stored, len(genes), error)
    parts = {"plotly": library, "tables": _packed(_json(tables)), "layers": text,
             "regions": regions}  # fmt: skip
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


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
    y = float(height[called].min())
    rate = "local FDR" if ranking == "mahalanobis" else "FDR"
    return {"y": y, "name": f"{rate} < {fdr_threshold:g} ({SHORT[ranking]} ≥ {y:.1f})"}


def _notes(drawn, n_cells, stored, n_genes, error):
    cells = f"All {n_cells:,} cells are drawn."
    if drawn < n_cells:
        cells = f"{drawn:,} of {n_cells:,} cells are drawn, chosen at random."
    genes = f"All {n_genes:,} genes have fold changes at the cells"
    if stored < n_genes:
        genes = (
            f"{stored:,} of {n_genes:,} genes have fold changes at the cells, those called or "
            "nearest to it, the others statistics only"
        )
    return [
        cells,
        f"{genes}; computed from compressed layers, they are within {100 * error:.2g} % of the "
        "gene's range of the exact ones.",
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
