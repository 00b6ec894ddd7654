"""What the figures draw: points, labels, limits (not pixels)."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from statediff.plots import (
    abundance_volcano,
    abundance_volcanos,
    composition,
    direction_bars,
    embedding_categories,
    embedding_directions,
    embedding_numbers,
    embedding_values,
    enrichment,
    expression_along,
    expression_volcano,
    fit_overview,
    fold_change_dots,
    gene_heatmap,
    gene_network,
    gene_panels,
    null_comparison,
    pvalue_calibration,
)
from statediff.plots.style import DIRECTION_COLORS, GREY, categorical_palette

XY = np.random.default_rng(0).normal(size=(200, 2))
AXES = ("UMAP 1", "UMAP 2")


def points(figure):
    """All points drawn, as rows x, y, and their colours."""
    drawn = figure.axes[0].collections
    xy = np.vstack([c.get_offsets() for c in drawn])
    colors = [np.resize(c.get_facecolors(), (len(c.get_offsets()), 4)) for c in drawn]
    return np.asarray(xy), [to_hex(c) for c in np.vstack(colors)]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def inside(figure):
    """Whether all that is drawn lies within the figure, as saved."""
    figure.draw_without_rendering()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    return box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + 0.02 and box.y1 < height + 0.02


def test_categories_are_coloured_counted_and_the_rest_is_grey():
    labels = np.array(["b"] * 120 + ["a"] * 50 + ["c"] * 30)
    figure = embedding_categories(XY, labels, name="age", axis_names=AXES, order=["a", "b"])
    xy, colors = points(figure)
    palette = categorical_palette(["a", "b"])
    wanted = {"a": palette["a"], "b": palette["b"], "c": GREY}
    for (x, y), color in zip(xy, colors, strict=True):
        (cell,) = np.flatnonzero(((x, y) == XY).all(axis=1))
        assert color == wanted[labels[cell]]
    assert len(xy) == 200
    assert legend(figure) == ["a (50)", "b (120)", "other cells (30)"]
    assert figure.axes[0].get_xlabel() == "UMAP 1"


def test_the_data_sets_own_colours_are_used():
    figure = embedding_categories(
        XY, ["a"] * 200, name="t", axis_names=AXES, colors=["#123456"]
    )  # fmt: skip
    assert set(points(figure)[1]) == {"#123456"}


@pytest.mark.parametrize("n_types", [1, 2, 12, 40])
def test_many_and_long_category_names_fit(n_types):
    names = [f"{'a very long cell type name':.24} {i:03d}" for i in range(n_types)]
    labels = np.resize(names, 200)
    figure = embedding_categories(XY, labels, name="type", axis_names=AXES, on_data=True)
    # Names on the cells while they fit, then numbers that the legend explains.
    shown = names if n_types < 20 else [str(i + 1) for i in range(n_types)]
    assert sorted(words(figure)) == sorted(shown)
    assert all(name in entry for name, entry in zip(names, legend(figure), strict=True))
    width, height = figure.axes[0].get_window_extent().size / figure.dpi
    assert min(width, height) > 2.5
    assert len(set(categorical_palette(names).values())) == n_types
    assert inside(figure)


def test_a_category_of_one_cell():
    labels = np.array(["only"] + ["rest"] * 199)
    figure = embedding_categories(XY, labels, name="t", axis_names=AXES, on_data=True)
    assert "only (1)" in legend(figure)


def test_values_are_centred_on_zero_and_the_extremes_on_top():
    values = np.linspace(-1, 3, 200)
    figure = embedding_values(XY, values, label="lfc", axis_names=AXES, percentile=100)
    (drawn,) = figure.axes[0].collections
    assert drawn.norm.vmin == -3
    assert drawn.norm.vcenter == 0
    assert drawn.norm.vmax == 3
    np.testing.assert_allclose(drawn.get_offsets()[-1], XY[-1])
    assert figure.axes[1].get_ylabel() == "lfc"


def test_values_that_are_all_zero():
    embedding_values(XY, np.zeros(200), label="lfc", axis_names=AXES)


def test_values_of_some_cells_over_the_others_in_grey():
    values, shown = np.arange(200.0), np.arange(200) < 50
    figure = embedding_values(XY, values, label="lfc", axis_names=AXES, shown=shown, percentile=100)
    grey, coloured = figure.axes[0].collections
    assert len(grey.get_offsets()) == 150
    np.testing.assert_array_equal(coloured.get_array(), values[shown])
    assert coloured.norm.vmax == 49


def test_abundance_volcano_names_its_thresholds():
    lfc = np.array([-3.0, 0.0, 0.5, 2.0])
    direction = ["down", "neutral", "neutral", "up"]
    figure = abundance_volcano(
        lfc, np.array([5.0, 0.3, 9.0, 4000.0]), direction,
        conditions=("Young", "Old"), measure="q-value", lfc_threshold=1.0, threshold=0.05,
    )  # fmt: skip
    axes = figure.axes[0]
    assert [line.get_xdata()[0] for line in axes.lines[:2]] == [-1, 1]
    assert axes.lines[2].get_ydata()[0] == pytest.approx(-np.log10(0.05))
    assert legend(figure)[:3] == ["more in Old (1)", "less in Old (1)", "neutral (2)"]
    assert legend(figure)[3] == "|log fold change| > 1\nand q-value < 0.05"
    assert axes.get_ylabel() == "−log₁₀ q-value"
    xy, colors = points(figure)
    assert dict(zip(xy[:, 0], colors, strict=True))[2.0] == DIRECTION_COLORS["up"]
    assert xy[:, 1].max() == 300
    assert "Old / Young" in axes.get_xlabel()
    assert inside(figure)


@pytest.mark.parametrize("n_types", [1, 40])
def test_direction_bars_add_up_to_a_hundred_percent(n_types):
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 50, (n_types, 3)) + np.array([1, 0, 0])
    table = pd.DataFrame(counts, columns=["up", "neutral", "down"])
    table.insert(
        0, "cell_type", [f"{'a long name of a cell type':.26} {i}" for i in range(n_types)]
    )
    table["cells"] = counts.sum(axis=1)
    figure = direction_bars(table, conditions=("Young", "Old"))
    widths = [[bar.get_width() for bar in bars] for bars in figure.axes[0].containers]
    np.testing.assert_allclose(np.sum(widths, axis=0), 100)
    np.testing.assert_allclose(widths[0], 100 * table["down"] / table["cells"])
    ticks = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert ticks[0] == f"{table['cell_type'][0]} ({table['cells'][0]:,})"
    assert inside(figure)


@pytest.mark.parametrize(
    ("order", "names"), [("table", "abc"), ("cells", "cab"), ("up", "abc"), ("down", "bca")]
)
def test_direction_bars_in_an_order(order, names):
    table = pd.DataFrame(
        {"cell_type": list("abc"), "cells": [20, 10, 100], "up": [10, 2, 10], "down": [0, 5, 20]}
    )
    table["neutral"] = table["cells"] - table["up"] - table["down"]
    figure = direction_bars(table, conditions=("Young", "Old"), order=order)
    ticks = [text.get_text()[0] for text in figure.axes[0].get_yticklabels()]
    assert "".join(ticks) == names


def genes(n, called):
    rng = np.random.default_rng(2)
    distances = np.sort(rng.gamma(3, 3, n))[::-1]
    return pd.DataFrame(
        {"mean_lfc": rng.normal(size=n), "mahalanobis": distances, "is_de": np.arange(n) < called},
        index=[f"Gene{i}" for i in range(n)],
    )


BY_DISTANCE = {"fdr_threshold": 0.05, "ranking": "mahalanobis"}


@pytest.mark.parametrize("called", [0, 30, 500])
def test_expression_volcano_labels_the_largest_distances(called):
    table = genes(500, called)
    figure = expression_volcano(table, conditions=("Young", "Old"), **BY_DISTANCE, labelled=12)
    named = [w for w in words(figure) if w]
    assert named == list(table.index[:12])
    up = int((table["is_de"] & (table["mean_lfc"] > 0)).sum())
    assert legend(figure)[0] == f"higher in Old ({up:,})"
    lines = [line for line in figure.axes[0].lines if len(set(line.get_ydata())) == 1]
    if called:
        threshold = table["mahalanobis"].iloc[called - 1]
        assert any(line.get_ydata()[0] == pytest.approx(threshold) for line in lines)
        assert legend(figure)[3].startswith("local FDR < 0.05")
    else:
        assert len(legend(figure)) == 3
    assert inside(figure)


def test_expression_volcano_without_labels_and_with_hostile_names():
    table = genes(30, 5)
    assert not words(expression_volcano(table, conditions=("a", "b"), **BY_DISTANCE, labelled=0))
    table.index = ["$x^2$", "x" * 1000, "<b>", *table.index[3:]]
    figure = expression_volcano(
        table,
        conditions=("$a$", "b"),
        **BY_DISTANCE,
    )
    assert words(figure)[0] == "$x^2$"
    assert len(words(figure)[1]) == 30
    assert inside(figure)


def test_expression_volcano_of_pvalues():
    table = genes(100, 10)
    table["pvalue"] = np.where(table["is_de"], 1e-12, 0.5)
    figure = expression_volcano(
        table, conditions=("a", "b"), fdr_threshold=0.1, ranking="pvalue", labelled=3
    )
    assert legend(figure)[3] == "FDR < 0.1\n(−log₁₀ p ≥ 12.0)"
    assert figure.axes[0].get_ylim()[1] == pytest.approx(1.08 * 12)
    assert "p-value" in figure.axes[0].get_ylabel()


def test_expression_volcano_of_distances_where_pvalues_rank():
    table = genes(100, 10)
    table["pvalue"] = np.linspace(0.9, 1e-9, 100)
    figure = expression_volcano(
        table, conditions=("a", "b"), fdr_threshold=0.1, ranking="pvalue", shown="mahalanobis"
    )
    assert points(figure)[0][:, 1].max() == table["mahalanobis"].max()
    assert "Mahalanobis" in figure.axes[0].get_ylabel()
    # No distance tells called genes from others, so no line does.
    assert len(legend(figure)) == 3


def test_many_points_are_rasterised():
    n = 100_001
    xy = np.random.default_rng(3).normal(size=(n, 2))
    figure = embedding_values(xy, xy[:, 0], label="lfc", axis_names=AXES)
    assert figure.axes[0].collections[0].get_rasterized()
    few = embedding_values(xy[:100], xy[:100, 0], label="lfc", axis_names=AXES)
    assert not few.axes[0].collections[0].get_rasterized()


CONDITIONS = ("Young", "Old")


def type_names(n):
    return [f"a cell type of thirty letters {i:02d}" for i in range(n)]


def changes(rng, n):
    """Log fold change, significance and direction of n cells."""
    lfc = rng.normal(size=n)
    return lfc, lfc**2, np.where(lfc > 1, "up", np.where(lfc < -1, "down", "neutral"))


def offsets(axes):
    return np.vstack([np.asarray(c.get_offsets()) for c in axes.collections])


def test_directions_colour_the_changed_cells_that_are_asked_for():
    lfc, _, direction = changes(np.random.default_rng(1), 200)
    shown = XY[:, 0] > 0
    figure = embedding_directions(
        XY, lfc, direction, conditions=CONDITIONS, axis_names=AXES, shown=shown
    )
    for axes, name, text in zip(figure.axes, ("down", "up"), ("less", "more"), strict=False):
        cells = shown & (direction == name)
        grey, coloured = axes.collections
        drawn = np.asarray(coloured.get_offsets())
        assert sorted(map(tuple, drawn)) == sorted(map(tuple, XY[cells]))
        at = [int(np.flatnonzero((point == XY).all(axis=1))[0]) for point in drawn]
        np.testing.assert_array_equal(coloured.get_array(), lfc[at])
        assert coloured.norm.vmin == -coloured.norm.vmax
        assert len(grey.get_offsets()) == 200 - cells.sum()
        assert axes.get_title() == f"{text} in Old ({cells.sum()} cells)"


def test_directions_without_any_change():
    figure = embedding_directions(
        XY, np.zeros(200), np.array(["neutral"] * 200), conditions=CONDITIONS, axis_names=AXES
    )
    assert figure.axes[0].get_title() == "less in Old (0 cells)"
    assert inside(figure)


def test_numbers_are_drawn_in_order_and_unknown_ones_in_grey():
    values = np.where(np.arange(200) < 20, np.nan, np.arange(200.0))
    figure = embedding_numbers(XY, values, label="counts", axis_names=AXES)
    grey, coloured = figure.axes[0].collections
    assert len(grey.get_offsets()) == 20
    np.testing.assert_array_equal(coloured.get_array(), np.arange(20.0, 200.0))


@pytest.mark.parametrize("n_types", [1, 2, 40])
def test_volcanos_have_a_panel_for_each_type_with_cells(n_types):
    lfc, significance, direction = changes(np.random.default_rng(2), 400)
    names = type_names(n_types)
    types = pd.Categorical(np.resize(names, 400), categories=[*names, "empty"])
    figure = abundance_volcanos(
        lfc, significance, direction, types, conditions=CONDITIONS, measure="q-value",
        lfc_threshold=1.0, threshold=0.05,
    )  # fmt: skip
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == [
        f"{name} ({np.count_nonzero(types == name):,})" for name in names
    ]
    drawn = offsets(panels[-1])
    inside_type = np.asarray(types == names[-1])
    assert sorted(drawn[:, 0]) == sorted(lfc[inside_type])
    assert inside(figure)


@pytest.mark.parametrize("n_types", [1, 2, 40])
def test_composition_is_in_percent_and_names_what_is_mostly_in_one_condition(n_types):
    counts = pd.DataFrame({"Young": 10, "Old": 20}, index=type_names(n_types))
    counts.iloc[0] = [1, 0]
    samples = [pd.DataFrame({"a": counts[name]}) for name in CONDITIONS]
    figure = composition(counts, conditions=CONDITIONS, samples=samples)
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    wanted = np.concatenate([100 * counts[c] / max(counts[c].sum(), 1) for c in CONDITIONS])
    np.testing.assert_allclose(widths, wanted)
    assert words(figure) == ["100% in Young"]
    points_of_samples = offsets(figure.axes[0])[:, 0]
    np.testing.assert_allclose(points_of_samples, wanted)
    assert inside(figure)


@pytest.mark.parametrize(("n_genes", "n_types"), [(1, 1), (2, 2), (30, 40)])
@pytest.mark.parametrize("split", [False, True])
def test_heatmap_shows_each_value_under_its_names(n_genes, n_types, split):
    rng = np.random.default_rng(3)
    types = type_names(n_types)
    genes = [f"a gene name of thirty letters {i:02d}" for i in range(n_genes)]
    columns = pd.MultiIndex.from_product([types, CONDITIONS]) if split else types
    values = pd.DataFrame(rng.normal(size=(n_genes, len(columns))), index=genes, columns=columns)
    conditions = CONDITIONS if split else None
    figure = gene_heatmap(values, label="change", conditions=conditions, percentile=90)
    (axes,) = [axes for axes in figure.axes if axes.images]
    drawn = np.asarray(axes.images[0].get_array())
    rows = [text.get_text() for text in axes.get_yticklabels()]
    shown = [text.get_text() for text in axes.get_xticklabels()]
    assert sorted(rows) == sorted(genes)
    assert sorted(shown) == sorted(types)
    for i, gene in enumerate(rows):
        wanted = np.concatenate([np.ravel(values.loc[gene, name]) for name in shown])
        np.testing.assert_array_equal(drawn[i], wanted)
    limit = np.percentile(np.abs(values), 90)
    assert axes.images[0].norm.vmax == pytest.approx(limit)
    assert inside(figure)


def test_heatmap_leaves_unknown_values_grey():
    values = pd.DataFrame({"a": [1.0, np.nan, 2.0], "b": [0.0, 1.0, -1.0]}, index=list("xyz"))
    figure = gene_heatmap(values, label="change")
    (axes,) = [axes for axes in figure.axes if axes.images]
    assert np.ma.getmaskarray(axes.images[0].get_array()).sum() == 1


@pytest.mark.parametrize(("n_genes", "n_types"), [(1, 1), (30, 40)])
def test_dots_say_change_and_share(n_genes, n_types):
    rng = np.random.default_rng(4)
    index, columns = [f"g{i}" for i in range(n_genes)], type_names(n_types)
    change = pd.DataFrame(rng.normal(size=(n_genes, n_types)), index=index, columns=columns)
    share = pd.DataFrame(rng.uniform(size=(n_genes, n_types)), index=index, columns=columns)
    figure = fold_change_dots(change, share, conditions=CONDITIONS)
    dots = figure.axes[0].collections[0]
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    for (x, y), value, size in zip(
        dots.get_offsets(), dots.get_array(), dots.get_sizes(), strict=True
    ):
        gene, name = labels[int(y)], columns[int(x)]
        assert value == change.loc[gene, name]
        assert size == pytest.approx(75.0 * share.loc[gene, name])
    assert inside(figure)


def test_gene_panels_show_levels_change_and_zscore():
    rng = np.random.default_rng(5)
    genes = {
        name: (rng.normal(size=200), rng.normal(size=200), rng.uniform(1, 2, 200))
        for name in ("<b>gene</b>", "$x$")
    }
    figure = gene_panels(XY, genes, conditions=CONDITIONS, axis_names=AXES)
    panels = [axes for axes in figure.axes if axes.collections and axes.get_label() != "<colorbar>"]
    for row, (before, after, spread) in zip(np.reshape(panels, (2, 4)), genes.values()):
        shown = (before, after, after - before, (after - before) / spread)
        for axes, values in zip(row, shown, strict=True):
            np.testing.assert_allclose(np.sort(axes.collections[0].get_array()), np.sort(values))
    limits = [panels[i].collections[0].get_clim() for i in (0, 1)]
    assert limits[0] == limits[1]
    assert [axes.get_ylabel() for axes in panels[::4]] == list(genes)


@pytest.mark.parametrize("n_genes", [1, 3])
def test_expression_along_draws_cells_of_the_conditions_and_their_curves(n_genes):
    rng = np.random.default_rng(6)
    position, members = rng.uniform(size=400), (np.arange(400) < 150, np.arange(400) >= 250)
    smoothed = np.column_stack([position, 2.0 * position])
    genes = {
        f"g{i}": (rng.normal(size=400), smoothed, np.full((400, 2), 0.1)) for i in range(n_genes)
    }
    figure = expression_along(position, genes, members, name="DC 2", conditions=CONDITIONS)
    axes = figure.axes[0]
    measured = [np.asarray(c.get_offsets()) for c in axes.collections if len(c.get_offsets()) > 1]
    assert [len(xy) for xy in measured] == [150, 150]
    np.testing.assert_array_equal(measured[1][:, 1], genes["g0"][0][members[1]])
    for line, slope in zip(axes.lines, (1.0, 2.0), strict=True):
        x, y = line.get_data()
        np.testing.assert_allclose(y, slope * x)
    assert legend(figure) == list(CONDITIONS)


def test_fit_counts_functions_above_the_noise_and_degrees_of_freedom():
    eigenvalues = np.array([100.0, 10.0, 0.5, 0.01])
    freedom = [eigenvalues / (eigenvalues + 1.0), eigenvalues / (eigenvalues + 2.0)]
    figure = fit_overview(
        eigenvalues, noise=1.0, ls=4.0, distances=np.array([0.0, 1.0, 2.0, 3.0]),
        freedom=freedom, conditions=CONDITIONS,
    )  # fmt: skip
    left, middle, right = figure.axes
    assert left.get_title() == "2 of 4 functions above the noise"
    # A cell that lies on another one is not counted.
    assert middle.get_title() == "Length scale = 2 × median distance"
    for line, values in zip(right.lines, freedom, strict=True):
        np.testing.assert_allclose(line.get_ydata(), np.cumsum(values))
    figure.draw_without_rendering()
    assert "10²" in [text.get_text() for text in left.get_yticklabels()]


@pytest.mark.parametrize("called", ["some", "none", "all"])
def test_null_comparison(called):
    rng = np.random.default_rng(7)
    distances, null = rng.gamma(9.0, 0.3, 300), rng.gamma(9.0, 0.2, 500)
    is_de = {"some": distances > 4, "none": distances < 0, "all": distances > 0}[called]
    rates = 1.0 / (1.0 + distances)
    figure = null_comparison(distances, null, rates, rate="local FDR", threshold=0.05, is_de=is_de)
    left, middle, right = figure.axes
    curve = middle.lines[0]
    np.testing.assert_array_equal(curve.get_xdata(), np.sort(distances))
    assert middle.get_title() == f"{is_de.sum()} of 300 genes with local FDR < 0.05"
    if called != "none":
        assert left.lines[0].get_xdata()[0] == distances[is_de].min()
    halves = offsets(right)
    assert len(halves) == 250
    assert sorted(halves.ravel()) == sorted(null)
    assert inside(figure)


@pytest.mark.parametrize("called", [0, 20, 300])
def test_pvalues_against_uniform_ones(called):
    pvalues = np.random.default_rng(8).uniform(1e-6, 1, 300)
    is_de = np.argsort(np.argsort(pvalues)) < called
    figure = pvalue_calibration(pvalues, pvalues, threshold=0.05, is_de=is_de)
    right = figure.axes[2]
    xy = np.asarray(right.collections[0].get_offsets())
    np.testing.assert_allclose(xy[:, 1], np.sort(-np.log10(pvalues)))
    np.testing.assert_allclose(10.0 ** -xy[::-1, 0], (np.arange(300) + 0.5) / 300)
    if called:
        assert len(right.collections[1].get_offsets()) == called
    assert inside(figure)


def test_small_panels_of_very_many_cells_say_how_many_they_show(monkeypatch):
    monkeypatch.setattr("statediff.plots.genes.MOST_CELLS", 50)
    genes = {"g": (np.arange(200.0), np.arange(200.0) + 1.0, np.ones(200))}
    figure = gene_panels(XY, genes, conditions=CONDITIONS, axis_names=AXES)
    assert len(figure.axes[0].collections[0].get_offsets()) == 50
    assert "50 of 200 cells" in figure.get_supxlabel()


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
