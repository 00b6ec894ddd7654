"""What the figures of enriched terms and associations draw (not pixels)."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from drawn import inside, legend, words
from matplotlib.colors import to_hex
from statediff.fields import DIRECTION_COLORS
from statediff.plots import (
    enrichment,
    gene_network,
)


def terms(number, gene_set="all", length=100):
    rng = np.random.default_rng(number)
    return pd.DataFrame(
        {
            "gene_set": gene_set,
            "category": ["Process", "KEGG"][number % 2],
            "term": [f"GO:{i}" for i in range(number)],
            "description": [f"{i} {'positive regulation of ' * 9}"[:length] for i in range(number)],
            "strength": rng.uniform(0.1, 1.8, number),
            "fdr": 10.0 ** -rng.uniform(1.5, 30, number),
            "number_of_genes": rng.integers(2, 80, number),
        }
    )


@pytest.mark.parametrize("number", [1, 15, 40])
def test_enriched_terms(number):
    table = pd.concat([terms(number), terms(3, "up", 20)])
    titles = {"all": "Called", "up": "Up", "down": "Down"}
    figure = enrichment(table, titles=titles, fdr_threshold=0.05, top=20)
    panels = figure.axes[:3]
    assert [axes.get_title("left") for axes in panels] == list(titles.values())
    best = table[table["gene_set"] == "all"].sort_values("fdr")[:20]
    (points,) = panels[0].collections[1:]
    np.testing.assert_allclose(points.get_offsets()[:, 0], best["strength"])
    assert (np.diff(points.get_offsets()[:, 1]) < 0).all()
    np.testing.assert_allclose(points.get_array(), best["fdr"])
    sizes = points.get_sizes()
    assert np.array_equal(np.argsort(sizes), np.argsort(best["number_of_genes"]))
    assert panels[2].texts[0].get_text() == "no term with an FDR below 0.05"
    labels = [label.get_text() for label in panels[0].get_yticklabels()]
    assert all(label.count("\n") <= 1 for label in labels)
    assert labels[0].startswith(best["description"].iloc[0][:20])
    figure.draw_without_rendering()
    for axes in panels:
        boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
        assert all(above.y0 > below.y1 for above, below in pairwise(boxes))
    assert inside(figure)


def test_categories_are_named_where_there_are_several_and_markup_is_text():
    table = pd.concat([terms(2), terms(1)], ignore_index=True)
    table["description"] = ["<b>$x$</b>", "A_SET_OF_A_FILE", "x" * 200]
    table["fdr"] = [0.0, 1e-3, 1e-2]
    figure = enrichment(table, titles={"all": "Called"}, fdr_threshold=0.05)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[:2] == ["<b>$x$</b> [Process]", "A SET OF A FILE [Process]"]
    assert labels[2].endswith("… [KEGG]")
    assert inside(figure)


def test_no_enriched_term():
    figure = enrichment(terms(0), titles={"all": "Called", "up": "Up"}, fdr_threshold=0.05)
    assert [axes.texts[0].get_text() for axes in figure.axes] == [
        "no term with an FDR below 0.05"
    ] * 2
    assert inside(figure)


def test_no_enriched_term_of_the_chosen_categories():
    chosen = {"titles": {"all": "Called"}, "fdr_threshold": 0.05, "categories": ["KEGG", "RCTM"]}
    figure = enrichment(terms(0), **chosen)
    (axes,) = figure.axes
    assert axes.texts[0].get_text() == "no term of KEGG, RCTM with an FDR below 0.05"
    assert inside(figure)


@pytest.mark.parametrize("zeros", ["all", "up"])
def test_false_discovery_rates_of_0_leave_the_scale_to_the_others(zeros):
    table = pd.concat([terms(5), terms(6, "up")])
    table.loc[table["gene_set"] == zeros, "fdr"] = 0.0
    figure = enrichment(table, titles={"all": "Called", "up": "Up"}, fdr_threshold=0.05, top=20)
    for axes in figure.axes[:2]:
        points = axes.collections[1]
        assert points.norm.vmin == table["fdr"][table["fdr"] > 0].min()
        assert (points.get_array() >= points.norm.vmin).all()
    assert inside(figure)


@pytest.mark.parametrize("strengths", [[0.0, 0.0], [-0.5, -0.1], [-0.5, 1.0], [0.2, np.inf]])
def test_strengths_are_all_within_the_axis(strengths):
    table = terms(2).assign(strength=strengths, fdr=[1e-3, 1e-2])
    figure = enrichment(table, titles={"all": "Called"}, fdr_threshold=0.05)
    left, right = figure.axes[0].get_xlim()
    shown = np.array(strengths)[np.isfinite(strengths)]
    assert left <= min(0, *shown) <= max(0, *shown) < right
    assert right - left >= 0.1
    assert inside(figure)


def test_network_of_genes():
    edges = [("A<b>", "B", 0.9), ("B", "C", 0.4), ("C", "C", 1.0)]
    directions = {"A<b>": "up", "B": "down", "C": "neutral", "alone": "up"}
    figure = gene_network(edges, directions, conditions=("a", "b"))
    axes = figure.axes[0]
    assert len(axes.lines) == 2
    assert axes.lines[0].get_linewidth() > axes.lines[1].get_linewidth()
    assert [text.get_text() for text in axes.texts] == ["A<b>", "B", "C"]
    colors = [to_hex(color) for color in axes.collections[0].get_facecolors()]
    assert colors == [DIRECTION_COLORS[kind] for kind in ("up", "down", "neutral")]
    assert legend(figure)[0] == "higher in b"
    assert legend(figure)[-1] == "without association: 1, not drawn"
    assert inside(figure)


def test_network_without_an_association():
    figure = gene_network([], {"A": "up"}, conditions=("a", "b"))
    assert words(figure) == ["no association known among 1 genes"]
