"""The page to explore a contrast, opened from a file in a browser without a network."""

import re

import numpy as np
import pandas as pd
import pytest
from anndata.io import read_h5ad
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait
from statediff.plots.explore import category_column, value_column
from statediff.provenance import DIRECTION_COLORS
from test_page import HOSTILE, LOCATED, page_of, problem

RESULTS = "results/small/young_vs_old"


class Page:
    """What is drawn on an open page, and how a user changes it."""

    def __init__(self, browser, path):
        self.browser = browser
        browser.get(path.as_uri())
        WebDriverWait(browser, 60).until(lambda _: self.run("return !!embedding.data?.length"))

    def run(self, script, *arguments):
        prefix = "const [embedding, volcano] = ['embedding', 'volcano']"
        prefix += ".map(id => document.getElementById(id));"
        return self.browser.execute_script(prefix + script, *arguments)

    def element(self, name):
        return self.browser.find_element(By.ID, name)

    def color_by(self, text):
        Select(self.element("color")).select_by_visible_text(text)

    def search(self, text):
        self.element("search").clear()
        self.element("search").send_keys(text)

    def cells(self):
        """Colours of the cells, in the order of the page."""
        order, colors = self.run("const {customdata, marker} = embedding.data[0];"
                                 "return [customdata, marker.color]")  # fmt: skip
        return [color for _, color in sorted(zip(order, colors, strict=True))]

    def legend(self):
        return [trace["name"] for trace in self.run(
            "return embedding.data.slice(1).map(t => ({name: t.name}))")]  # fmt: skip

    def title(self):
        return self.run("return embedding.layout.title.text")

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


def close(found, wanted, span):
    np.testing.assert_allclose(found, wanted, atol=0.01 * span)


def test_cells_are_coloured_by_their_results(page, small_run, drawn, tmp_path):
    cells = pd.read_parquet(small_run / RESULTS / "tables/cells.parquet").iloc[drawn]
    types = read_h5ad(small_run / RESULTS / "adata.h5ad").obs["cell_type"].value_counts()
    assert page.browser.title == "small · young_vs_old"
    assert page.element("title").text.endswith("Old against Young (Age), conventions kompot-0.8")
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
    assert high == pytest.approx(np.percentile(cells["lfc"].abs(), 99), rel=0.05)
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
    for width, height in ((1280, 800), (1000, 700)):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        WebDriverWait(page.browser, 20).until(
            lambda _, width=width: page.run("return volcano._fullLayout.width") < width / 2
        )
        root = page.run(
            "const {scrollWidth, scrollHeight} = document.documentElement;"
            "return [scrollWidth, scrollHeight]"
        )
        assert root == [width, height]
    buttons = page.run("return [...document.querySelectorAll('.modebar-btn')].map("
                       "b => b.dataset.title)")  # fmt: skip
    assert buttons
    assert not [name for name in buttons if re.search("share|cloud|upload", name, re.I)]
    loaded = page.run("return performance.getEntriesByType('resource').map(e => e.name)")
    assert not [name for name in loaded if not name.startswith(("blob:", "data:"))]


def test_cells_in_which_a_gene_changes(browser, tmp_path):
    # The first gene changes in three of seven blocks, the third nowhere; some cells are in none.
    lfc = np.zeros((3, 7))
    lfc[0, :3], lfc[1, 6] = [1.5, -0.25, 0.75], -2.0
    blocks = np.arange(80) % 8 - 1
    text = page_of(blocks=blocks, block_lfc=lfc, located=LOCATED)
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    page = Page(browser, tmp_path / "page.html")
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
    assert page.title().startswith("gene0: log₂ fold change, b / a (normalised counts)<br>Grey:")
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


def test_names_are_shown_and_never_run(browser, tmp_path):
    category = category_column(HOSTILE[0], np.resize(HOSTILE, 80), HOSTILE)
    value = value_column(HOSTILE[1], np.arange(80.0), HOSTILE[2], signed=True)
    text = page_of(
        names=HOSTILE, columns=[category, value], dataset=HOSTILE[1], contrast=HOSTILE[2],
        conditions=HOSTILE[:2], described=HOSTILE[4], axis_names=HOSTILE[:2],
    )  # fmt: skip
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    page = Page(browser, tmp_path / "page.html")
    assert page.element("title").text.startswith(f"{HOSTILE[1]} · {HOSTILE[2]}")
    assert page.legend_drawn()[0] == f"{HOSTILE[0][:23]}… (8)"
    page.color_by(HOSTILE[1])
    assert page.title_drawn() == HOSTILE[2]
    phi, reference, compared = problem(80, 40)
    change = phi @ (compared - reference).T
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
