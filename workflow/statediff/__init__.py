"""Differential abundance and expression between conditions along single-cell states.

Notebooks use `statediff.tl` (analyses) and `statediff.pl` (figures), which take an AnnData and
return tables and figures. The other modules compute on arrays; none of them depends on Snakemake.
"""

from importlib import import_module

__all__ = ["EPS", "DataWarning", "InputError", "__version__", "pl", "tl"]

__version__ = "0.1.0"

#: Added to variances before they are divided by (the published value).
EPS = 1e-8


class InputError(ValueError):
    """Data or settings that the user has to change; the message says which and how."""


class DataWarning(UserWarning):
    """A property of the data or the fit that the user should know."""


def __getattr__(name):
    # Imported on first use, since importing takes time and most jobs do not need them.
    if name in ("pl", "tl"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
