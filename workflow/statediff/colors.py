"""Colours that a file names, in the forms of Python and of R."""

import re

from matplotlib.colors import is_color_like, to_hex, to_rgb

__all__ = ["known_color"]

# R's four shades of a colour, relative to the first.
SHADES = {"1": 1.0, "2": 0.932, "3": 0.804, "4": 0.545}


def known_color(name):
    """A colour as a hexadecimal code.

    Parameters
    ----------
    name : str
        As Matplotlib or R names it. R's shades of a name, such as ``steelblue4``, are those of the
        colour of that name, which can differ a little from R's own; ``grey30`` is exact.

    Returns
    -------
    str or None
        ``#rrggbb``; None if it is no colour.
    """
    known, name = name.strip(), name.lower().replace(" ", "")
    for form in (known, name):
        if is_color_like(form) and name != "none":
            return to_hex(form)
    if grey := re.fullmatch(r"gr[ae]y(\d{1,3})", name):
        return to_hex([min(int(grey.group(1)), 100) / 100] * 3)
    if (shade := re.fullmatch(r"([a-z]+)([1-4])", name)) and is_color_like(shade.group(1)):
        return to_hex([part * SHADES[shade.group(2)] for part in to_rgb(shade.group(1))])
    return None
