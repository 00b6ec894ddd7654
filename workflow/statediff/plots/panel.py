"""Being a panel of a page: a figure drawn at its final size, with all text of one size."""

import textwrap
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from statediff import DataWarning, InputError
from statediff.paper import MM

__all__ = ["Panel", "current", "panel", "settle"]

# Inches: what axes need at least; what may stick out, since text has some space around it; what
# stays between a text and the axes next to it.
SMALLEST, TOLERANCE, GAP = 5 / MM, 0.02, 0.04
# Close to each other, as far as that is easy to read.
LEGEND = {
    "legend.borderpad": 0.0,
    "legend.columnspacing": 1.0,
    "legend.handlelength": 1.3,
    "legend.handletextpad": 0.5,
    "legend.labelspacing": 0.25,
}
ENLARGE = "enlarge it, by the page's width, height or mosaic, or choose a smaller font_size"

_current = ContextVar("panel", default=None)


@dataclass(frozen=True)
class Panel:
    """Size in inches, of text in points, and what messages call it."""

    width: float
    height: float
    font_size: float
    name: str

    @property
    def text(self):
        """Settings of matplotlib that make all text one size."""
        names = ("axes.title", "axes.label", "xtick.label", "ytick.label", "figure.label")
        sizes = [f"{name}size" for name in names] + ["font.size", "legend.fontsize"]
        return dict.fromkeys(sizes, self.font_size) | LEGEND

    def __str__(self):
        return f"{self.name}: {MM * self.width:.3g} × {MM * self.height:.3g} mm"


@contextmanager
def panel(width, height, font_size, name="panel"):
    """Draw figures as panels: of exactly this size, with all text of one size.

    Parameters
    ----------
    width, height : float
        Inches.
    font_size : float
        Points.
    name : str
        What warnings and errors call it.

    Examples
    --------
    >>> with panel(2.2, 2.0, font_size=7):
    ...     figure = expression_volcano(genes, ...)
    """
    token = _current.set(Panel(width, height, font_size, name))
    try:
        yield
    finally:
        _current.reset(token)


def current():
    """The panel that is drawn, None for a figure of its own."""
    return _current.get()


def settle(figure):
    """Lay a figure out, as what is placed beside its points needs; a panel's long labels break.

    Raises
    ------
    InputError
        If hardly anything is left for the axes of a panel. A warning tells where text is cut off.
    """
    size = current()
    if size is None:
        figure.draw_without_rendering()
        return
    _lay_out(figure, size)
    # A broken label takes room from the axes, which others then lack.
    while [text for text in _labels(figure) if _break(text, _room(figure, text))]:
        _lay_out(figure, size)
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    over = max(-box.x0, -box.y0, box.x1 - width, box.y1 - height)
    if over > TOLERANCE:
        message = f"{size}: up to {MM * over:.1f} mm of text are cut off; {ENLARGE}"
        warnings.warn(message, DataWarning, stacklevel=2)


def _lay_out(figure, size):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "constrained_layout not applied")
        try:
            figure.draw_without_rendering()
            drawn = [a for a in figure.axes if a.axison and a.get_label() != "<colorbar>"]
            least = min((min(axes.bbox.size) / figure.dpi for axes in drawn), default=SMALLEST)
        except UserWarning:
            least = 0.0
    if least < SMALLEST:
        raise InputError(
            f"{size}: text leaves less than {MM * SMALLEST:.0f} mm for the axes; {ENLARGE}"
        )


def _labels(figure):
    for axes in figure.axes:
        if axes.axison:
            yield from (axes.title, axes.xaxis.label, axes.yaxis.label)
    yield from figure.texts
    yield from (legend.get_title() for legend in figure.legends)


def _along(text):
    """Which side of its box a text runs along."""
    return int(text.get_rotation() == 90)


def _room(figure, text):
    """Pixels for a text around its middle, up to the figure's edge or to axes and legends there."""
    along, ends = _along(text), text.get_window_extent().get_points()
    middle, (low, high) = ends[:, along].mean(), ends[:, 1 - along]
    start, end = figure.bbox.get_points()[:, along]
    renderer, gap = figure.canvas.get_renderer(), GAP * figure.dpi
    boxes = [axes.get_tightbbox(renderer, for_layout_only=True) for axes in figure.axes]
    for box in boxes + [legend.get_window_extent() for legend in figure.legends]:
        (first, last), (below, above) = box.get_points().T[[along, 1 - along]]
        if below < high and above > low:
            start = max(start, last + gap) if last <= middle else start
            end = min(end, first - gap) if first >= middle else end
    return 2 * min(middle - start, end - middle)


def _break(text, room):
    """Whether a text was too long, and now has more lines."""
    before = text.get_text()
    lines = before.split("\n")
    for most in range(max(map(len, lines)), 0, -1):
        if text.get_window_extent().size[_along(text)] <= room:
            break
        text.set_text(
            "\n".join(textwrap.fill(line, most, break_long_words=False) for line in lines)
        )
    return text.get_text() != before
