"""The HTML report, opened from a file in a browser without a network."""

import json
import re
import shutil
import time

import numpy as np
import pandas as pd
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

RESULTS = "results/small/young_vs_old"
GENES = 20_000
HOSTILE = [
    "<script>top.hacked = 1</script>",
    "</script><img src=x onerror='top.hacked = 1'>",
    "<!--<script>",
    "a\"b'c\\d&amp; <b>µ 基因</b>",
    "x" * 1000,
]


@pytest.fixture(scope="module")
def report(small_run, tmp_path_factory, snakemake_run, small_config):
    """Report of a run with many genes, some of them with names that are no names."""
    directory = tmp_path_factory.mktemp("report") / "run"
    shutil.copytree(small_run, directory, symlinks=True)
    path = directory / RESULTS / "tables/genes.parquet"
    genes = pd.read_parquet(path)
    genes = pd.concat([genes] * (GENES // len(genes)), ignore_index=True)
    genes["gene"] = [*HOSTILE, *(f"Gene{i:05}" for i in range(len(HOSTILE), GENES))]
    # All different in the digits that are shown.
    genes["mean_lfc"] = (np.random.default_rng(0).permutation(GENES) - GENES // 2) / 1000
    genes.to_parquet(path, index=False)
    (directory / RESULTS / "figures/condition.png").unlink()
    done = snakemake_run(directory, "report", configfile=small_config)
    assert re.findall(r"^ *(?:local)?rule (\w+):$", done.stdout, re.M).count("plot_condition") == 1
    assert "expression_fit:" not in done.stdout
    return directory / "results/small/report.html"


@pytest.fixture(scope="module")
def genes(report):
    return pd.read_parquet(report.parent / "young_vs_old/tables/genes.parquet")


@pytest.fixture
def browser(browser, report):
    """The browser with the report, in which no error and no script of the data may show."""
    browser.get(report.as_uri())
    shown(browser, "//main[@id='summary']")
    yield browser
    found = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    hacked = browser.execute_script("return window.hacked")
    assert not found
    assert hacked is None


def wait(browser, condition):
    """What a condition gives, once it is true."""
    return WebDriverWait(browser, 30).until(lambda _: condition())


def shown(browser, xpath):
    def visible():
        return [found for found in browser.find_elements(By.XPATH, xpath) if found.is_displayed()]

    return wait(browser, visible)


def follow(browser, *entries):
    """Leave the summary, and click these entries of the menu."""
    browser.execute_script("location.hash = '#all'")
    for entry in entries:
        shown(browser, f"//a[normalize-space()='{entry}']")[0].click()


def button(browser, result, number):
    shown(browser, f"//tr[td[1]='{result}']//a")[number].click()


def enter_page(browser):
    browser.switch_to.frame(shown(browser, "//iframe")[0])


def rows(browser):
    """Text of the cells of the table, read at once: the table may be drawn anew meanwhile."""
    return browser.execute_script(
        "return [...document.querySelectorAll('#table tbody tr')].map("
        "  row => [...row.cells].map(cell => cell.innerText))"
    )


def test_one_file(report):
    html = report.read_text()
    assert not re.search(r"<(script|link|img|iframe)\b[^>]*\b(src|href)=.?(https?:|/)", html)
    # What comes from data is never markup of the report.
    data = re.search(r"^ *var results = (\{.*\});$", html, re.M).group(1)
    assert "<" not in data
    results = json.loads(data)
    assert all(result["caption"] for result in results.values())
    assert f"{RESULTS}/figures/expression_volcano.png" in results


def texts(browser, xpath):
    return [found.text for found in shown(browser, xpath)]


def test_the_summary_comes_first(browser, report):
    summary = json.loads((report.parent / "young_vs_old/summary.json").read_text())
    text = shown(browser, "//main[@id='summary']")[0].text
    assert not [app for app in browser.find_elements(By.ID, "app") if app.is_displayed()]
    cells = summary["cells"]
    assert f"{cells['compared']} cells of Old were compared with {cells['reference']}" in text
    assert "No samples are given, so that cells count as independent" in text
    assert re.search(r"of 20,000 genes change \([\d,]+ higher and [\d,]+ lower in Old", text)
    assert "False discovery rate below 5 %" in text
    figures = shown(browser, "//main//figure//img")
    assert len(figures) == 4
    for image in figures:
        wait(browser, lambda image=image: int(image.get_property("naturalWidth")) > 600)


def test_the_summary_lists_genes_and_types(browser, genes):
    first = texts(browser, "//main//table[.//th='Gene']//tbody//td[1]")
    called = genes["gene"][genes["is_de"]]
    assert first == [name.strip() for name in called[:12]]
    types = texts(browser, "//main//table[.//th='Cell type']//tbody//td[1]")
    assert "HSC" in types


def test_warnings_come_with_their_meaning(browser, report):
    summary = json.loads((report.parent / "young_vs_old/summary.json").read_text())
    assert summary["warnings"]
    headings = shown(browser, "//main//details[@class='warning']/summary")
    assert [found.text for found in headings] == [one["text"] for one in summary["warnings"]]
    headings[0].click()
    assert shown(browser, "//main//details[1]//p[starts-with(., 'Meaning.')]")


def test_the_summary_leads_to_all_else(browser, report):
    explorer = shown(browser, "//main//a[.='Explorer']")[0]
    assert explorer.get_property("href") == (report.parent / "young_vs_old/explore.html").as_uri()
    assert (report.parent / "young_vs_old/explore.html").is_file()
    shown(browser, "//main//a[.='Table of genes']")[0].click()
    wait(browser, lambda: len(browser.window_handles) == 2)
    browser.switch_to.window(browser.window_handles[1])
    wait(browser, lambda: browser.title == "Genes: young_vs_old")
    browser.switch_to.window(browser.window_handles[0])
    shown(browser, "//main//a[.='All figures']")[0].click()
    follow(browser, "Abundance")
    shown(browser, "//a[@id='to-summary']")[0].click()
    assert shown(browser, "//main[@id='summary']")


@pytest.mark.parametrize("page", ["report.html", "report.html#all", "contrasts.html"])
def test_narrow_screens_cut_nothing(browser, report, page):
    size = {"width": 420, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get("about:blank")
    browser.get(f"{report.parent.as_uri()}/{page}")
    wait(browser, lambda: browser.execute_script("return document.readyState") == "complete")
    time.sleep(1)
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= 420


def test_the_table_of_contrasts_begins_with_what_was_called(browser, report):
    browser.get((report.parent / "contrasts.html").as_uri())
    wait(browser, lambda: rows(browser))
    header = texts(browser, "//th[contains(@class, 'dt-orderable')]")
    called = ["Contrast", "Reference", "Compared", "Genes called", "Genes up", "Genes down"]
    assert [" ".join(name.split()) for name in header][:6] == called
    last = browser.find_element(By.XPATH, "//th[.='First genes']").rect
    assert last["x"] + last["width"] <= 1280
    assert "Degrees of freedom in the reference" in texts(browser, "//*[@class='diagnostics']//th")


def test_figure_with_caption(browser):
    browser.execute_script("location.hash = '#all'")
    first = shown(browser, "//div[@id='app']")[0].text
    assert "Old against Young" in first
    assert "No gene list left this machine" in first
    assert "enrichment.provider: local" in first
    follow(browser, "young_vs_old", "Expression")
    button(browser, "Volcano of genes", 0)
    image = shown(browser, "//img[starts-with(@src, 'blob:')]")[0]
    wait(browser, lambda: int(image.get_property("naturalWidth")) > 600)
    button(browser, "Volcano of genes", 1)
    assert shown(browser, "//p[contains(., 'Every point is a gene') and contains(., 'Young')]")


def test_gene_table(browser, genes, tmp_path):
    follow(browser, "young_vs_old", "Tables")
    start = time.monotonic()
    button(browser, "Table of genes", 0)
    enter_page(browser)
    wait(browser, lambda: len(rows(browser)) == 25)
    print(f"{GENES} genes shown after {time.monotonic() - start:.1f} s")
    first = rows(browser)
    assert [row[0] for row in first[: len(HOSTILE)]] == HOSTILE
    assert "20,000 entries" in browser.find_element(By.TAG_NAME, "body").text
    assert all(re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", value) for value in first[0][1:3])

    header = shown(browser, "//th[contains(., 'Mean log fold change')]")[0]
    for ascending in (True, False):
        header.click()
        wanted = genes.sort_values("mean_lfc", ascending=ascending)[:25]
        wait(browser, lambda wanted=wanted: rows(browser)[0][0] == wanted["gene"].iloc[0])
        values = [float(row[1]) for row in rows(browser)]
        np.testing.assert_allclose(values, wanted["mean_lfc"], rtol=1e-3)

    search = shown(browser, "//input[@type='search']")[0]
    search.send_keys("Gene01234")
    wait(browser, lambda: [row[0] for row in rows(browser)] == ["Gene01234"])
    search.send_keys(Keys.CONTROL, "a")
    search.send_keys("<script>top")
    wait(browser, lambda: [row[0] for row in rows(browser)] == HOSTILE[:1])
    browser.switch_to.default_content()
    picture = tmp_path / "gene_table.png"
    assert browser.save_screenshot(str(picture))
    assert picture.stat().st_size > 20_000


def test_methods(browser, report):
    follow(browser, "young_vs_old", "Methods")
    button(browser, "Methods, versions, papers to cite", 0)
    enter_page(browser)
    text = shown(browser, "//body")[0].text
    summary = json.loads((report.parent / "young_vs_old/summary.json").read_text())
    for package, version in summary["versions"].items():
        assert f"{package} {version}" in text
    fit, cells = summary["expression"], summary["cells"]
    assert f"{cells['compared']} cells of Old" in text
    assert f"rank {fit['rank']}" in text
    assert f"{fit['n_de']} of {fit['genes']} genes were called" in text
    assert "300 null genes" in text
    assert "null_genes: 300" in text
    for doi in ("10.1101/2025.06.03.657769", "10.1038/s41592-024-02302-w"):
        assert f"doi:{doi}" in text
    assert "no gene list left the machine" in text
    assert "set enrichment.provider to local" in text
    # The embedding is in the data, and no p-values are combined.
    assert "UMAP" not in text
    assert "Benjamini" not in text


def test_runtime_statistics(browser):
    follow(browser, "Statistics")
    labels = shown(browser, "//*[name()='svg' or name()='canvas']")
    assert labels
    runtimes = browser.execute_script("return runtimes_spec.data.values")
    assert {"expression_fit", "gene_page"} <= {row["rule"] for row in runtimes}
    assert all(row["runtime"] > 0 for row in runtimes)
