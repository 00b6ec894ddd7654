"""Parts of messages: lists of names, keys of the configuration, and names that are close."""

import difflib

__all__ = ["beginning", "close_matches", "key_of", "listed"]


def listed(names, most=20):
    """Names for a message: the first few of them, or "none".

    Parameters
    ----------
    names : iterable
    most : int
        Names to list; an ellipsis stands for the rest.

    Returns
    -------
    str
    """
    names = [str(name) for name in names]
    return ", ".join(names[:most]) + (", …" if len(names) > most else "") if names else "none"


def key_of(option, key):
    """Name of a setting in a message: a key of the configuration, or an argument of a function.

    Parameters
    ----------
    option : str
        Section of the configuration; empty for a function of `statediff.tl`.
    key : str

    Returns
    -------
    str
    """
    return f"{option}.{key}" if option else key


def beginning(option):
    """Beginning of a message about a section of the configuration; empty without one."""
    return f"{option}: " if option else ""


def close_matches(name, names):
    """Suggestion of similar names, whatever their case, for a message; empty without one."""
    folded = {known.lower(): known for known in reversed(names)}
    close = difflib.get_close_matches(name.lower(), folded, n=3)
    return f" (did you mean {', '.join(folded[one] for one in close)}?)" if close else ""
