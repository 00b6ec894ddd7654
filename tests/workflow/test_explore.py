"""The page to explore a contrast, opened from a file in a browser without a network."""

import re

import numpy as np
import pandas as pd
import pytest
from anndata.io import read_h5ad
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait
from statediff.fields import DIRECTION_COLORS
from statediff.plots.explore_cells import category_column, value_column
from test_page import HOSTILE, LOCATED, drawn_of, measured_of, page_of, problem

RESULTS = "results/small/young_vs_old"


class Page:
    """What is drawn on an open page, and how a user changes it."""

    def __init__(self, browser, path, fragment=""):
        self.browser = browser
        browser.get(path.as_uri() + fragment)
        WebDriverWait(browser, 60).until(lambda _: self.run("return !!embedding?.on"))

    def run(self, script, *arguments):
        prefix = "const [embedding, volcano, second] = ['embedding', 'volcano', 'second']"
        prefix += ".map(id => document.getElementById(id));"
        return self.browser.execute_script(prefix + script, *arguments)

    def element(self, name):
        return self.browser.find_element(By.ID, name)

    def color_by(self, text, which="color"):
        Select(self.element(which)).select_by_visible_text(text)

    def keys(self, *keys):
        """Press keys, wherever the focus is."""
        ActionChains(self.browser).send_keys(*keys).perform()
        return self.run("return document.activeElement.id")

    def rows(self, name):
        """Rows of a table as text."""
        return [
            [cell.text for cell in row.find_elements(By.CSS_SELECTOR, "th, td")]
            for row in self.element(name).find_elements(By.CSS_SELECTOR, "tbody tr")
        ]

    def search(self, text):
        self.element("search").clear()
        self.element("search").send_keys(text)

    def cells(self, plot="embedding"):
        """Colours of the cells, in the order of the page; None for those behind."""
        traces = self.run(f"return {plot}.data.filter(t => t.customdata?.length)"
                          ".map(t => [t.customdata, t.marker.color])")  # fmt: skip
        colors = [
            (i, color)
            for order, found in traces
            for i, color in zip(order, found if isinstance(found, list) else [None] * len(order))
        ]
        return [color for _, color in sorted(colors)]

    def selected(self):
        """Cells of the page that are selected; None if there is no selection."""
        order, points = self.run(
            "const {customdata, selectedpoints} = embedding.data[0];"
            "return [customdata, selectedpoints]"
        )
        return points and sorted(order[i] for i in points)

    def legend(self):
        return [trace["name"] for trace in self.run(
            "return embedding.data.slice(1).map(t => ({name: t.name}))")]  # fmt: skip

    def title(self):
        return self.run("return embedding.layout.title.text").replace("<br>", " ")

    def title_drawn(self):
        return self.run("return embedding.querySelector('.gtitle').textContent")

    def legend_drawn(self):
        return self.run(
            "return [...embedding.querySelectorAll('.legendtext')].map(t => t.textContent)"
        )

    def errors(self):
        return [entry for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture
def page(small_run, browser):
    return Page(browser, small_run / RESULTS / "explore.html")


@pytest.fixture(scope="module")
def drawn(small_run):
    """Rows of the data in the page's order of cells."""
    n = len(pd.read_parquet(small_run / RESULTS / "tables/cells.parquet"))
    return np.random.default_rng(0).permutation(n)


def exact(small_run, gene):
    """Smoothed expression in both conditions from the basis and the coefficients."""
    adata = read_h5ad(small_run / RESULTS / "adata.h5ad")
    phi = adata.obsm["kompot_de_Young_to_Old_basis"]
    return [
        phi @ adata[:, gene].varm[f"kompot_de_{condition}_coefficients"][0]
        for condition in ("Young", "Old")
    ]


def number(text):
    return float(text.replace("−", "-"))


def close(found, wanted, span):
    np.testing.assert_allclose(found, wanted, atol=0.01 * span)


def test_cells_are_coloured_by_their_results(page, small_run, drawn, tmp_path):
    cells = pd.read_parquet(small_run / RESULTS / "tables/cells.parquet").iloc[drawn]
    types = read_h5ad(small_run / RESULTS / "adata.h5ad").obs["cell_type"].value_counts()
    assert page.browser.title == "Old against Young (Age) · small"
    assert page.element("title").text.split("\n")[0] == (
        "Old against Young (Age) small · young_vs_old · conventions kompot-0.8"
    )
    order, hover = page.run("const {customdata, hovertext} = embedding.data[0];"
                            "return [customdata, hovertext]")  # fmt: skip
    for i, text in zip(order[:20], hover, strict=False):
        cell = cells.iloc[i]
        lines = text.split("<br>")
        assert lines[0] == f"<b>{cell['cell']}</b>"
        assert f"cell_type: {cell['cell_type']}" in lines
        assert f"abundance: direction: {cell['lfc_direction']}" in lines
    counts = cells["condition"].value_counts()
    others = counts.drop(["Young", "Old"]).sum()
    assert page.legend() == [
        f"Young ({counts['Young']})", f"Old ({counts['Old']})", f"other cells ({others})"
    ]  # fmt: skip
    page.color_by("cell_type")
    assert set(page.legend()) == {f"{name} ({n})" for name, n in types.items()}
    assert len(set(page.cells())) == len(types)
    page.color_by("sample")
    samples = read_h5ad(small_run / RESULTS / "adata.h5ad").obs["sample"].value_counts()
    assert set(page.legend()) == {f"{name} ({n})" for name, n in samples.items()}
    page.color_by("pseudotime")
    times = read_h5ad(small_run / RESULTS / "adata.h5ad").obs["pseudotime"].iloc[drawn]
    np.testing.assert_allclose(page.cells(), times, rtol=1e-3)
    page.color_by("abundance: direction")
    assert page.cells() == [DIRECTION_COLORS[name] for name in cells["lfc_direction"]]
    page.color_by("abundance: log fold change")
    np.testing.assert_allclose(page.cells(), cells["lfc"], rtol=1e-3)
    low, high = page.run("const {cmin, cmax} = embedding.data[0].marker; return [cmin, cmax]")
    assert low == -high
    assert high == pytest.approx(max(0.25, np.percentile(cells["lfc"].abs(), 99)), rel=0.05)
    assert page.title() == "log₂ fold change of cell density, Old / Young"
    page.browser.save_screenshot(str(tmp_path / "abundance.png"))
    assert not page.errors()


def test_a_gene_that_is_searched_is_drawn_on_the_cells(page, small_run, drawn, tmp_path):
    genes = pd.read_parquet(small_run / RESULTS / "tables/genes.parquet")
    best = genes.iloc[0]
    reference, compared = (values[drawn] for values in exact(small_run, best["gene"]))
    page.search(best["gene"])
    assert page.title() == f"{best['gene']}: log fold change, Old − Young (units of the layer)"
    close(page.cells(), compared - reference, np.ptp(compared - reference))
    span = np.ptp(np.concatenate([reference, compared]))
    for name, wanted in (("Young", reference), ("Old", compared)):
        page.color_by(f"smoothed in {name}")
        close(page.cells(), wanted, span)
    shown = page.element("gene").text
    assert shown.startswith(best["gene"])
    change = float(re.search(r"mean log fold change: ([-\d.]+)", shown)[1])
    assert change == pytest.approx(best["mean_lfc"], rel=6e-3)
    assert "called: yes" in shown
    assert page.browser.title.startswith(f"{best['gene']} · Old against Young")
    # Measured expression beside it, of the cells of a condition.
    page.color_by("measured in Old", "beside")
    adata = read_h5ad(small_run / RESULTS / "adata.h5ad")
    values = adata[:, best["gene"]].X.toarray().ravel()[drawn]
    inside = (adata.obs["Age"] == "Old").to_numpy()[drawn]
    found = page.cells("second")
    assert [value is not None for value in found] == inside.tolist()
    measured = [value for value in found if value is not None]
    np.testing.assert_allclose(measured, values[inside], atol=values.max() / 61)
    # The levels of each type, those of the largest change first.
    rows = page.rows("levels")
    types = adata.obs["cell_type"].to_numpy()[drawn]
    assert rows[0][0] == "all cells"
    assert {row[0] for row in rows[1:]} == set(types)
    assert abs(number(rows[1][3])) == max(abs(number(row[3])) for row in rows[1:])
    of_type = inside & (types == rows[1][0])
    assert number(rows[1][2]) == pytest.approx(values[of_type].mean(), abs=0.02)
    # The next gene is coloured the same way.
    other = genes.iloc[-1]["gene"]
    page.search(other.lower())
    close(page.cells(), exact(small_run, other)[1][drawn], span)
    page.search("no such gene\n")
    assert page.element("gene").text == "No gene is named no such gene."
    page.browser.save_screenshot(str(tmp_path / "gene.png"))
    assert not page.errors()


def test_a_gene_that_is_clicked_is_drawn_on_the_cells(page, small_run, drawn):
    genes = pd.read_parquet(small_run / RESULTS / "tables/genes.parquet").set_index("gene")
    called = genes[genes["is_de"]]
    traces = page.run("return volcano.data.map(t => [t.name, t.marker?.color, t.x.length])")
    up, down = (called["mean_lfc"] > 0).sum(), (called["mean_lfc"] <= 0).sum()
    assert traces[:3] == [
        [f"not significant ({len(genes) - len(called)})", DIRECTION_COLORS["neutral"],
         len(genes) - len(called)],
        [f"lower in Old ({down})", DIRECTION_COLORS["down"], down],
        [f"higher in Old ({up})", DIRECTION_COLORS["up"], up],
    ]  # fmt: skip
    # The best gene lies apart: nothing else is under the pointer.
    best = called.index[0]
    x, y = page.run(
        "const {xaxis, yaxis} = volcano._fullLayout, box = volcano.getBoundingClientRect();"
        "return [box.x + xaxis._offset + xaxis.l2p(arguments[0]),"
        "        box.y + yaxis._offset + yaxis.l2p(arguments[1])]",
        float(called["mean_lfc"].iloc[0]),
        float(called["mahalanobis"].iloc[0]),
    )
    pointer = ActionChains(page.browser)
    pointer.w3c_actions.pointer_action.move_to_location(round(x), round(y))
    pointer.perform()
    hover = WebDriverWait(page.browser, 20).until(
        lambda _: page.run("return volcano.querySelector('.hoverlayer .hovertext')?.textContent")
    )
    assert hover.startswith(best)
    pointer.click().perform()
    WebDriverWait(page.browser, 20).until(lambda _: page.element("gene").text.startswith(best))
    reference, compared = exact(small_run, best)
    close(page.cells(), (compared - reference)[drawn], np.ptp(compared - reference))
    assert page.run("return volcano.layout.annotations.map(a => a.text)") == [best]
    assert not page.errors()


def test_the_page_fits_and_keeps_the_data_to_itself(page):
    page.color_by("cell_type")

    def resize(width, height):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
        page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        WebDriverWait(page.browser, 20).until(
            lambda _: page.run("return volcano._fullLayout.width === volcano.clientWidth")
        )
        return page.run(
            "const {scrollWidth, scrollHeight} = document.documentElement;"
            "const box = id => document.getElementById(id).getBoundingClientRect();"
            "return [scrollWidth, scrollHeight, box('embedding'), box('volcano'), box('genes')]"
        )

    wide, high, cells, genes, names = resize(1400, 900)
    assert (wide, high) == (1400, 900)
    assert names["right"] <= cells["left"] < cells["right"] <= genes["left"]
    for width in (999, 420):
        wide, _, cells, genes, names = resize(width, 900)
        assert wide == width
        assert names["bottom"] <= cells["top"] < cells["bottom"] <= genes["top"]
        assert cells["width"] == genes["width"] > width - 40
    buttons = page.run("return [...document.querySelectorAll('.modebar-btn')].map("
                       "b => b.dataset.title)")  # fmt: skip
    assert buttons
    assert not [name for name in buttons if re.search("share|cloud|upload", name, re.I)]
    loaded = page.run("return performance.getEntriesByType('resource').map(e => e.name)")
    assert not [name for name in loaded if not name.startswith(("blob:", "data:"))]


def located_page(browser, tmp_path, fragment=""):
    """A page on which the first gene changes in three of seven blocks, the third nowhere.

    Some cells are in no block. Returns the page, the changes, and the block, type and condition of
    each cell of the page."""
    lfc = np.zeros((3, 7))
    lfc[0, :3], lfc[1, 6] = [1.5, -0.25, 0.75], -2.0
    blocks, drawn = np.arange(80) % 8 - 1, drawn_of(80)
    types, samples = np.resize(["T cell", "B cell"], 80), np.resize(["s1", "s2", "s3"], 80)
    columns = [category_column("type", types, ["B cell", "T cell"], role="cell_type"),
               category_column("animal", samples, ["s1", "s2", "s3"], role="sample")]  # fmt: skip
    text = page_of(called=3, blocks=blocks, found={"genes": np.arange(3), "lfc": lfc},
                   located=LOCATED, columns=columns)  # fmt: skip
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    conditions = np.resize(["a", "b", ""], 80)
    page = Page(browser, tmp_path / "page.html", fragment)
    return page, lfc, blocks[drawn], types[drawn], conditions[drawn]


def test_cells_in_which_a_gene_changes(browser, tmp_path):
    page, lfc, blocks, *_ = located_page(browser, tmp_path)
    choice = "log₂ fold change where it is significant"

    def offered():
        return [option.text for option in Select(page.element("color")).options]

    assert choice not in offered()
    page.search("gene0")
    assert "changes in opposite directions (46% of the cells)" in page.element("gene").text
    page.color_by(choice)
    found = page.run("return embedding.data.map(t => [t.customdata, t.marker.color])")
    (others, grey), (cells, colors) = found
    assert isinstance(grey, str)
    assert sorted(others + cells) == list(range(80))
    np.testing.assert_allclose(colors, lfc[0][blocks[cells]])
    assert set(blocks[others]) == {-1, 3, 4, 5, 6}
    assert page.title().startswith("gene0: log₂ fold change, b / a (normalised counts) Grey:")
    page.browser.save_screenshot(str(tmp_path / "regions.png"))
    # The next gene is coloured the same way, and one without a region by all of its change.
    page.search("gene1")
    cells, colors = page.run("const t = embedding.data[1]; return [t.customdata, t.marker.color]")
    assert set(blocks[cells]) == {6}
    assert set(colors) == {-2.0}
    for name, words in (("gene2", "no region of cells"), ("gene9", "mean log fold change")):
        page.search(name)
        assert page.element("gene").text.removeprefix(name).lstrip().startswith(words)
        assert choice not in offered()
        assert len(page.cells()) == 80
    assert not page.errors()


def test_selected_cells_are_counted_with_the_genes_that_differ_there(browser, tmp_path):
    page, lfc, blocks, types, conditions = located_page(browser, tmp_path)
    assert "Draw around cells" in page.element("selected").text
    page.search("gene0")
    # A type, by its name in the table of the gene.
    page.element("levels").find_element(By.XPATH, ".//button[text()='B cell']").click()
    chosen = types == "B cell"
    assert page.selected() == np.flatnonzero(chosen).tolist()
    rows = page.rows("counts")
    for name in ("a", "b"):
        inside = conditions == name
        row = next(row for row in rows if row[0] == name)
        assert [int(row[1]), int(row[2])] == [(inside & chosen).sum(), inside.sum()]
    assert [row[0] for row in rows[:4]] == ["a", "s1", "b", "s2"]
    weights = np.bincount(blocks[chosen & (conditions != "") & (blocks >= 0)], minlength=7)
    means, shares = lfc @ weights / weights.sum(), (lfc != 0) @ weights / weights.sum()
    genes = rows[4:]
    order = [g for g in np.argsort(-np.abs(means)) if shares[g] >= 0.1]
    assert [row[0] for row in genes] == [f"gene{g}" for g in order]
    assert [number(row[1]) for row in genes] == pytest.approx(means[order], abs=0.006)
    assert [row[2] for row in genes] == [f"{100 * share:.0f} %" for share in shares[order]]
    selected = page.rows("levels")[0]
    assert selected[0] == "selected cells"
    assert number(selected[4]) == pytest.approx(means[0], abs=0.006)
    # A gene of the list is drawn; cells in a shape that is drawn take the place of the type.
    page.element("counts").find_element(By.XPATH, f".//button[text()='gene{order[0]}']").click()
    assert page.element("gene").text.startswith(f"gene{order[0]}")
    box = page.run("const {x, y, width, height} = embedding.querySelector('.nsewdrag')"
                   ".getBoundingClientRect(); return [x, y, width, height]")  # fmt: skip
    left, top, width, height = map(round, box)
    path = [(left + 2, top + 2), (left + width // 2, top + 2),
            (left + width // 2, top + height - 2), (left + 2, top + height - 2),
            (left + 2, top + 2)]  # fmt: skip
    actions = ActionChains(page.browser)
    pointer = actions.w3c_actions.pointer_action
    pointer.move_to_location(*path[0]).pointer_down()
    for x, y in path[1:]:
        pointer.move_to_location(x, y)
    pointer.pointer_up()
    actions.perform()
    WebDriverWait(page.browser, 20).until(
        lambda _: page.run("return document.getElementById('select').value") == "area"
    )
    order, x, middle = page.run(
        "const {customdata, x} = embedding.data[0], {range} = embedding._fullLayout.xaxis;"
        "return [customdata, x, (range[0] + range[1]) / 2]"
    )
    # But for cells at the very edge.
    clear = {
        i: value < middle
        for i, value in zip(order, x, strict=True)
        if abs(value - middle) > 0.02 * np.ptp(x)
    }
    assert set(page.selected()) & set(clear) == {i for i, is_left in clear.items() if is_left}
    Select(page.element("select")).select_by_visible_text("none")
    assert page.selected() is None
    assert not page.errors()


def test_a_view_is_shared_by_its_address(browser, tmp_path):
    page, *_ = located_page(browser, tmp_path)
    page.search("gene1")
    page.color_by("smoothed in b")
    page.color_by("measured in a", "beside")
    page.element("names").click()
    page.run("embedding.focus()")
    page.keys("+", Keys.ARROW_LEFT)
    Select(page.element("select")).select_by_visible_text("those in view")

    def view():
        look = "const {{xaxis, yaxis}} = {}._fullLayout; return [...xaxis.range, ...yaxis.range]"
        plots = ("embedding", "second")
        return {
            "gene": page.element("gene").text,
            "cells": page.cells(),
            "second": page.cells("second"),
            "selected": page.selected(),
            "counts": page.rows("counts"),
            "views": [page.run(look.format(plot)) for plot in plots],
            "names": page.run("return embedding.layout.annotations.length"),
        }

    wanted, address = view(), browser.current_url
    assert 0 < len(wanted["selected"]) < 80
    assert wanted["names"] == 0
    assert wanted["views"][0] == wanted["views"][1]
    browser.get("about:blank")
    page = Page(browser, tmp_path / "page.html", address[address.index("#") :])
    assert view() == wanted
    # Another address on the open page.
    page.run("location.hash = '#gene=gene0'")
    WebDriverWait(browser, 20).until(lambda _: page.element("gene").text.startswith("gene0"))
    assert page.selected() is None
    # Nonsense, or what another page has, does not stop this one.
    for fragment in (
        "#gene=nothing&left=cell+99&beside=gene+where&cells=7+7&area=1+2&view=a+b+c+d",
        "#%%%&cells=0+9&gene=%3Cscript%3E",
    ):
        browser.get("about:blank")
        page = Page(browser, tmp_path / "page.html", fragment)
        assert page.selected() is None
        assert page.element("gene").text.startswith("Choose a gene")
        assert len(page.cells()) == 80
    assert not page.errors()


def test_the_page_is_used_by_keys_alone(browser, tmp_path):
    page, _, _, types, _ = located_page(browser, tmp_path)
    reached = [page.keys(Keys.TAB) for _ in range(60)]
    controls = ["search", "genes", "color", "names", "embedding", "beside", "volcano", "select"]
    assert [name for name in dict.fromkeys(reached) if name in controls] == controls
    page.run("document.getElementById('search').focus()")
    page.keys("gene3")
    assert page.element("gene").text.startswith("gene3")
    # The list has what was searched for, and keys walk through it.
    page.keys(Keys.ARROW_DOWN)
    listed = [option.text[2:] for option in Select(page.element("genes")).options]
    assert listed == ["gene3", *(f"gene3{i}" for i in range(10))]
    assert page.keys(Keys.ARROW_DOWN) == "genes"
    assert page.element("gene").text.startswith("gene30")
    page.keys(Keys.ARROW_UP)
    assert page.element("gene").text.startswith("gene3 ")
    assert page.run("return volcano.layout.annotations[0].text") == "gene3"
    # Zoom, and back.
    before = page.run("return embedding._fullLayout.xaxis.range")
    page.run("embedding.focus()")
    page.keys("+")
    low, high = page.run("return embedding._fullLayout.xaxis.range")
    assert before[0] < low < high < before[1]
    page.keys("0")
    assert page.run("return embedding._fullLayout.xaxis.range") == pytest.approx(before)
    # A type is selected, and the first gene that differs there chosen.
    page.run("document.getElementById('select').focus()")
    # Past none, those in view, and both conditions.
    page.keys(*[Keys.ARROW_DOWN] * 5)
    assert page.selected() == np.flatnonzero(types == "T cell").tolist()
    page.keys(Keys.TAB)
    page.keys(Keys.ENTER)
    assert page.element("gene").text.startswith("gene0")
    assert not page.errors()


# Text whose contrast with what is behind it is too low, and controls without a name.
AUDIT = """
const rgba = s => s.match(/[\\d.]+/g).map(Number);
const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const faults = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement, style = getComputedStyle(element);
  const drawn = element.getClientRects().length && style.visibility !== "hidden";
  if (!walker.currentNode.data.trim() || !drawn || element.closest("script, style")) continue;
  let behind = element, back = [255, 255, 255];
  for (; behind; behind = behind.parentElement) {
    const color = rgba(getComputedStyle(behind).backgroundColor);
    if (color[3] !== 0) { back = color; break; }
  }
  const plot = element.closest(".plot");
  if (plot) back = [232, 232, 232];
  const [a, b] = [light(rgba(plot ? style.fill : style.color)), light(back)].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) faults.push(`${walker.currentNode.data}: ${ratio.toFixed(1)}`);
}
for (const control of document.querySelectorAll("input, select, button, [role=application]"))
  if (!control.labels?.length && !control.ariaLabel && !control.textContent.trim())
    faults.push(control.outerHTML);
const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
faults.push(...twice.filter(id => !document.getElementById(id).closest(".plot")));
return faults;
"""


@pytest.mark.parametrize("width", [1280, 420])
def test_text_is_legible_and_controls_have_names(browser, tmp_path, width):
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page, *_ = located_page(browser, tmp_path, "#gene=gene0&cells=1+0&left=gene+where")
    assert page.run(AUDIT) == []
    page.color_by("measured in b", "beside")
    page.color_by("type")
    assert page.run(AUDIT) == []
    page.browser.save_screenshot(str(tmp_path / "audit.png"))
    # The audit finds what is wrong.
    page.run("document.getElementById('notes').style.color = '#909090';"
             "document.querySelector('label[for=search]').remove()")  # fmt: skip
    assert len(page.run(AUDIT)) == 2
    assert not page.errors()


def test_names_of_types_are_on_their_cells(browser, tmp_path):
    page, _, _, types, _ = located_page(browser, tmp_path)
    tags = page.run("return embedding.layout.annotations.map(a => [a.text, a.x, a.y])")
    assert {name for name, *_ in tags} <= {"B cell", "T cell"}
    assert tags
    order, x, y = page.run(
        "const {customdata, x, y} = embedding.data[0]; return [customdata, x, y]"
    )
    for name, *place in tags:
        of_type = types[order] == name
        assert place in np.column_stack([x, y])[of_type].tolist()
    page.element("names").click()
    assert page.run("return embedding.layout.annotations.length") == 0
    page.element("names").click()
    # Of sixty types those are named that do not cover each other.
    many = [f"type {i:02} of many" for i in range(60)]
    column = category_column("type", np.resize(many, 80), many, role="cell_type")
    (tmp_path / "many.html").write_text(page_of(columns=[column]), encoding="utf-8")
    page = Page(browser, tmp_path / "many.html", "#gene=gene0&left=cell+1")
    assert 3 < page.run("return embedding.layout.annotations.length") < 60
    assert len(page.rows("levels")) == 61
    page.browser.save_screenshot(str(tmp_path / "many.png"))
    assert not page.errors()


@pytest.mark.parametrize("called", [0, 1])
def test_one_gene_and_nothing_but_conditions(browser, tmp_path, called):
    text = page_of(genes=1, called=called, columns=[])
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    page = Page(browser, tmp_path / "page.html")
    page.search("gene0")
    assert [row[0] for row in page.rows("levels")] == ["all cells"]
    page.color_by("measured in a", "beside")
    inside = np.resize([True, False, False], 80)[drawn_of(80)]
    exact = measured_of(80, 1).toarray()[drawn_of(80), 0]
    found = np.array(page.cells("second"), dtype=float)
    np.testing.assert_allclose(found[inside], exact[inside], atol=exact.max() / 61)
    assert np.isnan(found[~inside]).all()
    Select(page.element("select")).select_by_visible_text("b")
    assert [row[:3] for row in page.rows("counts")] == [["a", "0", "27"], ["b", "27", "27"]]
    assert "fdr.test: residual" in page.element("counts").text
    assert not page.element("tags").is_displayed()
    assert not page.errors()


def test_names_are_shown_and_never_run(browser, tmp_path):
    category = category_column(HOSTILE[0], np.resize(HOSTILE, 80), HOSTILE, role="cell_type")
    value = value_column(HOSTILE[1], np.arange(80.0), HOSTILE[2], signed=True)
    text = page_of(
        names=HOSTILE, columns=[category, value], dataset=HOSTILE[1], contrast=HOSTILE[2],
        conditions=HOSTILE[:2], column=HOSTILE[4], axis_names=HOSTILE[:2],
    )  # fmt: skip
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    page = Page(browser, tmp_path / "page.html")
    assert page.element("title").text.startswith(
        f"{HOSTILE[1]} against {HOSTILE[0]} ({HOSTILE[4]})"
    )
    page.color_by(HOSTILE[0])
    assert page.legend_drawn()[0] == f"{HOSTILE[0][:23]}… (8)"
    page.color_by(HOSTILE[1])
    assert page.title_drawn() == HOSTILE[2]
    phi, reference, compared = problem(80, 40)
    change = phi[drawn_of(80)] @ (compared - reference).T
    for i, name in enumerate(HOSTILE):
        # As if pasted: a key stands for a line separator.
        page.run(
            "const search = document.getElementById('search'); search.value = arguments[0];"
            "search.dispatchEvent(new Event('input'))",
            name,
        )
        shown = page.element("gene").find_element(By.TAG_NAME, "b")
        assert shown.get_attribute("title") == name
        close(page.cells(), change[:, i], np.ptp(change[:, i]))
        assert page.title_drawn().startswith(name if len(name) <= 30 else f"{name[:29]}…")
    page.browser.save_screenshot(str(tmp_path / "hostile.png"))
    assert page.run("return window.hacked") is None
    assert not page.errors()
