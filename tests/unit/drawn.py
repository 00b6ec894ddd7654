"""What is in a figure: points, labels, limits; and cells to draw."""

import numpy as np
from matplotlib.colors import to_hex

XY = np.random.default_rng(0).normal(size=(200, 2))
AXES = ("UMAP 1", "UMAP 2")
CONDITIONS = ("Young", "Old")


def points(figure):
    """All points drawn, as rows x, y, and their colours."""
    drawn = figure.axes[0].collections
    xy = np.vstack([c.get_offsets() for c in drawn])
    colors = [np.resize(c.get_facecolors(), (len(c.get_offsets()), 4)) for c in drawn]
    return np.asarray(xy), [to_hex(c) for c in np.vstack(colors)]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def inside(figure):
    """Whether all that is drawn lies within the figure, as saved."""
    figure.draw_without_rendering()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    return box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + 0.02 and box.y1 < height + 0.02


def offsets(axes):
    return np.vstack([np.asarray(c.get_offsets()) for c in axes.collections])


def type_names(n):
    return [f"a cell type of thirty letters {i:02d}" for i in range(n)]
