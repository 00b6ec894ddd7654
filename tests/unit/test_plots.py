"""What the figures draw: points, labels, limits (not pixels)."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from statediff.plots import (
    abundance_volcano,
    direction_bars,
    embedding_categories,
    embedding_values,
    expression_volcano,
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
    assert axes.get_ylabel() == "−log10 q-value"
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


def test_many_points_are_rasterised():
    n = 100_001
    xy = np.random.default_rng(3).normal(size=(n, 2))
    figure = embedding_values(xy, xy[:, 0], label="lfc", axis_names=AXES)
    assert figure.axes[0].collections[0].get_rasterized()
    few = embedding_values(xy[:100], xy[:100, 0], label="lfc", axis_names=AXES)
    assert not few.axes[0].collections[0].get_rasterized()
