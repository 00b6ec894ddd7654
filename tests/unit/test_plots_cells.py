"""What the figures of cells, their types and the fit draw: points, labels, limits (not pixels)."""

import numpy as np
import pandas as pd
import pytest
from drawn import AXES, CONDITIONS, XY, inside, legend, offsets, points, type_names, words
from matplotlib.colors import to_hex
from statediff.composition import mean_intervals
from statediff.fields import DIRECTION_COLORS
from statediff.plots import (
    abundance_swarm,
    abundance_volcano,
    abundance_volcanos,
    composition,
    direction_bars,
    embedding_categories,
    embedding_directions,
    embedding_numbers,
    embedding_values,
    fit_overview,
)
from statediff.plots.style import GREY, categorical_palette
from statediff.plots.swarm import side_by_side


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


def test_categories_of_chosen_cells_keep_their_colours():
    labels = np.array(["b"] * 120 + ["a"] * 50 + ["c"] * 30)
    shown = np.arange(200) >= 100
    figure = embedding_categories(
        XY, labels, name="age", axis_names=AXES, shown=shown & (labels != "a"), on_data=True
    )
    palette = categorical_palette("abc")
    xy, colors = points(figure)
    assert len(xy) == 200
    assert colors.count(palette["b"]) == 20
    assert colors.count(palette["c"]) == 30
    assert colors.count(GREY) == 150
    assert legend(figure) == ["b (20)", "c (30)", "other cells (150)"]
    assert sorted(words(figure)) == ["b", "c"]


@pytest.mark.parametrize("labels", ["aa", "ab"])
def test_no_chosen_cell_has_a_category(labels):
    figure = embedding_categories(
        XY, np.repeat(list(labels), 100), name="age", axis_names=AXES, order=["b"],
        shown=np.arange(200) < 100,
    )  # fmt: skip
    assert set(points(figure)[1]) == {GREY}
    assert legend(figure) == ["other cells (200)"]
    assert inside(figure)


def test_the_data_sets_own_colours_are_used():
    figure = embedding_categories(
        XY, ["a"] * 200, name="t", axis_names=AXES, colors=["#123456"]
    )  # fmt: skip
    assert set(points(figure)[1]) == {"#123456"}


@pytest.mark.parametrize("n_types", [1, 2, 12, 40, 100])
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
    (only,) = [text for text in figure.axes[0].texts if text.get_text() == "only"]
    cell = figure.axes[0].transData.transform(XY[0])
    assert not only.get_window_extent().padded(-2).contains(*cell)


def test_values_are_centred_on_zero_and_the_extremes_on_top():
    values = np.linspace(-1, 3, 200)
    figure = embedding_values(XY, values, label="lfc", axis_names=AXES, percentile=100)
    (drawn,) = figure.axes[0].collections
    assert drawn.norm.vmin == -3
    assert drawn.norm.vcenter == 0
    assert drawn.norm.vmax == 3
    np.testing.assert_allclose(drawn.get_offsets()[-1], XY[-1])
    assert figure.axes[1].get_ylabel() == "lfc"


def test_values_that_are_almost_zero():
    for values in (np.zeros(200), np.linspace(-1e-7, 1e-7, 200)):
        figure = embedding_values(XY, values, label="lfc", axis_names=AXES)
        (drawn,) = figure.axes[0].collections
        assert drawn.get_clim() == (-0.25, 0.25)
        np.testing.assert_array_equal(np.sort(drawn.get_array()), np.sort(values))


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
    assert legend(figure)[3] == "|log₂ fold change| > 1\nand q-value < 0.05"
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


def test_many_points_are_rasterised():
    n = 100_001
    xy = np.random.default_rng(3).normal(size=(n, 2))
    figure = embedding_values(xy, xy[:, 0], label="lfc", axis_names=AXES)
    assert figure.axes[0].collections[0].get_rasterized()
    few = embedding_values(xy[:100], xy[:100, 0], label="lfc", axis_names=AXES)
    assert not few.axes[0].collections[0].get_rasterized()


def changes(rng, n):
    """Log fold change, significance and direction of n cells."""
    lfc = rng.normal(size=n)
    return lfc, lfc**2, np.where(lfc > 1, "up", np.where(lfc < -1, "down", "neutral"))


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


def test_numbers_of_chosen_cells():
    values = np.where(np.arange(200) < 20, np.nan, np.arange(200.0))
    for shown, numbers in ((slice(0, 50), np.arange(20.0, 50.0)), (slice(0, 20), [])):
        mask = np.zeros(200, dtype=bool)
        mask[shown] = True
        figure = embedding_numbers(XY, values, label="counts", axis_names=AXES, shown=mask)
        grey, coloured = figure.axes[0].collections
        assert len(grey.get_offsets()) == 200 - len(numbers)
        np.testing.assert_array_equal(coloured.get_array(), numbers)
        assert inside(figure)


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
    assert [axes.get_title().replace("\n", " ") for axes in panels] == [
        f"{name} ({np.count_nonzero(types == name):,})" for name in names
    ]
    assert legend(figure)[-1] == "|log₂ fold change| > 1 and q-value < 0.05"
    for axes in panels:
        assert [line.get_xdata()[0] for line in axes.lines[:2]] == [-1, 1]
        assert axes.lines[2].get_ydata()[0] == -np.log10(0.05)
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
    assert figure.axes[0].get_xticks().max() <= 100
    wanted = np.concatenate([100 * counts[c] / max(counts[c].sum(), 1) for c in CONDITIONS])
    np.testing.assert_allclose(widths, wanted)
    assert words(figure) == ["100% of the type in Young"]
    points_of_samples = [drawn.get_offsets()[:, 0] for drawn in figure.axes[0].collections[1::2]]
    np.testing.assert_allclose(np.concatenate(points_of_samples), wanted)
    # A single sample of each condition has no interval.
    assert legend(figure)[-1] == "a sample"
    assert inside(figure)


def test_bars_of_samples_are_their_means_with_intervals():
    counts = pd.DataFrame({"Young": [30, 70], "Old": [90, 10]}, index=["x", "y"])
    samples = [pd.DataFrame({"a": [10, 10], "b": [20, 60]}, counts.index),
               pd.DataFrame({"c": [60, 0], "d": [30, 10]}, counts.index)]  # fmt: skip
    figure = composition(counts, conditions=CONDITIONS, samples=samples)
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    np.testing.assert_allclose(widths, [37.5, 62.5, 87.5, 12.5])
    drawn = [np.array(c.get_segments())[:, :, 0] for c in figure.axes[0].collections[::2]]
    wanted = mean_intervals([s.to_numpy() / s.to_numpy().sum(axis=0) for s in samples])
    np.testing.assert_allclose(drawn, 100 * np.array(wanted))
    assert legend(figure)[-1] == "95 % interval of the mean"
    assert inside(figure)


def test_intervals_of_mean_shares_are_those_of_the_textbook():
    first, second = np.array([0.1, 0.2, 0.15]), np.array([0.3, 0.4])
    turned = [np.arcsin(np.sqrt(values)) for values in (first, second)]
    pooled = np.sqrt(sum((values.var(ddof=0) * len(values)) for values in turned) / 3)
    # Student's t with three degrees of freedom.
    half = 3.182446305284263 * pooled / np.sqrt([3, 2])
    found = mean_intervals([first[None], second[None]])
    for values, ends, around in zip((first, second), found, half, strict=True):
        middle = np.arcsin(np.sqrt(values.mean()))
        wanted = np.sin(np.clip([middle - around, middle + around], 0, np.pi / 2)) ** 2
        np.testing.assert_allclose(ends[0], wanted)
        assert ends[0, 0] < values.mean() < ends[0, 1]
    assert np.isnan(mean_intervals([first[None, :1], second[None, :1]])).all()


def test_abundance_volcano_counts_blocks_of_correlated_cells():
    figure = abundance_volcano(
        np.array([-3.0, 0.0, 2.0]), np.array([5.0, 0.0, 4.0]), ["down", "neutral", "up"],
        conditions=CONDITIONS, measure="q-value", lfc_threshold=1.0, threshold=0.05,
        blocks={"up": 2, "neutral": 1},
    )  # fmt: skip
    assert legend(figure)[:2] == [
        "more in Old (1 cells, 2 blocks)",
        "less in Old (1 cells, 0 blocks)",
    ]
    assert "neighbouring cells are correlated" in figure.legends[0].get_title().get_text()
    # Points at zero are seen.
    assert figure.axes[0].get_ylim()[0] < 0


SPECTRUM = np.array([100.0, 10.0, 0.5, 0.01])
FREEDOM = [np.array([0.99, 0.9, 0.8, 0.7]), np.array([0.95, 0.8, 0.75, 0.7])]


def fit_of(**options):
    return fit_overview(
        SPECTRUM, residual=3e-4, tol=1e-3, ls=4.0, conditions=CONDITIONS,
        **{"freedom": FREEDOM} | options,
    )  # fmt: skip


def test_fit_counts_functions_above_the_noise_and_degrees_of_freedom():
    figure = fit_of(distances=np.array([0.0, 1.0, 2.0, 3.0]))
    left, middle, right = figure.axes
    assert " ".join(left.get_title().split()) == "2 of 4 functions above the noise"
    np.testing.assert_allclose(left.lines[0].get_ydata(), SPECTRUM)
    assert "at most 3.0e-04\n(tolerance 1e-03)" in left.texts[-1].get_text()
    # A cell that lies on another one is not counted.
    assert " ".join(middle.get_title().split()) == "Length scale = 2 × median distance"
    for line, values in zip(right.lines, FREEDOM, strict=True):
        np.testing.assert_allclose(line.get_ydata(), np.cumsum(values))
    labels = [text.get_text() for text in right.get_legend().get_texts()]
    assert labels == ["Young: 3.4", "Old: 3.2"]
    figure.draw_without_rendering()
    assert "10²" in [text.get_text() for text in left.get_yticklabels()]
    assert inside(figure)


def test_fit_marks_the_length_scale_that_evidence_chose():
    evidence = np.array([0.25, 0.5, 1.0]), np.array([3.0, 5.0, 4.0])
    signal = np.array([0.01, 0.1, 1.0]), np.array([50, 30, 20])
    figure = fit_of(evidence=evidence, signal=signal)
    of_scale, genes = figure.axes[1], figure.axes[3]
    assert of_scale.get_title() == "Length scale 4 = ½ × extent, by evidence"
    np.testing.assert_allclose(of_scale.lines[0].get_xydata(), np.transpose(evidence))
    np.testing.assert_allclose(of_scale.lines[1].get_xydata(), [[0.5, 5.0]])
    assert [text.get_text() for text in of_scale.get_xticklabels()] == ["¼", "½", "1"]
    np.testing.assert_allclose([bar.get_height() for bar in genes.patches], signal[1])
    assert [text.get_text() for text in genes.get_xticklabels()] == ["0.01", "0.1", "1"]
    assert inside(figure)


@pytest.mark.parametrize(
    ("freedom", "verdict"),
    [
        (FREEDOM, "broad trends along the cell states, and no fine ones.\nEffective degrees of "
                  "freedom of a typical gene: 3.4 in Young and 3.2 in Old"),
        ([np.ones(12), np.ones(15)], "fine trends along the cell states.\nEffective degrees of "
                                     "freedom of a typical gene: 12.0 in Young and 15.0 in Old"),
        ([FREEDOM[0], FREEDOM[1] / 2], "hardly any trend: curves are almost constant over the cell "
                                       "states. Old decides fewer trends and limits the comparison."
                                       "\nEffective degrees of freedom of a typical gene: 3.4 in "
                                       "Young and 1.6 in Old"),
    ],
)  # fmt: skip
def test_fit_says_whether_curves_are_more_than_constants(freedom, verdict):
    figure = fit_of(freedom=freedom, distances=np.ones(5))
    assert figure.get_suptitle().split() == f"The model follows {verdict}".split()


def test_fit_says_where_the_basis_misses_its_tolerance():
    figure = fit_overview(
        SPECTRUM, residual=2e-3, tol=1e-3, ls=4.0, conditions=CONDITIONS, freedom=FREEDOM,
        distances=np.ones(5),
    )  # fmt: skip
    assert "misses its tolerance" in figure.get_suptitle()


def test_fit_of_genes_that_do_not_follow_the_states():
    nothing = np.zeros(4)
    figure = fit_overview(
        nothing, residual=3e-4, tol=1e-3, ls=4.0, freedom=[nothing, nothing],
        conditions=CONDITIONS, distances=np.ones(5), signal=(np.array([0.003]), np.array([10])),
    )  # fmt: skip
    assert figure.axes[0].get_title() == "0 of 4 functions above the noise"
    assert inside(figure)


def swarm_of(table, types, conditions=CONDITIONS):
    return abundance_swarm(table, types, conditions=conditions, lfc_threshold=0.2)


@pytest.mark.parametrize(("n_types", "points_of_each"), [(1, 1), (2, 3), (12, 40), (40, 5)])
def test_a_swarm_has_a_point_for_each_block_in_the_row_of_its_type(n_types, points_of_each):
    rng = np.random.default_rng(0)
    names = type_names(n_types)
    lfc = rng.normal(0, 0.5, n_types * points_of_each)
    table = pd.DataFrame(
        {"cell_type": np.repeat(names, points_of_each), "lfc": lfc, "cells": 40,
         "direction": np.where(lfc > 0.2, "up", np.where(lfc < -0.2, "down", "neutral"))}
    )  # fmt: skip
    figure = swarm_of(table, names)
    axes = figure.axes[0]
    for row, (name, drawn) in enumerate(zip(names, axes.collections[1:], strict=True)):
        of_type = table[table["cell_type"] == name]
        xy = np.asarray(drawn.get_offsets())
        np.testing.assert_array_equal(xy[:, 0], of_type["lfc"])
        # They stay in their row.
        assert np.abs(xy[:, 1] - (n_types - 1 - row)).max() < 0.5
        wanted = [to_hex(DIRECTION_COLORS[one]) for one in of_type["direction"]]
        assert [to_hex(color) for color in drawn.get_facecolors()] == wanted
    counted = (table["direction"] == "up").sum()
    assert f"more in Old ({counted:,})" in legend(figure)
    assert inside(figure)


def test_points_of_a_swarm_lie_beside_each_other():
    rng = np.random.default_rng(1)
    positions, radii = rng.normal(0, 20, 80), rng.uniform(1, 3, 80)
    offsets = side_by_side(positions, radii)
    apart = np.hypot(positions[:, None] - positions, offsets[:, None] - offsets)
    np.fill_diagonal(apart, np.inf)
    assert (apart >= (radii[:, None] + radii) * (1 - 1e-6)).all()
    # Those with no neighbour stay on the line.
    assert side_by_side([0.0, 10.0], [1.0, 1.0]).tolist() == [0.0, 0.0]
