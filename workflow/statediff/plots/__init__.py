"""Figures: data in, a matplotlib Figure out."""

from statediff.plots.abundance import abundance_volcano, abundance_volcanos, direction_bars
from statediff.plots.composition import composition
from statediff.plots.embedding import (
    embedding_categories,
    embedding_directions,
    embedding_numbers,
    embedding_values,
)
from statediff.plots.enrichment import enrichment, gene_network
from statediff.plots.expression import expression_volcano
from statediff.plots.fit import fit_overview
from statediff.plots.genes import (
    expression_along,
    fold_change_dots,
    gene_heatmap,
    gene_panels,
)
from statediff.plots.significance import null_comparison, pvalue_calibration

__all__ = [
    "abundance_volcano",
    "abundance_volcanos",
    "composition",
    "direction_bars",
    "embedding_categories",
    "embedding_directions",
    "embedding_numbers",
    "embedding_values",
    "enrichment",
    "expression_along",
    "expression_volcano",
    "fit_overview",
    "fold_change_dots",
    "gene_heatmap",
    "gene_network",
    "gene_panels",
    "null_comparison",
    "pvalue_calibration",
]
