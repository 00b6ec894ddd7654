"""Common style of all figures: fonts, colours, sizes of points."""

import functools
import io
from contextlib import contextmanager
from contextvars import ContextVar

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Stroke
from matplotlib.text import Text

from statediff import InputError
from statediff.plots.panel import check, current, settle

__all__ = [
    "CONDITION_COLORS",
    "GREY",
    "OKABE_ITO",
    "PAGE",
    "Outlined",
    "as_svg",
    "canvas",
    "categorical_palette",
    "color_bar",
    "column_width",
    "dot",
    "drawn_on",
    "legend_above",
    "legend_beside",
    "log_ticks",
    "point_size",
    "resolution",
    "scatter",
    "short",
    "style",
    "styled",
    "text_size",
]

#: Colour of cells or genes in the background.
GREY = "#d9d9d9"
#: Distinguishable with any colour vision (Okabe & Ito).
OKABE_ITO = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")
#: Colours of reference and compared condition.
CONDITION_COLORS = ("#0072b2", "#e69f00")
#: Inches of the width of a page, on which no text is to be smaller than 6 points.
PAGE = 180 / 25.4
# Points beyond this number are drawn as pixels inside the vector file.
RASTERISE = 100_000
# Square inches of the figures for which points have their usual size.
USUAL = 14.0

RC = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "legend.fontsize": 7.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "figure.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    # Text is as wide at any resolution: labels are placed at another than the one saved.
    "text.hinting": "none",
    "text.parse_math": False,
}


_axes = ContextVar("axes", default=None)


@contextmanager
def drawn_on(axes):
    """Draw figures of one panel into axes that are there; None: figures of their own."""
    token = _axes.set(axes)
    try:
        yield
    finally:
        _axes.reset(token)


def style():
    """Apply the settings of the figures temporarily, without changing those of the user."""
    return mpl.rc_context(RC | (current().text if current() else {}))


def styled(function):
    """Decorator: draw with the settings of the figures."""

    @functools.wraps(function)
    def draw(*arguments, **options):
        with style():
            figure = function(*arguments, **options)
            if _axes.get() is not None:
                return figure
            settle(figure)
            if current():
                check(figure)
            return figure

    return draw


class _Shown(Figure):
    """A figure that notebooks show, without pyplot and its state."""

    def _repr_png_(self):
        picture = io.BytesIO()
        with style():
            self.savefig(picture, format="png", dpi=150)
        return picture.getvalue()


def canvas(width, height, rows=1, columns=1, **options):
    """Figure of a size in inches, or of a panel's, and its axes: one, or an array of them.

    Raises
    ------
    InputError
        If several are to be drawn into axes that are there.
    """
    if (axes := _axes.get()) is not None:
        if rows * columns > 1:
            raise InputError("ax: found axes, expected None: this figure has several panels")
        return axes.figure, axes
    size = (current().width, current().height) if current() else (width, height)
    figure = _Shown(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, **options)


def column_width(count, usual, around):
    """Inches of each of some columns: less than usual where they would be wider than a page, with
    what is around them, and no less than upright names need."""
    return min(usual, max((PAGE - around) / max(count, 1), 0.145))


def text_size(points):
    """Size of text that is not the usual one; in a panel all text is of one size."""
    return current().font_size if current() else points


def color_bar(points, axes, label, shrink=0.8, **options):
    """Colour bar beside axes, without a frame."""
    figure = np.ravel(axes)[0].figure
    bar = figure.colorbar(points, ax=axes, shrink=shrink, **options)
    bar.set_label(label)
    bar.outline.set_visible(False)
    return bar


def dot(color, label):
    """Legend entry of a kind of point."""
    return Line2D([], [], ls="", marker="o", ms=5, color=color, label=label)


class Outlined(Text):
    """Text with a white line around it; in a PDF it stays text, and the line is below it."""

    def draw(self, renderer):
        self.set_path_effects([Stroke(linewidth=2, foreground="white")])
        super().draw(renderer)
        self.set_path_effects([])
        super().draw(renderer)


def legend_beside(figure, handles, title, loc="outside right upper"):
    """Legend right of the axes; the figure grows by its size, the axes keep theirs.

    A panel cannot grow: the legend is where it leaves more to the axes, beside or above them.
    """
    if _axes.get() is not None:
        _legend_of_axes(handles, title)
        return
    columns = 1 + (len(handles) - 1) // 30
    legend = figure.legend(
        handles=handles, title=title, loc=loc, ncols=columns, alignment="left", columnspacing=1.0
    )
    extent = legend.get_window_extent(figure.canvas.get_renderer())
    if current():
        above = legend_above(figure, handles, title)
        share = above.get_window_extent().height / figure.bbox.height
        (legend if extent.width / figure.bbox.width > share else above).remove()
        return
    width, height = figure.get_size_inches()
    figure.set_size_inches(
        width + extent.width / figure.dpi, max(height, extent.height / figure.dpi + 0.2)
    )


def legend_above(figure, handles, title=None):
    """Legend above the axes, in a row, or in fewer columns where the figure is narrow."""
    if _axes.get() is not None:
        return _legend_of_axes(handles, title)
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(handles=handles, loc="outside upper center", ncols=columns)
        width = legend.get_window_extent(figure.canvas.get_renderer()).width
        if columns == 1 or width <= figure.bbox.width:
            break
        legend.remove()
    # It may be wider, and breaks in a panel.
    legend.set_title(title)
    return legend


def _legend_of_axes(handles, title):
    """Legend right of axes that are there, whose figure is the user's."""
    return _axes.get().legend(
        handles=handles, title=title, loc="upper left", bbox_to_anchor=(1.02, 1.0),
        borderaxespad=0.0, alignment="left",
    )  # fmt: skip


def log_ticks(*axes):
    """Powers of ten as text: mathematical markup is off, so that names are shown as they are."""
    superscript = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    for axis in axes:
        axis.set_major_formatter(
            lambda value, _: "10" + f"{np.log10(value):.0f}".translate(superscript)
        )
        axis.set_minor_formatter("")


def categorical_palette(names, colors=None):
    """Colour of each category: that of the data set, or a colour-blind-safe default.

    Beyond eight categories no palette is safe for everyone; cell types are then also
    named on their cells.
    """
    if colors is None:
        if len(names) <= len(OKABE_ITO):
            colors = OKABE_ITO
        elif len(names) > 40:
            colors = _wheel(len(names))
        else:
            wheel = [mpl.colormaps[m](i) for i in range(20) for m in ("tab20", "tab20b")]
            tab20 = [mpl.colormaps["tab20"](i) for i in [*range(0, 20, 2), *range(1, 20, 2)]]
            colors = tab20 if len(names) <= 20 else wheel
    return {name: mpl.colors.to_hex(colors[i % len(colors)]) for i, name in enumerate(names)}


def _wheel(n):
    """Any number of colours: hues by the golden angle, of three tones."""
    tone = np.array([(0.9, 0.6), (0.5, 0.9), (1.0, 0.95)])[np.arange(n) % 3]
    hue = np.arange(n) * (np.sqrt(5) - 1) / 2 % 1
    return mpl.colors.hsv_to_rgb(np.column_stack([hue, tone]))


def point_size(n):
    """Area of a point, in square points, that suits their number; less in a small panel."""
    size = float(np.clip(20_000 / max(n, 1), 0.5, 14.0))
    return size * min(1.0, current().width * current().height / USUAL) if current() else size


def scatter(axes, xy, color, size, total, **options):
    """Points without edges; pixels where the figure has very many in `total`."""
    return axes.scatter(
        xy[:, 0], xy[:, 1], c=color, s=size, linewidths=0, rasterized=total > RASTERISE, **options
    )


def short(name, most=40):
    """Name for a label, cut with an ellipsis."""
    return name if len(name) <= most else name[: most - 1] + "…"


def resolution(path):
    """Dots per inch of a figure in a file: a PDF, part of which may be an image, is for print;
    pictures are for screens and the report."""
    return 300 if str(path).lower().endswith(".pdf") else 200


def as_svg(figure):
    """A figure as SVG.

    Parameters
    ----------
    figure : matplotlib.figure.Figure

    Returns
    -------
    bytes
    """
    file = io.BytesIO()
    with style():
        figure.savefig(file, format="svg")
    return file.getvalue()
