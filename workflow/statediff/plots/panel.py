"""Panels of a page: figures drawn at their final size, with one size of text."""

import functools
import textwrap
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np

from statediff import DataWarning, InputError
from statediff.paper import MM

__all__ = ["check", "current", "panel", "settle"]

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
        Name of the panel in warnings and errors.

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
    """The panel that is drawn; None for a separate figure."""
    return _current.get()


def settle(figure):
    """Compute the layout of a figure, before labels are placed; long labels are wrapped.

    Raises
    ------
    InputError
        If hardly anything is left for the axes of a panel.
    """
    _lay_out(figure)
    shown = [axes for axes in figure.axes if axes.axison]
    labels = [t for axes in shown for t in (axes.title, axes.xaxis.label, axes.yaxis.label)]
    labels += [*figure.texts, *(legend.get_title() for legend in figure.legends)]
    whole = {text: text.get_text() for text in labels if text.get_text()}
    # A broken label takes room from the axes, which others then lack.
    while _break_all(whole, figure):
        _lay_out(figure)


def check(figure):
    """Warn if text of a panel is cut off or covers other text."""
    for fault in _faults(figure):
        warnings.warn(f"{current()}: {fault}; {ENLARGE}", DataWarning, stacklevel=3)


def _lay_out(figure):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "constrained_layout not applied")
        try:
            # The second time the axes are where they stay: the ticks of a panel are known.
            for _ in range(2 if current() else 1):
                figure.draw_without_rendering()
            drawn = [a for a in figure.axes if a.axison and a.get_label() != "<colorbar>"]
            least = min((min(axes.bbox.size) for axes in drawn), default=np.inf) / figure.dpi
        except UserWarning:
            least = 0.0
    if current() and least < SMALLEST:
        raise InputError(
            f"{current()}: text leaves less than {MM * SMALLEST:.0f} mm for the axes; {ENLARGE}"
        )


def _faults(figure):
    """Problems of the drawing that can be detected automatically."""
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    over = max(-box.x0, -box.y0, box.x1 - width, box.y1 - height)
    if over > TOLERANCE:
        yield f"up to {MM * over:.1f} mm of text are cut off"
    # Lines are read although the space around them overlaps.
    inner = -0.2 * current().font_size * figure.dpi / 72
    shown = [axes for axes in figure.axes if axes.axison]
    for axis in (axis for axes in shown for axis in (axes.xaxis, axes.yaxis)):
        labels = [text for text in axis.get_ticklabels() if text.get_visible() and text.get_text()]
        boxes = [text.get_window_extent().padded(inner) for text in labels]
        for text, one, other in zip(labels, boxes, boxes[1:]):
            if one.overlaps(other):
                yield f"{text.get_text()!r} and the next on its axis cover each other"
                return


def _break_all(whole, figure):
    """Whether some of these texts were too long, and now have more lines."""
    renderer = figure.canvas.get_renderer()
    boxes = [axes.get_tightbbox(renderer, for_layout_only=True) for axes in figure.axes]
    boxes += [legend.get_window_extent() for legend in figure.legends]
    broken = [_break(text, whole[text], _room(text, boxes, figure)) for text in whole]
    return any(broken)


def _along(text):
    """Which side of its box a text runs along."""
    return int(text.get_rotation() == 90)


def _room(text, boxes, figure):
    """Pixels for a text around its middle, up to the boxes beside it or the figure's edge."""
    along, ends = _along(text), text.get_window_extent().get_points()
    middle, (low, high) = ends[:, along].mean(), ends[:, 1 - along]
    start, end = figure.bbox.get_points()[:, along]
    gap = GAP * figure.dpi
    for box in boxes:
        (first, last), (below, above) = box.get_points().T[[along, 1 - along]]
        if below < high and above > low:
            start = max(start, last + gap) if last <= middle else start
            end = min(end, first - gap) if first >= middle else end
    return 2 * min(middle - start, end - middle)


def _break(text, whole, room):
    """Whether a text was too long, and now has more lines, as even as their number allows."""
    before, lines = text.get_text(), whole.split("\n")
    wrap = functools.partial(textwrap.fill, break_long_words=False, break_on_hyphens=False)
    widths = range(max(map(len, lines)), 0, -1)
    ways = ["\n".join(wrap(line, width) for line in lines) for width in widths]
    for way in ways:
        if text.get_window_extent().size[_along(text)] <= room:
            break
        text.set_text(way)
    if (after := text.get_text()) == before:
        return False
    text.set_text([way for way in ways if way.count("\n") == after.count("\n")][-1])
    return True
