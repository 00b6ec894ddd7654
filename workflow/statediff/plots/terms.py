"""Figures of enriched terms and of associations between genes."""

import textwrap

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D

from statediff.fields import DIRECTION_COLORS
from statediff.plots.style import (
    GREY,
    canvas,
    color_bar,
    dot,
    legend_above,
    legend_beside,
    log_ticks,
    short,
    styled,
    text_size,
)

__all__ = ["enrichment", "gene_network"]

# Characters of a line of a term's name, of two.
WIDTH = 48
# Inches of a term of one line, of another line, of a panel's title and axis.
TERM, LINE, PANEL = 0.21, 0.12, 0.42
# Areas of the dots of no gene and of the most genes, in square points.
SMALL, LARGE = 8.0, 105.0


@styled
def enrichment(table, *, titles, fdr_threshold, top=10, categories=()):
    """Enriched terms of each gene set: strength, FDR and number of genes.

    Parameters
    ----------
    table : pandas.DataFrame
        `gene_set`, `category`, `term`, `description`, `strength`, `fdr`, `number_of_genes`.
    titles : dict of str to str
        Title of the panel of each gene set, from above to below.
    fdr_threshold : float
        Terms with a smaller FDR are shown.
    top : int
        Terms of a gene set: those of the smallest FDR.
    categories : sequence of str
        Categories the table is of; all if there is none.

    Returns
    -------
    matplotlib.figure.Figure
    """
    called = table[table["fdr"] < fdr_threshold].sort_values(
        ["fdr", "strength"], ascending=[True, False], kind="stable"
    )
    panels = {name: called[called["gene_set"] == name][:top] for name in titles}
    names = {
        name: _names(terms, called["category"].nunique() > 1) for name, terms in panels.items()
    }
    heights = [
        PANEL + (sum(TERM + LINE * text.count("\n") for text in names[name]) or TERM)
        for name in titles
    ]
    figure, grid = canvas(
        6.9, 0.75 + sum(heights), len(titles), 1, squeeze=False, sharex=True, height_ratios=heights
    )
    every = [terms for terms in panels.values() if len(terms)]
    most = max((int(terms["number_of_genes"].max()) for terms in every), default=1)
    least = min([fdr_threshold / 10, *(q for terms in every for q in terms["fdr"] if q > 0)])
    style = {"norm": LogNorm(least, fdr_threshold), "cmap": "viridis"}
    of = f" of {short(', '.join(categories))}" if len(categories) else ""
    nothing = f"no term{of} with an FDR below {fdr_threshold:g}"
    for axes, (name, terms) in zip(grid[:, 0], panels.items(), strict=True):
        axes.set_title(titles[name], loc="left")
        points = _panel(axes, terms, names[name], most, style, nothing)
    if not every:
        for axes in grid[:, 0]:
            axes.set(xticks=[])
            axes.spines[:].set_visible(False)
    else:
        strengths = [0.0, *(x for terms in every for x in terms["strength"] if np.isfinite(x))]
        low, high = min(strengths), max(strengths)
        room = 0.08 * (high - low) or 0.1
        grid[-1, 0].set(xlim=(low - room if low < 0 else 0, high + room))
        grid[-1, 0].set_xlabel("Strength, log₁₀(genes observed / expected by chance)")
        bar = color_bar(points, list(grid[:, 0]), "FDR", shrink=min(1.0, 1.8 / sum(heights)))
        log_ticks(bar.ax.yaxis)
        bar.ax.invert_yaxis()
        legend_above(figure, _sizes(most), "Genes of the term")
    return figure


def _names(terms, with_category):
    """Label of each term: at most two lines, with its category if there are several."""
    names = []
    for text, category in zip(terms["description"], terms["category"]):
        # Names of gene sets in files are joined by underscores.
        text = text if " " in text else text.replace("_", " ")
        text += f" [{short(category, 20)}]" if with_category else ""
        # A long label is shortened within the name, not within the category.
        end = f"… [{short(category, 20)}]" if with_category else "…"
        names.append(textwrap.fill(text, WIDTH, max_lines=2, placeholder=end))
    return names


def _panel(axes, terms, names, most, style, nothing):
    """Lollipops of the terms of a gene set, the smallest FDR on top."""
    axes.tick_params(axis="y", length=0)
    if not len(terms):
        axes.text(0.01, 0.5, nothing, transform=axes.transAxes, va="center", color="#606060")
        axes.set(yticks=[], ylim=(0, 1))
    lines = np.array([1 + LINE / TERM * name.count("\n") for name in names])
    y = -(np.cumsum(lines) - lines / 2)
    axes.hlines(y, 0, terms["strength"], color="#909090", lw=1.0, zorder=1)
    points = axes.scatter(
        terms["strength"], y, s=_area(terms["number_of_genes"].to_numpy(dtype=float), most),
        c=terms["fdr"].clip(lower=style["norm"].vmin), edgecolors="#303030", linewidths=0.4,
        zorder=2, **style,
    )  # fmt: skip
    if len(terms):
        axes.set_yticks(y, names, fontsize=text_size(7), linespacing=1.0)
        axes.set_ylim(-lines.sum() - 0.1, 0.1)
    return points


def _area(count, most):
    return SMALL + (LARGE - SMALL) * count / most


def _sizes(most):
    """Legend of up to three numbers of genes."""
    counts = sorted({max(1, round(most * part)) for part in (0.1, 0.5, 1.0)})
    return [
        Line2D([], [], ls="", marker="o", ms=np.sqrt(_area(count, most)), mfc="white",
               mec="#303030", mew=0.5, label=f"{count:,}")
        for count in counts
    ]  # fmt: skip


@styled
def gene_network(edges, directions, *, conditions):
    """Associations among genes, as far apart as a spring layout puts them.

    Parameters
    ----------
    edges : iterable of tuple (str, str, float)
        Pairs of genes, and the score of their association, 0 to 1.
    directions : dict of str to {"up", "down", "neutral"}
        Of every gene; those without an association are counted, not drawn.
    conditions : pair of str
        Reference and compared condition.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import networkx

    graph = networkx.Graph()
    graph.add_weighted_edges_from(edge for edge in edges if edge[0] != edge[1])
    size = float(np.clip(1.2 * np.sqrt(len(graph)), 4.0, 14.0))
    figure, axes = canvas(size, size)
    axes.set_axis_off()
    if not len(graph):
        text = f"no association known among {len(directions):,} genes"
        axes.text(0.5, 0.5, text, ha="center", va="center")
        return figure
    place = networkx.spring_layout(graph, seed=0, k=2.2 / np.sqrt(len(graph)), iterations=200)
    for a, b, score in graph.edges(data="weight"):
        ends = np.array([place[a], place[b]])
        axes.plot(*ends.T, color="#808080", lw=0.3 + 1.7 * score, alpha=0.6, zorder=1)
    names = list(graph)
    kinds = [directions.get(name, "neutral") for name in names]
    xy = np.array([place[name] for name in names])
    colors = [DIRECTION_COLORS[kind] for kind in kinds]
    axes.scatter(*xy.T, c=colors, s=50, edgecolors="white", linewidths=0.6, zorder=2)
    # An outline would turn the text into paths.
    behind = {"facecolor": "white", "alpha": 0.6, "linewidth": 0, "pad": 0.3}
    for name, at in zip(names, xy):
        axes.annotate(
            short(name, 20), at, (0, 4), textcoords="offset points", ha="center",
            fontsize=text_size(6.5), bbox=behind,
        )  # fmt: skip
    axes.margins(0.08)
    described = {
        "up": f"higher in {conditions[1]}",
        "down": f"lower in {conditions[1]}",
        "neutral": "no direction",
    }
    handles = [
        dot(DIRECTION_COLORS[kind], short(text))
        for kind, text in described.items()
        if kind in kinds
    ]
    if (alone := len(set(directions) - set(names))) > 0:
        handles.append(dot(GREY, f"without association: {alone:,}, not drawn"))
    legend_beside(figure, handles, "Genes")
    return figure
