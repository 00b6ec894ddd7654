"""Figures: data in, a matplotlib Figure out.

A module is imported when one of its functions is asked for: each figure is a process of its own,
and should not wait for what others need.
"""

from importlib import import_module

_FUNCTIONS = {
    "abundance": ("abundance_volcano", "abundance_volcanos", "direction_bars"),
    "cell_types": ("composition",),
    "embedding": (
        "embedding_categories",
        "embedding_directions",
        "embedding_numbers",
        "embedding_values",
    ),
    "expression": ("expression_volcano",),
    "fit": ("fit_overview",),
    "genes": ("expression_along", "fold_change_dots", "gene_heatmap", "gene_panels"),
    "page": ("lettered_page",),
    "regions": ("gene_regions",),
    "significance": ("null_comparison", "pvalue_calibration"),
    "terms": ("enrichment", "gene_network"),
}
_MODULES = {name: module for module, names in _FUNCTIONS.items() for name in names}

__all__ = sorted(_MODULES)


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
