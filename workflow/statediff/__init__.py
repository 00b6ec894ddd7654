"""Numerics of the workflow: arrays in, arrays out; nothing of Snakemake or its wildcards."""

__all__ = ["EPS", "DataWarning", "InputError", "__version__"]

__version__ = "0.1.0"

#: Added to variances before they are divided by (the published value).
EPS = 1e-8


class InputError(ValueError):
    """Data or settings the user has to change; the message says which and how."""


class DataWarning(UserWarning):
    """Something about the data or the fit that the user should know."""
