"""Pages of a paper: where their panels are, and whether these can be drawn."""

from statediff import InputError

__all__ = ["MM", "check_panels", "panel_size", "panel_stem", "places"]

#: Millimetres of an inch.
MM = 25.4
# Millimetres between panels, and the least width and height of one.
GAP, SMALLEST = 3.0, 15.0
# Height of the line of a panel's letter, in sizes of its text.
LINE = 1.4
# What a panel has beside settings of its figure.
ITS_OWN = {"figure", "contrast"}


def places(page, option):
    """Where the panels of a page are.

    Parameters
    ----------
    page : dict
        `width` and `height` (mm), `mosaic`, `panels`: an entry of `paper` in the configuration.
    option : str
        What errors call it.

    Returns
    -------
    dict of str to tuple of float
        Of each letter: left and upper edge, width and height in mm, from the page's upper left
        corner. The panels are in the order of the letters in the configuration.

    Raises
    ------
    InputError
        If the mosaic is none, or its letters are not those of the panels.
    """
    rows = [row.strip() for row in page["mosaic"].replace(";", "\n").split("\n") if row.strip()]
    if len({len(row) for row in rows}) != 1:
        lengths = ", ".join(f"{row} ({len(row)})" for row in rows) or "nothing"
        raise InputError(f"{option}.mosaic: found rows {lengths}, expected rows of one length")
    letters = set("".join(rows)) - {"."}
    if unused := sorted(letters ^ set(page["panels"])):
        where, other = "mosaic", "panels"
        if unused[0] in page["panels"]:
            where, other = other, where
        raise InputError(
            f"{option}.{where}: found {unused[0]!r}, which {option}.{other} lacks; expected the "
            "same letters ('.' in the mosaic for an empty space)"
        )
    across, down = (
        (page[side] - GAP * (n - 1)) / n
        for side, n in (("width", len(rows[0])), ("height", len(rows)))
    )
    return {
        letter: _place(rows, letter, across, down, option, page["font_size"])
        for letter in page["panels"]
    }


def _place(rows, letter, across, down, option, font_size):
    cells = [(i, j) for i, row in enumerate(rows) for j, c in enumerate(row) if c == letter]
    (top, left), (bottom, right) = (tuple(map(f, zip(*cells))) for f in (min, max))
    height, width = bottom - top + 1, right - left + 1
    if len(cells) != height * width:
        raise InputError(
            f"{option}.mosaic: the cells of {letter!r} do not form a rectangle; expected one"
        )
    size = width * (across + GAP) - GAP, height * (down + GAP) - GAP
    if min(size[0], size[1] - LINE * font_size / 72 * MM) < SMALLEST:
        raise InputError(
            f"{option}.panels.{letter}: {size[0]:.3g} × {size[1]:.3g} mm, expected at least "
            f"{SMALLEST:g} mm for the figure; enlarge the page or its part of the mosaic"
        )
    return left * (across + GAP), top * (down + GAP), *size


def panel_size(page, letter, option):
    """What a panel is drawn at: `width` and `height` in inches, `font_size` in points, `name`.

    Above it a line is left for its letter.
    """
    *_, width, height = places(page, option)[letter]
    return {
        "width": width / MM,
        "height": height / MM - LINE * page["font_size"] / 72,
        "font_size": page["font_size"],
        "name": f"{option}.panels.{letter}",
    }


def panel_stem(page, letter, panel):
    """Name of a panel's files: page, letter, contrast (if it has one) and figure."""
    return ".".join(filter(None, (page, letter, panel["contrast"], panel["figure"])))


def check_panels(paper, figures, refused, without_contrast, contrasts):
    """Refuse panels that cannot be drawn, before any job.

    Parameters
    ----------
    paper : dict
        As in the configuration: pages by their names.
    figures : dict of str to sequence of str
        All figures that can be drawn, each with the settings that it uses.
    refused : dict of str to str
        Those that this data set has not got, and what they would need.
    without_contrast : set of str
        Figures that show the data set as it is.
    contrasts : dict
        By their names.

    Raises
    ------
    InputError
    """
    for name, page in paper.items():
        places(page, f"paper.{name}")
        for letter, panel in page["panels"].items():
            option = f"paper.{name}.panels.{letter}"
            figure, contrast = panel["figure"], panel["contrast"]
            if figure not in figures:
                raise InputError(
                    f"{option}.figure: found {figure!r}, expected one of {', '.join(figures)}"
                )
            if figure in refused:
                raise InputError(f"{option}.figure: {figure}: {refused[figure]}")
            if figure in without_contrast and contrast is not None:
                raise InputError(
                    f"{option}.contrast: found {contrast!r}, expected none: {figure} has none"
                )
            if figure not in without_contrast and contrast not in contrasts:
                found = "nothing" if contrast is None else repr(contrast)
                raise InputError(
                    f"{option}.contrast: found {found}, expected one of {', '.join(contrasts)}"
                )
            if foreign := sorted(set(panel) - ITS_OWN - set(figures[figure])):
                raise InputError(
                    f"{option}.{foreign[0]}: {figure} does not use it; it uses: "
                    f"{', '.join(figures[figure]) or 'nothing'}"
                )
