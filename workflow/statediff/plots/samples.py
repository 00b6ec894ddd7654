"""Figure of the expression of genes in samples: pseudobulks of cell types."""

import numpy as np
from matplotlib.lines import Line2D

from statediff.plots.style import CONDITION_COLORS, canvas, legend_above, short, styled, text_size

__all__ = ["sample_expression"]

# Genes side by side, and inches of one, of a type's row and around them.
COLUMNS, GENE, TYPE, AROUND = 4, 1.45, 0.26, 0.55
# Distance of the conditions from the middle of a row, and of their outermost samples from these.
ASIDE, SPREAD = 0.2, 0.13
# A pseudobulk of fewer cells is an open circle.
FEW = 10


@styled
def sample_expression(table, types, *, conditions, colors=CONDITION_COLORS, significant=None):
    """Expression of genes in each sample and cell type, a panel for each gene.

    Parameters
    ----------
    table : pandas.DataFrame
        A point for each row: `gene`, `cell_type`, `condition` (0: reference, 1: compared),
        `sample`, `expression` (pseudobulk, log2) and `cells`, their number; with pairs also `pair`,
        whose points are joined.
    types : sequence of str
        Rows, from top to bottom.
    conditions : pair of str
        Reference and compared condition.
    colors : pair of colours
        Of the conditions.
    significant : pandas.DataFrame of bool, shape (genes, types), optional
        Cell types in which genes change, which are marked.

    Returns
    -------
    matplotlib.figure.Figure
    """
    genes = list(dict.fromkeys(table["gene"]))
    columns = min(COLUMNS, len(genes))
    rows = -(-len(genes) // columns)
    height = AROUND + rows * (0.6 + TYPE * max(len(types), 2))
    figure, grid = canvas(
        1.6 + GENE * max(columns, 2), height, rows, columns, squeeze=False, sharey=True
    )
    at = {name: row for row, name in enumerate(reversed(list(types)))}
    for axes, gene in zip(grid.flat, genes, strict=False):
        of_gene = table[table["gene"] == gene]
        place = _places(of_gene, at)
        if "pair" in table:
            _join(axes, of_gene, place)
        for i, color in enumerate(colors):
            drawn = (of_gene["condition"] == i).to_numpy()
            few = (of_gene["cells"] < FEW).to_numpy()[drawn]
            axes.scatter(
                of_gene["expression"][drawn], place[drawn], s=11, linewidths=0.8,
                facecolors=np.where(few, "white", color), edgecolors=color, zorder=3,
            )  # fmt: skip
            means = of_gene[drawn].groupby("cell_type", observed=True)["expression"].mean()
            middle = np.array([at[name] for name in means.index]) + ASIDE * (1 - 2 * i)
            axes.vlines(means, middle - 0.2, middle + 0.2, color="black", lw=1.0, zorder=4)
        for edge in np.arange(1, len(types)) - 0.5:
            axes.axhline(edge, color="#ececec", lw=0.7, zorder=0)
        axes.set(ylim=(-0.6, len(types) - 0.4), title=short(str(gene), 18))
        axes.margins(x=0.08)
        axes.tick_params(axis="y", length=0)
        if significant is not None:
            for name in [name for name in types if significant.loc[gene, name]]:
                axes.annotate(
                    "*", (1.0, at[name]), xycoords=("axes fraction", "data"), ha="left",
                    va="center_baseline", fontsize=text_size(9),
                )  # fmt: skip
    grid[0, 0].set_yticks(list(at.values()), [short(str(name), 32) for name in at])
    for axes in grid.flat[len(genes) :]:
        axes.set_axis_off()
    figure.supxlabel("Expression, log₂ (1 + counts per 10,000)")
    handles = [
        Line2D([], [], ls="", marker="o", ms=4, color=color, label=f"a sample of {short(name, 25)}")
        for color, name in zip(colors, conditions, strict=True)
    ]
    handles.append(Line2D([], [], color="black", lw=1.0, label="mean of the samples"))
    if "pair" in table:
        handles.append(Line2D([], [], color="#a0a0a0", lw=0.7, label="samples of a pair"))
    if (table["cells"] < FEW).any():
        handles.append(
            Line2D([], [], ls="", marker="o", ms=4, mfc="white", mec="#404040", mew=0.8,
                   label=f"fewer than {FEW} cells")
        )  # fmt: skip
    if significant is not None and significant.to_numpy().any():
        star = Line2D([], [], ls="", marker=(6, 2, 0), ms=5, color="black")
        star.set_label("significant in some cells of the type")
        handles.append(star)
    legend_above(figure, handles)
    return figure


def _places(table, at):
    """Vertical place of each point: samples of a condition beside each other, in their order."""
    codes = table.groupby("condition")["sample"].transform(lambda names: names.rank(method="dense"))
    counts = codes.groupby(table["condition"]).transform("max")
    within = np.where(counts > 1, (codes - 1) / np.maximum(counts - 1, 1) - 0.5, 0.0)
    rows = table["cell_type"].map(at).to_numpy(dtype=float)
    return rows + ASIDE * (1 - 2 * table["condition"].to_numpy()) - 2 * SPREAD * within


def _join(axes, table, place):
    """Lines between the samples of a pair in a cell type, or the means of several."""
    ends = table.assign(place=place).pivot_table(
        index=["pair", "cell_type"], columns="condition", values=["expression", "place"],
        observed=True,
    )  # fmt: skip
    if ends["expression"].shape[1] == 2:
        ends = ends.dropna()
        axes.plot(
            ends["expression"].to_numpy().T, ends["place"].to_numpy().T, color="#a0a0a0", lw=0.7,
            zorder=2,
        )  # fmt: skip
