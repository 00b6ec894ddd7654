"""Figure of where genes change: genes over cell types, or over blocks of cells."""

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.colors import TwoSlopeNorm
from matplotlib.patches import Patch, Rectangle

from statediff.plots.style import GREY, canvas, color_bar, column_width, legend_above, short, styled

__all__ = ["gene_regions"]

# Titles of the patterns of `statediff.localisation.patterns`, from above to below.
TITLES = {
    "everywhere": "everywhere",
    "region": "in some cells",
    "opposite": "up and down",
}
NOWHERE = "not localised"
# Inches of a row, of a type, and of all blocks together.
ROW, TYPE, BLOCKS = 0.19, 0.26, 4.2
# Part of a row, and of a type, that is filled.
FILLED = 0.86


@styled
def gene_regions(table, patterns, types, *, conditions, totals=None, cells=None, percentile=98.0):
    """In which cell types genes change, and by how much.

    A field represents the cells of a type; the coloured part of its width is the share of these
    cells in states where the gene changes.

    Parameters
    ----------
    table : pandas.DataFrame
        `gene`, `cell_type`, `direction` (up or down), `share` (0 to 1) and `lfc` (log2 fold
        change), as in `tables/gene_regions`. Other genes and types than those below are ignored.
    patterns : pandas.Series, shape (genes,)
        Pattern of each gene to show: everywhere, region, opposite, or missing. Genes of a pattern
        stay in their order.
    types : sequence, shape (types,)
        Columns, from left to right.
    conditions : pair of str
        Reference and compared condition.
    totals : mapping of str to int, optional
        Genes of each pattern, of which some are shown.
    cells : array, shape (types,), optional
        Number of cells of each column, if the columns are blocks of cells. Their names are not
        shown.
    percentile : float
        Percentile of the absolute fold changes at which the colours saturate.

    Returns
    -------
    matplotlib.figure.Figure
    """
    named = cells is None
    names = [short(str(name), 32) for name in types] if named else []
    below = 0.2 + 0.055 * max(map(len, names), default=4)
    labels, rows = _rows(patterns, totals or {})
    width = 2.9 + (column_width(len(types), TYPE, 2.9) * len(types) if named else BLOCKS)
    height = max(2.6, 0.9 + ROW * len(labels)) + below
    figure, axes = canvas(width, height)
    if not rows:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "No called gene could be localised.", ha="center", va="center",
                  transform=axes.transAxes, wrap=True)  # fmt: skip
        return figure
    left, widths, total = _columns(types, cells)
    table = table[table["gene"].isin(rows) & table["cell_type"].isin(list(types))]
    fields = [(at, row, size) for row in rows.values() for at, size in zip(left, widths)]
    axes.add_collection(_boxes(fields, facecolors=GREY, linewidths=0))
    column = {name: i for i, name in enumerate(types)}
    # Those lower in the compared condition first.
    table = table.sort_values("direction", kind="stable")
    before = table.groupby(["gene", "cell_type"], observed=True)["share"].cumsum() - table["share"]
    at = table["cell_type"].map(column).to_numpy(dtype=int)
    start = left[at] + widths[at] * before.to_numpy(dtype=float)
    size = widths[at] * table["share"].to_numpy(dtype=float)
    changed = list(zip(start, table["gene"].map(rows), size, strict=True))
    change = table["lfc"].to_numpy(dtype=float)
    limit = np.percentile(np.abs(change), percentile) if len(change) else 1.0
    boxes = _boxes(
        changed, cmap="RdBu_r", norm=TwoSlopeNorm(0, -limit, limit),
        edgecolors="#404040" if named else "face", linewidths=0.3,
    )  # fmt: skip
    boxes.set_array(change)
    axes.add_collection(boxes)
    axes.set(xlim=(0, total), ylim=(len(labels) - 0.4, -0.6))
    axes.set_yticks(range(len(labels)), labels)
    for row, label in enumerate(axes.get_yticklabels()):
        label.set_fontweight("normal" if row in rows.values() else "bold")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if named:
        axes.set_xticks(left + widths / 2, names, rotation=90)
    else:
        axes.set_xticks([])
        axes.set_xlabel(
            f"{len(types)} blocks of cells, similar ones side by side; width: number of cells"
        )
    reference, compared = (short(name, 25) for name in conditions)
    label = f"log₂ fold change\n{compared} / {reference}\n(normalised counts)"
    extend = "both" if np.abs(change).max(initial=0.0) > limit else "neither"
    color_bar(boxes, axes, label, shrink=min(1.0, 2.0 / height), extend=extend)
    handles = [Patch(color=GREY, label="no significant change")]
    if named:
        handles.append(
            Patch(
                fc="white", ec="#404040", lw=0.5, label="coloured width: share of the type's cells"
            )
        )
    legend_above(figure, handles)
    return figure


def _rows(patterns, totals):
    """Labels of the rows, patterns above their genes, and the row of each gene."""
    labels, rows = [], {}
    known = patterns.where(patterns.isin(list(TITLES)), NOWHERE)
    for pattern, title in (TITLES | {NOWHERE: NOWHERE}).items():
        genes = list(patterns.index[known == pattern])
        if not genes:
            continue
        of = f" of {totals[pattern]:,}" if pattern in totals else ""
        labels.append(f"{title} ({len(genes):,}{of})")
        for gene in genes:
            rows[gene] = len(labels)
            labels.append(short(str(gene), 32))
    return labels, rows


def _columns(types, cells):
    """Left edge and width of each column, and the width of all."""
    if cells is None:
        return np.arange(len(types)) + (1 - FILLED) / 2, np.full(len(types), FILLED), len(types)
    widths = np.asarray(cells, dtype=float)
    ends = np.cumsum(widths)
    return ends - widths, widths, ends[-1]


def _boxes(places, **options):
    """Boxes as high as rows, at these places: left edge, row, width."""
    boxes = [Rectangle((left, row - FILLED / 2), width, FILLED) for left, row, width in places]
    return PatchCollection(boxes, **options)
