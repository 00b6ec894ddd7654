"""Panels of pages: where they are, what is refused, and how figures are drawn as such."""

import numpy as np
import pandas as pd
import pytest
from drawn import AXES, CONDITIONS, XY, inside, type_names
from matplotlib.text import Text
from statediff import DataWarning, InputError, plots
from statediff.paper import check_panels, panel_size, panel_stem, places
from statediff.plots.page import lettered_page
from statediff.plots.panel import panel
from statediff.plots.style import style

NONE = {"figure": "fit", "contrast": None}


def page(mosaic, letters="ABC", width=180, height=120, font_size=7):
    panels = dict.fromkeys(letters, NONE)
    return {"width": width, "height": height, "font_size": font_size, "mosaic": mosaic,
            "panels": panels}  # fmt: skip


@pytest.mark.parametrize("mosaic", ["AAB;CCC", "AAB\nCCC\n", " AAB ; CCC "])
def test_panels_fill_the_page_but_for_the_gaps(mosaic):
    at = places(page(mosaic), "paper.x")
    assert at["A"] == pytest.approx((0, 0, 119, 58.5))
    assert at["B"] == pytest.approx((122, 0, 58, 58.5))
    assert at["C"] == pytest.approx((0, 61.5, 180, 58.5))


def test_a_point_leaves_its_place_empty_and_letters_may_be_small():
    at = places(page("a.;.b", "ba"), "paper.x")
    assert list(at) == ["b", "a"]
    assert at["a"][:2] == (0, 0)
    assert at["b"] == pytest.approx((91.5, 61.5, 88.5, 58.5))


def test_a_panel_leaves_a_line_for_its_letter():
    size = panel_size(page("AB", "AB", font_size=10), "B", "paper.x")
    assert size["width"] == pytest.approx(88.5 / 25.4)
    assert size["height"] == pytest.approx(120 / 25.4 - 14 / 72)
    assert (size["font_size"], size["name"]) == (10, "paper.x.panels.B")


@pytest.mark.parametrize(
    ("mosaic", "letters", "message"),
    [
        (
            "AAB;CC",
            "ABC",
            r"paper\.x\.mosaic: found rows AAB \(3\), CC \(2\), expected rows of one",
        ),
        (";", "A", r"mosaic: found rows nothing"),
        ("AAB;ABB", "AB", r"mosaic: the cells of 'A' do not form"),
        ("A.A", "A", r"mosaic: the cells of 'A' do not form"),
        ("AB", "A", r"paper\.x\.mosaic: found 'B', which paper\.x\.panels lacks"),
        ("A", "AB", r"paper\.x\.panels: found 'B', which paper\.x\.mosaic lacks"),
        ("A" * 12 + "B", "AB", r"paper\.x\.panels\.B: 11.1 × 120 mm, expected at least 15 mm"),
        ("A;B;C;D;E;F", "ABCDEF", r"paper\.x\.panels\.A: 180 × 17.5 mm, expected at least 15 mm"),
    ],
)
def test_a_mosaic_with_faults_is_refused(mosaic, letters, message):
    with pytest.raises(InputError, match=message):
        places(page(mosaic, letters), "paper.x")


def refusal(**settings):
    paper = {"x": page("A", "A") | {"panels": {"A": {"contrast": None} | settings}}}
    figures = {"fit": [], "condition": ["point_size"], "cell_type": [], "composition": []}
    with pytest.raises(InputError) as error:
        check_panels(
            paper, figures, {"composition": "expected types"}, {"cell_type"}, {"a": {}, "b": {}}
        )
    return str(error.value)


def test_panels_that_cannot_be_drawn_are_refused():
    option = "paper.x.panels.A"
    assert refusal(figure="volcano", contrast="a") == (
        f"{option}.figure: found 'volcano', expected one of fit, condition, cell_type, composition"
    )
    assert refusal(figure="composition", contrast="a") == (
        f"{option}.figure: composition: expected types"
    )
    assert refusal(figure="fit", contrast="c") == (
        f"{option}.contrast: found 'c', expected one of a, b"
    )
    assert "found nothing, expected one of a, b" in refusal(figure="fit")
    assert "found 'a', expected none" in refusal(figure="cell_type", contrast="a")
    assert refusal(figure="condition", contrast="a", percentile=98.0) == (
        f"{option}.percentile: condition does not use it; it uses: point_size"
    )
    assert refusal(figure="fit", contrast="a", genes=["x"]).endswith("it uses: nothing")


def test_files_of_panels_tell_what_they_show():
    assert panel_stem("figure_1", "A", {"contrast": "a", "figure": "fit"}) == "figure_1.A.a.fit"
    assert panel_stem("figure_1", "b", {"contrast": None, "figure": "obs_x"}) == "figure_1.b.obs_x"


RNG = np.random.default_rng(0)
TYPES = np.resize([f"cell type {i}" for i in range(6)], 200)
LFC = RNG.normal(size=200)
UP = np.where(np.abs(LFC) > 1, np.where(LFC > 0, "up", "down"), "neutral")
GENES = [f"Gene{i}" for i in range(8)]
NAMES = [f"cell type {i}" for i in range(6)]
CHANGE = pd.DataFrame(RNG.normal(size=(8, 6)), index=GENES, columns=NAMES)
VOLCANO = {"conditions": CONDITIONS, "measure": "q-value", "lfc_threshold": 1.0, "threshold": 0.05}
COUNTS = pd.DataFrame({"cell_type": NAMES, "up": 20, "neutral": 60, "down": 30, "cells": 110})
SWARM = pd.DataFrame({"cell_type": TYPES, "lfc": LFC, "cells": 20, "direction": UP})
PSEUDOBULKS = pd.MultiIndex.from_product(
    [GENES[:2], NAMES, range(4)], names=["gene", "cell_type", "sample"]
).to_frame(index=False)
PSEUDOBULKS = PSEUDOBULKS.assign(
    condition=PSEUDOBULKS["sample"] // 2, expression=RNG.uniform(size=48), cells=20
)
PVALUES = RNG.uniform(size=300) ** 3
MEMBERS = [np.arange(200) < 90, np.arange(200) >= 90]
REGIONS = CHANGE.rename_axis(index="gene", columns="cell_type").stack().rename("lfc").reset_index()
REGIONS = REGIONS.assign(direction=np.where(REGIONS["lfc"] > 0, "up", "down"), share=0.8)
PATTERNS = pd.Series(np.resize(["everywhere", "region", "opposite"], 8), GENES)
TERMS = pd.DataFrame(
    {"gene_set": np.repeat(["up", "down"], 4), "category": "KEGG", "term": range(8),
     "description": [f"Regulation of a long pathway number {i}" for i in range(8)],
     "strength": np.linspace(0.5, 2, 8), "fdr": 1e-4, "number_of_genes": range(3, 11)}
)  # fmt: skip
# Each plot function by its name, what it takes, and a size in mm where it has room.
DRAWN = {
    "abundance_swarm": (
        (SWARM, NAMES), {"conditions": CONDITIONS, "lfc_threshold": 0.2}, (90, 70),
    ),
    "abundance_volcano": ((LFC, np.abs(LFC), UP), VOLCANO, (60, 60)),
    "abundance_volcanos": ((LFC, np.abs(LFC), UP, pd.Categorical(TYPES)), VOLCANO, (120, 70)),
    "composition": (
        (pd.DataFrame({"Young": range(6), "Old": 5}, index=NAMES),), {"conditions": CONDITIONS},
        (80, 50),
    ),
    "contrast_comparison": (
        (dict.fromkeys("ab", pd.DataFrame({"lfc": LFC, "is_de": LFC > 1, "rank": range(200)},
                                    index=[f"Gene{i}" for i in range(200)])),),
        {"change": "log₂ fold change"}, (80, 90),
    ),
    "direction_bars": ((COUNTS,), {"conditions": CONDITIONS}, (80, 50)),
    "embedding_categories": (
        (XY, TYPES), {"name": "type", "axis_names": AXES, "on_data": True}, (70, 60),
    ),
    "embedding_directions": (
        (XY, LFC, UP), {"conditions": CONDITIONS, "axis_names": AXES}, (100, 55),
    ),
    "embedding_numbers": ((XY, LFC), {"label": "a number", "axis_names": AXES}, (50, 50)),
    "embedding_values": ((XY, LFC), {"label": "log\nfold change", "axis_names": AXES}, (50, 50)),
    "enrichment": (
        (TERMS,), {"titles": {"up": "Higher", "down": "Lower"}, "fdr_threshold": 0.05}, (110, 80),
    ),
    "expression_along": (
        (XY[:, 0], {name: (LFC, XY, np.ones((200, 2))) for name in GENES[:2]}, MEMBERS),
        {"name": "a component", "conditions": CONDITIONS}, (110, 60),
    ),
    "expression_ma": (
        (pd.DataFrame({"mean_expression": RNG.normal(size=300), "lfc": RNG.normal(size=300),
                       "is_de": PVALUES < 1e-4}, index=[f"Gene{i}" for i in range(300)]),),
        {"conditions": CONDITIONS, "change": "log₂ fold change", "labelled": 3}, (70, 60),
    ),
    "expression_volcano": (
        (pd.DataFrame({"mean_lfc": RNG.normal(size=300), "pvalue": PVALUES,
                       "is_de": PVALUES < 1e-4}, index=[f"Gene{i}" for i in range(300)]),),
        {"conditions": CONDITIONS, "fdr_threshold": 0.05, "ranking": "pvalue"}, (70, 60),
    ),
    "fit_overview": (
        (np.geomspace(10, 1e-3, 40),),
        {"residual": 9e-4, "tol": 1e-3, "ls": 0.5, "freedom": [np.linspace(1, 0, 40)] * 2,
         "evidence": (np.array([0.25, 0.5, 1.0]), np.array([3.0, 5.0, 4.0])),
         "signal": (np.geomspace(0.003, 10.0, 8), np.arange(8)), "conditions": CONDITIONS},
        (140, 110),
    ),
    "fold_change_dots": ((CHANGE, CHANGE.abs() / 5), {"conditions": CONDITIONS}, (70, 70)),
    "gene_heatmap": ((CHANGE,), {"label": "Mean\nfold change"}, (70, 70)),
    "gene_network": (
        ([("Gene0", "Gene1", 0.9)], {"Gene0": "up", "Gene1": "down"}), {"conditions": CONDITIONS},
        (60, 60),
    ),
    "gene_panels": (
        (XY, {name: (LFC, LFC + 1, np.ones(200)) for name in GENES[:2]}),
        {"conditions": CONDITIONS, "axis_names": AXES}, (180, 60),
    ),
    "gene_regions": ((REGIONS, PATTERNS, NAMES), {"conditions": CONDITIONS}, (90, 80)),
    "null_comparison": (
        (PVALUES, PVALUES, PVALUES),
        {"rate": "local FDR", "threshold": 0.05, "is_de": PVALUES > 0.9}, (170, 50),
    ),
    "pvalue_calibration": (
        (PVALUES, PVALUES), {"threshold": 0.05, "is_de": PVALUES < 1e-4}, (170, 50),
    ),
    "sample_expression": ((PSEUDOBULKS, NAMES), {"conditions": CONDITIONS}, (110, 70)),
}  # fmt: skip


def drawn(name, width=None, height=None, font_size=7.0, **others):
    arguments, options, (usual_width, usual_height) = DRAWN[name]
    with panel((width or usual_width) / 25.4, (height or usual_height) / 25.4, font_size, name):
        return getattr(plots, name)(*arguments, **options | others)


def sizes(figure):
    """Sizes of all text that is shown."""
    figure.draw_without_rendering()
    return {t.get_fontsize() for t in figure.findobj(Text) if t.get_visible() and t.get_text()}


def test_every_figure_is_tried_as_a_panel():
    assert set(DRAWN) == set(plots.__all__)


@pytest.mark.filterwarnings("error::statediff.DataWarning")
@pytest.mark.parametrize("name", DRAWN)
def test_a_panel_has_its_exact_size_and_text_of_one_size(name):
    figure = drawn(name, font_size=6.3)
    wanted = np.array(DRAWN[name][2]) / 25.4
    np.testing.assert_array_equal(figure.get_size_inches(), wanted)
    with style():
        assert sizes(figure) == {6.3}
        assert inside(figure)


def test_figures_after_a_panel_are_what_they_were():
    arguments, options, _ = DRAWN["abundance_volcano"]
    before = plots.abundance_volcano(*arguments, **options)
    drawn("abundance_volcano")
    after = plots.abundance_volcano(*arguments, **options)
    assert sizes(before) == sizes(after) == {8.0, 7.5}
    np.testing.assert_array_equal(before.get_size_inches(), after.get_size_inches())


def test_long_labels_break_and_keep_their_words():
    narrow, wide = drawn("abundance_volcano"), drawn("abundance_volcano", 150, 60)
    labels = [figure.axes[0].get_xlabel() for figure in (narrow, wide)]
    assert "\n" in labels[0]
    assert "\n" not in labels[1]
    assert labels[0].split() == labels[1].split()


def test_neighbouring_titles_and_labels_do_not_meet():
    figure = drawn("embedding_directions", 60, 55)
    boxes = [axes.title.get_window_extent() for axes in figure.axes[:2]]
    assert not boxes[0].overlaps(boxes[1])
    figure = drawn("expression_along", 85, 55)
    label = figure.axes[1].yaxis.label.get_window_extent()
    others = [figure.axes[0].xaxis.label, *figure.legends[0].get_texts()]
    assert not any(label.overlaps(text.get_window_extent()) for text in others)


def test_the_legend_is_where_it_leaves_more_room():
    """Beside the axes in a wide panel, above them in a narrow one."""
    for width, height, side in ((120, 40, 0), (50, 90, 1)):
        figure = drawn("embedding_categories", width, height, on_data=False)
        (legend,) = figure.legends
        box, axes = legend.get_window_extent(), figure.axes[0].bbox
        assert (box.x0 >= axes.x1, box.y0 >= axes.y1)[side]
        assert len(legend.get_texts()) == 6


def test_points_are_smaller_in_a_small_panel_but_for_a_size_asked_for():
    def area(**options):
        return drawn("embedding_values", **options).axes[0].collections[0].get_sizes()[0]

    assert area(width=40, height=40) < area(width=80, height=80) < area(width=150, height=150)
    assert area(width=40, height=40, size=9.0) == 9.0


@pytest.mark.parametrize("name", ["abundance_volcanos", "fit_overview", "expression_volcano"])
def test_a_panel_without_room_for_axes_is_refused(name):
    width, height = (30, 30) if name != "fit_overview" else (50, 40)
    with pytest.raises(InputError, match=rf"{name}: {width} × {height} mm: text leaves .* enlarge"):
        drawn(name, width, height)


def test_text_that_is_cut_off_is_told():
    labels = np.resize(type_names(3), 200)
    options = {"name": "type", "axis_names": AXES}
    with (
        panel(40 / 25.4, 60 / 25.4, 9, "paper.x.panels.A"),
        pytest.warns(DataWarning, match=r"paper.x.panels.A: 40 × 60 mm: up to \d+\.\d mm of text"),
    ):
        plots.embedding_categories(XY, labels, **options)


def test_very_many_points_are_pixels():
    n = 100_001
    with panel(2, 2, 7):
        figure = plots.embedding_values(
            np.zeros((n, 2)), np.zeros(n), label="x", axis_names=AXES
        )  # fmt: skip
    assert figure.axes[0].collections[0].get_rasterized()


def test_letters_are_bold_at_the_upper_left_of_their_panels():
    at = places(page("AAB;CCC"), "paper.x")
    figure = lettered_page(180, 120, at, 7)
    np.testing.assert_allclose(figure.get_size_inches() * 25.4, (180, 120))
    assert [text.get_text() for text in figure.texts] == ["A", "B", "C"]
    for text, (left, top, *_) in zip(figure.texts, at.values(), strict=True):
        assert (text.get_weight(), text.get_fontsize()) == ("bold", 7)
        box = text.get_window_extent()
        assert box.x0 / figure.dpi * 25.4 == pytest.approx(left, abs=0.1)
        assert 120 - box.y1 / figure.dpi * 25.4 == pytest.approx(top, abs=0.1)
        # It ends above the panel.
        assert box.height / figure.dpi < 7 * 1.4 / 72


@pytest.mark.parametrize("name", DRAWN)
def test_no_text_is_smaller_than_six_points_on_a_page(name):
    arguments, options, _ = DRAWN[name]
    figure = getattr(plots, name)(*arguments, **options)
    assert min(sizes(figure)) * min(1, 180 / 25.4 / figure.get_figwidth()) > 5.95
