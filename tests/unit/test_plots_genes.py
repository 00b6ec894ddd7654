"""What the figures of genes draw: points, labels, limits (not pixels)."""

import numpy as np
import pandas as pd
import pytest
from drawn import AXES, CONDITIONS, XY, inside, legend, offsets, points, type_names, words
from matplotlib.collections import LineCollection
from statediff.plots import (
    contrast_comparison,
    expression_along,
    expression_ma,
    expression_volcano,
    fold_change_dots,
    gene_heatmap,
    gene_panels,
    gene_regions,
    null_comparison,
    pvalue_calibration,
    sample_expression,
)
from statediff.plots.style import CONDITION_COLORS


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
    strips = [line for line in axes.lines if line.get_linewidth() > 2]
    assert [line.get_color() for line in strips] == split * n_types * list(CONDITION_COLORS)
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


def regions_of(n_genes, types):
    """Genes that change in some of these types, and the pattern of each."""
    rng = np.random.default_rng(4)
    genes = [f"a gene name of thirty letters {i:02d}" for i in range(n_genes)]
    rows = [(g, t, "up", rng.uniform(0.1, 0.6), rng.gamma(2)) for g in genes for t in types]
    rows += [(g, t, "down", 0.4, -rng.gamma(2)) for g in genes[2::3] for t in types]
    table = pd.DataFrame(rows, columns=["gene", "cell_type", "direction", "share", "lfc"])
    patterns = np.resize(["everywhere", "region", "opposite"], n_genes)
    return table, pd.Series(patterns, genes, dtype=object)


def boxes(collection):
    """Left edge, row and width of each box."""
    boxes = [path.get_extents() for path in collection.get_paths()]
    return np.array([(box.x0, (box.y0 + box.y1) / 2, box.width) for box in boxes])


@pytest.mark.parametrize(("n_genes", "n_types"), [(1, 1), (2, 1), (30, 40)])
def test_regions_say_where_genes_change_and_by_how_much(n_genes, n_types):
    types = type_names(n_types)
    table, patterns = regions_of(n_genes, types)
    missing = pd.Series([None], ["no region"], dtype=object)
    figure = gene_regions(
        table, pd.concat([missing, patterns]), types, conditions=CONDITIONS,
        totals={"everywhere": 1234},
    )  # fmt: skip
    axes = figure.axes[0]
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels[:2] == [f"everywhere ({-(-n_genes // 3)} of 1,234)", patterns.index[0]]
    assert labels[-2:] == ["not localised (1)", "no region"]
    assert [text.get_text() for text in axes.get_xticklabels()] == types
    fields, changed = axes.collections
    assert len(fields.get_paths()) == (n_genes + 1) * n_types
    table = table.set_index(["gene", "cell_type", "direction"])
    drawn = boxes(changed)
    assert len(drawn) == len(table)
    opposite = np.array([patterns[labels[round(row)]] == "opposite" for row in drawn[:, 1]])
    for (left, row, width), lfc in zip(drawn, changed.get_array(), strict=True):
        direction = "up" if lfc > 0 else "down"
        wanted = table.loc[labels[round(row)], types[int(left)], direction]
        assert lfc == wanted["lfc"]
        assert width == pytest.approx(0.86 * wanted["share"])
    # In a type with both, the part that is lower comes first.
    starts = 0.07 + 0.86 * np.where((changed.get_array() > 0) & opposite, 0.4, 0.0)
    np.testing.assert_allclose(drawn[:, 0] % 1, starts)
    assert legend(figure)[0] == "no significant change"
    assert inside(figure)


@pytest.mark.parametrize("n_blocks", [1, 200])
def test_regions_of_blocks_are_as_wide_as_they_have_cells(n_blocks):
    table, patterns = regions_of(2, range(n_blocks))
    cells = np.arange(1, n_blocks + 1)
    figure = gene_regions(
        table.assign(share=1.0), patterns, range(n_blocks), conditions=CONDITIONS, cells=cells
    )
    axes = figure.axes[0]
    widths = boxes(axes.collections[1])[:, 2]
    np.testing.assert_allclose(widths, np.tile(cells, 2))
    assert axes.get_xlim() == (0, cells.sum())
    assert not axes.get_xticklabels()
    assert inside(figure)


def test_regions_without_genes_say_so():
    table, patterns = regions_of(3, ["a"])
    figure = gene_regions(table, patterns[:0], ["a"], conditions=CONDITIONS)
    assert words(figure) == ["No called gene could be localised."]
    # Genes that the configuration names are shown without a change, too.
    figure = gene_regions(table[:0], patterns.map(lambda _: None), ["a"], conditions=CONDITIONS)
    assert len(figure.axes[0].collections[0].get_paths()) == 3
    assert inside(figure)


def test_gene_panels_show_levels_change_its_uncertainty_and_zscore():
    rng = np.random.default_rng(5)
    genes = {
        name: (rng.normal(size=200), rng.normal(size=200), rng.uniform(1, 2, 200))
        for name in ("<b>gene</b>", "$x$", "a_gene_named_by_thirty_letters")
    }
    figure = gene_panels(XY, genes, conditions=CONDITIONS, axis_names=AXES)
    panels = [axes for axes in figure.axes if axes.collections and axes.get_label() != "<colorbar>"]
    for row, (before, after, spread) in zip(np.reshape(panels, (3, 5)), genes.values()):
        shown = (before, after, after - before, spread, (after - before) / spread)
        for axes, values in zip(row, shown, strict=True):
            np.testing.assert_allclose(np.sort(axes.collections[0].get_array()), np.sort(values))
    limits = [panels[i].collections[0].get_clim() for i in (0, 1)]
    assert limits[0] == limits[1]
    assert [axes.get_ylabel() for axes in panels[::5]] == list(genes)
    assert inside(figure)


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
    assert inside(figure)


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
    assert (
        middle.get_title().replace("\n", " ") == f"{is_de.sum()} of 300 genes with local FDR < 0.05"
    )
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


def test_very_small_pvalues_are_marked_at_the_edge():
    pvalues = np.r_[np.full(5, 1e-40), np.random.default_rng(8).uniform(1e-3, 1, 95)]
    figure = pvalue_calibration(pvalues, pvalues, threshold=0.05, is_de=pvalues < 1e-9)
    right, marks = figure.axes[2], figure.axes[2].collections[-1]
    top = 3 * -np.log10(0.5 / 100)
    np.testing.assert_allclose(marks.get_offsets()[:, 1], top)
    assert marks.get_label() == "above 7 (5)"
    assert right.get_ylim()[1] == pytest.approx(1.05 * top)
    # The curve is shown as far as it is not on the axis.
    assert figure.axes[1].get_xlim()[1] < 10


def test_qvalues_are_seen_where_all_genes_change():
    pvalues = 10.0 ** -np.linspace(20, 60, 300)
    figure = pvalue_calibration(pvalues, pvalues, threshold=0.05, is_de=pvalues < 1)
    assert figure.axes[1].get_xlim()[1] > 20
    assert inside(figure)


def test_pvalues_of_data_without_a_difference_are_drawn_on_their_own():
    rng = np.random.default_rng(8)
    pvalues, null = rng.uniform(1e-6, 1, 300), rng.uniform(1e-6, 1, 50)
    figure = pvalue_calibration(
        pvalues, pvalues, threshold=0.05, is_de=np.zeros(300, dtype=bool), null=null
    )
    right = figure.axes[2]
    drawn = np.asarray(right.collections[-1].get_offsets())
    np.testing.assert_allclose(drawn[:, 1], np.sort(-np.log10(null))[::-1])
    np.testing.assert_allclose(10.0 ** -drawn[:, 0], (np.arange(50) + 0.5) / 50)
    legend = right.get_legend()
    box = legend.get_window_extent().transformed(right.transData.inverted())
    assert not any(box.contains(*point) for c in right.collections for point in c.get_offsets())
    (entry,) = legend.get_texts()
    assert entry.get_text() == "shuffled (50)"
    assert inside(figure)


def test_no_leader_passes_another_point():
    rng = np.random.default_rng(9)
    table = pd.DataFrame({"mean_lfc": rng.normal(size=100), "is_de": True})
    table["pvalue"] = 10.0 ** -(30 + rng.uniform(size=100))
    table.index = [f"gene {i}" for i in range(100)]
    figure = expression_volcano(
        table, conditions=CONDITIONS, fdr_threshold=0.05, ranking="pvalue", labelled=15
    )
    axes = figure.axes[0]
    (leaders,) = [c for c in axes.collections if isinstance(c, LineCollection)]
    xy = axes.transData.transform(
        np.column_stack([table["mean_lfc"], -np.log10(table["pvalue"])])[
            np.argsort(table["pvalue"])
        ]
    )[:100]
    assert len(leaders.get_segments())
    for segment in leaders.get_segments():
        start, end = axes.transData.transform(segment)
        along = start + np.linspace(0, 1, 200)[:, None] * (end - start)
        near = np.linalg.norm(xy[:, None] - along[None], axis=2).min(axis=1)
        # Its own point only.
        assert (near < 2.4).sum() == 1


def test_small_panels_of_very_many_cells_say_how_many_they_show(monkeypatch):
    monkeypatch.setattr("statediff.plots.genes.MOST_CELLS", 50)
    genes = {"g": (np.arange(200.0), np.arange(200.0) + 1.0, np.ones(200))}
    figure = gene_panels(XY, genes, conditions=CONDITIONS, axis_names=AXES)
    assert len(figure.axes[0].collections[0].get_offsets()) == 50
    assert "50 of 200 cells" in figure.get_supxlabel()


def pseudobulks(n_genes, n_types, n_samples, pairs=False):
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product(
        [[f"Gene{i}" for i in range(n_genes)], type_names(n_types), range(2 * n_samples)],
        names=["gene", "cell_type", "sample"],
    )
    table = index.to_frame(index=False)
    table["condition"] = table["sample"] // n_samples
    table["expression"] = rng.uniform(0, 5, len(table))
    table["cells"] = np.where(table["sample"] == 0, 3, 30)
    return table.assign(pair=table["sample"] % n_samples) if pairs else table


@pytest.mark.parametrize(
    ("n_genes", "n_types", "n_samples", "pairs"),
    [(1, 1, 1, False), (4, 12, 4, True), (7, 3, 20, False), (2, 40, 2, True)],
)
def test_genes_have_a_point_for_each_sample_and_type(n_genes, n_types, n_samples, pairs):
    table = pseudobulks(n_genes, n_types, n_samples, pairs)
    names = type_names(n_types)
    figure = sample_expression(table, names, conditions=CONDITIONS)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == list(dict.fromkeys(table["gene"]))
    for axes, (_, of_gene) in zip(panels, table.groupby("gene"), strict=True):
        for condition, drawn in enumerate(axes.collections[::2]):
            wanted = of_gene[of_gene["condition"] == condition]
            xy = np.asarray(drawn.get_offsets())
            np.testing.assert_allclose(xy[:, 0], wanted["expression"])
            rows = n_types - 1 - wanted["cell_type"].map(names.index).to_numpy()
            # The reference lies above the middle of the row, the other condition below.
            aside = (xy[:, 1] - rows) * (1 - 2 * condition)
            assert aside.min() > 0
            assert aside.max() < 0.5
        joined = [line for line in axes.lines if line.get_color() == "#a0a0a0"]
        assert len(joined) == (n_types * n_samples if pairs else 0)
    assert ("samples of a pair" in legend(figure)) == pairs
    assert "fewer than 10 cells" in legend(figure)
    assert inside(figure)


def test_significant_types_of_a_gene_are_marked():
    table, names = pseudobulks(2, 3, 2), type_names(3)
    where = pd.DataFrame([[True, False, True], [False] * 3], ["Gene0", "Gene1"], names)
    figure = sample_expression(table, names, conditions=CONDITIONS, significant=where)
    assert [[text.xy[1] for text in axes.texts] for axes in figure.axes] == [[2, 0], []]
    figure = gene_heatmap(pd.DataFrame(np.eye(3)[:2], ["Gene0", "Gene1"], names), label="x",
                          significant=where)  # fmt: skip
    marks = figure.axes[1].collections[0]
    assert sorted(map(tuple, marks.get_offsets())) == [(0, 0), (2, 0)]
    figure = fold_change_dots(
        pd.DataFrame(1.0, where.index, names), pd.DataFrame(0.5, where.index, names),
        conditions=CONDITIONS, significant=where,
    )  # fmt: skip
    widths = figure.axes[0].collections[0].get_linewidths()
    np.testing.assert_array_equal(np.array(widths) > 1, where.to_numpy().ravel())


@pytest.mark.parametrize("n", [1, 300])
def test_ma_plot_shows_genes_by_mean_expression_and_names_called_ones(n):
    rng = np.random.default_rng(0)
    genes = pd.DataFrame(
        {"mean_expression": rng.uniform(0, 8, n), "lfc": rng.normal(size=n)},
        index=[f"Gene{i}" for i in range(n)],
    ).assign(is_de=np.arange(n) % 10 == 5)
    figure = expression_ma(genes, conditions=CONDITIONS, change="log₂ fold change", labelled=3)
    axes = figure.axes[0]
    xy = np.vstack([np.asarray(drawn.get_offsets()) for drawn in axes.collections[:3]])
    assert sorted(map(tuple, xy)) == sorted(
        map(tuple, genes[["mean_expression", "lfc"]].to_numpy())
    )
    assert set(words(figure)) <= set(genes.index[genes["is_de"]][:3])
    assert inside(figure)


@pytest.mark.parametrize(("contrasts", "panels"), [(2, 1), (3, 3), (9, 6)])
def test_contrasts_are_compared_two_by_two(contrasts, panels):
    rng = np.random.default_rng(0)
    index = [f"Gene{i}" for i in range(50)]
    tables = {
        f"contrast_{i}": pd.DataFrame(
            {"lfc": rng.normal(size=50), "is_de": np.arange(50) % 5 == i % 5,
             "rank": rng.permutation(50)}, index,
        )
        for i in range(contrasts)
    }  # fmt: skip
    figure = contrast_comparison(tables, change="log₂ fold change")
    shown = [axes for axes in figure.axes if axes.axison]
    assert len(shown) == panels
    first, second = tables["contrast_0"], tables["contrast_1"]
    either = first["is_de"] | second["is_de"]
    r = np.corrcoef(first["lfc"][either], second["lfc"][either])[0, 1]
    assert shown[0].get_title() == f"{either.sum()} called in one or both, r = {r:.2f}"
    xy = np.vstack([np.asarray(drawn.get_offsets()) for drawn in shown[0].collections[:4]])
    assert sorted(map(tuple, xy)) == sorted(zip(first["lfc"], second["lfc"], strict=True))
    assert inside(figure)


def test_contrasts_without_a_called_gene():
    nothing = pd.DataFrame({"lfc": [0.0, 0.0], "is_de": False, "rank": [0, 1]}, ["a", "b"])
    figure = contrast_comparison({"x": nothing, "y": nothing}, change="log₂ fold change")
    assert figure.axes[0].get_title() == "0 called in one or both"
    assert inside(figure)


def test_every_name_that_is_promised_is_written_where_there_is_room():
    """The first genes lie so close together that their names cannot all be beside them."""
    table = genes(300, 40)
    table.loc[table.index[:15], "mean_lfc"] = np.linspace(-0.6, 0.6, 15)
    table.loc[table.index[:15], "mahalanobis"] = 40 + np.tile([0.0, 1.0, 2.0], 5)
    figure = expression_volcano(table, conditions=CONDITIONS, labelled=15, **BY_DISTANCE)
    assert set(words(figure)) == set(table.index[:15])
    figure.draw_without_rendering()
    boxes = [text.get_window_extent().padded(-1) for text in figure.axes[0].texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_columns_of_few_cells_are_pale():
    values = pd.DataFrame(np.eye(3)[:2], ["Gene0", "Gene1"], type_names(3))
    figure = gene_heatmap(values, label="x", cells=[30, 19, 20])
    (pale,) = figure.axes[1].patches
    assert (pale.get_x(), pale.get_width()) == (0.5, 1.0)
    assert legend(figure) == ["pale: fewer than 20 cells"]
    assert not gene_heatmap(values, label="x", cells=[30, 20, 20]).axes[1].patches
