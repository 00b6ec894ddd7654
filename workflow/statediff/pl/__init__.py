"""Figures for notebooks, from an AnnData with the results of `statediff.tl` or of the workflow.

Every function draws the last analysis that the AnnData records, or the one between the conditions
that it is given, and returns a matplotlib Figure. `save` writes it to a file; `show` displays it,
which notebooks do with what a cell returns anyway; `ax` draws into axes of your own, where a figure
has one panel.

Figures of the workflow that need more than an AnnData holds (`fit`, `gene_panels`,
`expression_along`, `sample_expression`) are not here.
"""

from statediff.pl._abundance import (
    abundance_change,
    abundance_direction,
    abundance_swarm,
    abundance_volcano,
    abundance_volcanos,
    cell_type,
    composition,
    condition,
    direction_bars,
)
from statediff.pl._expression import (
    contrast_comparison,
    enrichment,
    expression_levels,
    expression_ma,
    expression_volcano,
    fold_change_dots,
    fold_changes,
    gene_regions,
    significance,
    smoothed_expression,
)

__all__ = [
    "abundance_change",
    "abundance_direction",
    "abundance_swarm",
    "abundance_volcano",
    "abundance_volcanos",
    "cell_type",
    "composition",
    "condition",
    "contrast_comparison",
    "direction_bars",
    "enrichment",
    "expression_levels",
    "expression_ma",
    "expression_volcano",
    "fold_change_dots",
    "fold_changes",
    "gene_regions",
    "significance",
    "smoothed_expression",
]
