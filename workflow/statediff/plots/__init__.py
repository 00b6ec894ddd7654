"""Figures: data in, a matplotlib Figure out."""

from statediff.plots.abundance import abundance_volcano, direction_bars
from statediff.plots.embedding import embedding_categories, embedding_values
from statediff.plots.expression import expression_volcano

__all__ = [
    "abundance_volcano",
    "direction_bars",
    "embedding_categories",
    "embedding_values",
    "expression_volcano",
]
