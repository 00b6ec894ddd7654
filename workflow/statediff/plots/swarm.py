"""Figure of the change of abundance within cell types: a swarm of blocks of cells for each."""

import numpy as np
from matplotlib.lines import Line2D

from statediff.fields import DIRECTION_COLORS
from statediff.plots.panel import settle
from statediff.plots.style import canvas, legend_above, short, styled

__all__ = ["abundance_swarm"]

# Area of a point in square points: of one cell, and at most.
PER_CELL, LEAST, LARGEST = 0.6, 7.0, 60.0
# Part of the height of a row that points may fill.
FILLED = 0.9


@styled
def abundance_swarm(table, types, *, conditions, lfc_threshold):
    """Log fold change of abundance of blocks of cells, a row for each cell type.

    Parameters
    ----------
    table : pandas.DataFrame
        A point for each row: `cell_type`, `lfc` (log2, mean over its cells), `direction` (down,
        neutral or up) and `cells`, their number.
    types : sequence of str
        Rows, from top to bottom.
    conditions : pair of str
        Reference and compared condition.
    lfc_threshold : float
        Of the calls; drawn.

    Returns
    -------
    matplotlib.figure.Figure
    """
    reference, compared = (short(name, 25) for name in conditions)
    figure, axes = canvas(6.2, 1.2 + 0.32 * len(types))
    lfc, cells = table["lfc"].to_numpy(dtype=float), table["cells"].to_numpy(dtype=float)
    totals = table.groupby("cell_type", observed=False)["cells"].sum()
    rows = np.arange(len(types))[::-1]
    wide = 1.08 * max(np.abs(lfc).max(initial=0.0), 1.5 * lfc_threshold)
    axes.set(
        xlim=(-wide, wide), ylim=(-0.6, len(types) - 0.4),
        xlabel=f"log₂ fold change of cell density, {compared} / {reference}",
    )  # fmt: skip
    axes.set_yticks(rows, [f"{short(str(name))} ({totals.get(name, 0):,})" for name in types])
    axes.tick_params(axis="y", length=0)
    axes.hlines(rows[:-1] - 0.5, -wide, wide, color="#ececec", lw=0.7, zorder=0)
    axes.axvline(0.0, color="#404040", lw=0.8, zorder=1)
    lines = {"color": "#404040", "lw": 0.8, "ls": (0, (4, 3)), "zorder": 1}
    for sign in (-1, 1):
        axes.axvline(sign * lfc_threshold, **lines)
    legend_above(figure, _handles(table, compared, lfc_threshold, lines))
    settle(figure)
    # Points are placed after the layout of the axes is final.
    area = np.clip(PER_CELL * cells, LEAST, LARGEST)
    area *= min(1.0, (axes.bbox.height / figure.dpi / len(types) / 0.32) ** 2)
    across = axes.bbox.width / figure.dpi * 72 / (2 * wide)
    high = axes.bbox.height / figure.dpi * 72 / len(types)
    direction = table["direction"].to_numpy(dtype=str)
    for row, name in zip(rows, types, strict=True):
        inside = np.flatnonzero((table["cell_type"] == name).to_numpy())
        radii = np.sqrt(area[inside] / np.pi)
        offsets = side_by_side(across * lfc[inside], radii)
        reach = np.abs(offsets).max(initial=0.0) + radii.max(initial=0.0)
        offsets *= min(1.0, FILLED * high / 2 / max(reach, 1e-9)) / high
        colors = [DIRECTION_COLORS[name] for name in direction[inside]]
        axes.scatter(
            lfc[inside], row + offsets, s=area[inside], c=colors, edgecolors="white",
            linewidths=0.3, zorder=3,
        )  # fmt: skip
        if len(inside):
            mean = np.average(lfc[inside], weights=cells[inside])
            axes.plot([mean, mean], [row - 0.4, row + 0.4], color="black", lw=1.2, zorder=2)
    return figure


def _handles(table, compared, lfc_threshold, lines):
    counts = table["direction"].value_counts()
    named = {"down": f"less in {compared}", "neutral": "not called", "up": f"more in {compared}"}
    handles = [
        Line2D([], [], ls="", marker="o", ms=5, color=DIRECTION_COLORS[name],
               label=f"{text} ({counts.get(name, 0):,})")
        for name, text in named.items()
    ]  # fmt: skip
    handles.append(Line2D([], [], color="black", lw=1.2, label="mean over cells"))
    handles.append(Line2D([], [], label=f"|log₂ fold change| = {lfc_threshold:.3g}", **lines))
    for number in (10, 80):
        size = np.sqrt(np.clip(PER_CELL * number, LEAST, LARGEST) * 4 / np.pi)
        handles.append(
            Line2D([], [], ls="", marker="o", ms=size, mfc="white", mec="#404040", mew=0.5,
                   label=f"{number} cells")
        )  # fmt: skip
    return handles


def side_by_side(positions, radii):
    """Offsets across a line at which circles on it do not overlap, each as small as it can be.

    Parameters
    ----------
    positions : array, shape (n,)
        Along the line.
    radii : array, shape (n,)

    Returns
    -------
    ndarray, shape (n,)
    """
    positions, radii = np.asarray(positions, dtype=float), np.asarray(radii, dtype=float)
    offsets, placed = np.zeros(len(positions)), np.zeros(len(positions), dtype=bool)
    for i in np.argsort(positions, kind="stable"):
        distance = radii[placed] + radii[i]
        room = distance**2 - (positions[placed] - positions[i]) ** 2
        near = room > 0
        middle, reach = offsets[placed][near], np.sqrt(room[near])
        ends = np.concatenate([[0.0], middle - reach, middle + reach])
        free = np.abs(ends[:, None] - middle) >= reach * (1 - 1e-9)
        ends = ends[free.all(axis=1)]
        offsets[i] = ends[np.argmin(np.abs(ends))]
        placed[i] = True
    return offsets
