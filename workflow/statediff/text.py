"""Text of users' files, which may hold anything, on terminals and in spreadsheets."""

import re

__all__ = ["printable", "safe_cells"]

# What a spreadsheet takes for the beginning of a formula.
FORMULA = re.compile(r"\s*[=+\-@\t]")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def printable(text):
    r"""Text without anything that acts on a terminal.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Control characters, also those that change the direction of writing, as Python writes them,
        such as ``\x1b``; lines stay lines.
    """
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )


def safe_cells(table):
    """Table whose text no spreadsheet takes for a formula.

    Parameters
    ----------
    table : DataFrame

    Returns
    -------
    DataFrame
        Text, also in the names of columns, that begins with ``=``, ``+``, ``-``, ``@`` or a tab has
        an apostrophe before it, and line breaks are blanks; numbers stay numbers.
    """
    text = table.select_dtypes(["object", "string", "category"])
    cells = {name: text[name].astype(object).map(_safe) for name in text}
    return table.assign(**cells).rename(columns=_safe)


def _safe(value):
    if not isinstance(value, str):
        return value
    value = re.sub(r"[\r\n]+", " ", value)
    formula = FORMULA.match(value) and not NUMBER.fullmatch(value)
    return f"'{value}" if formula else value
