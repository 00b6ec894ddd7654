"""Which cell states change in abundance, and which genes in expression, between conditions.

For notebooks, `statediff.tl` (analyses) and `statediff.pl` (figures): an AnnData in, fields and
figures out. The other modules are the numerics, arrays in, arrays out; none of them knows of
Snakemake or its wildcards.
"""

from importlib import import_module

__all__ = ["EPS", "DataWarning", "InputError", "__version__", "pl", "tl"]

__version__ = "0.1.0"

#: Added to variances before they are divided by (the published value).
EPS = 1e-8


class InputError(ValueError):
    """Data or settings the user has to change; the message says which and how."""


class DataWarning(UserWarning):
    """Something about the data or the fit that the user should know."""


def __getattr__(name):
    # Imported when asked for: a job of the workflow should not wait for what it does not need.
    if name in ("pl", "tl"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
