"""Figures for notebooks, from an AnnData with the results of `statediff.tl` or of the workflow.

Every function draws the last analysis recorded in the AnnData, or the analysis of the given
conditions, and returns a matplotlib Figure. `save` writes it to a file; `show` displays it
(notebooks also display the figure that a cell returns). Figures with one panel can be drawn into
axes of your own, `ax`.
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
from statediff.pl._models import (
    expression_along,
    fit,
    gene_panels,
    sample_expression,
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
    "expression_along",
    "expression_levels",
    "expression_ma",
    "expression_volcano",
    "fit",
    "fold_change_dots",
    "fold_changes",
    "gene_panels",
    "gene_regions",
    "sample_expression",
    "significance",
    "smoothed_expression",
]
