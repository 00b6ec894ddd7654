"""A page of a paper, before its panels are placed."""

from matplotlib.figure import Figure

from statediff.paper import MM
from statediff.plots.style import style

__all__ = ["lettered_page"]


def lettered_page(width, height, places, font_size):
    """Page of an exact size with the letters of its panels, bold, at their upper left corners.

    Parameters
    ----------
    width, height : float
        Millimetres.
    places : dict of str to tuple of float
        Of each letter: left and upper edge of its panel in mm, from the upper left corner.
    font_size : float
        Points.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with style():
        page = Figure(figsize=(width / MM, height / MM))
        for letter, (left, top, *_) in places.items():
            page.text(
                left / width, 1 - top / height, letter, fontsize=font_size, weight="bold", va="top"
            )
        return page
