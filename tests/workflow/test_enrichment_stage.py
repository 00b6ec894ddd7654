"""Enrichment in the workflow: STRING as a server on this machine, files, and nothing at all."""

import json
import re
import shutil
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest
import yaml
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from statediff.enrichment import COLUMNS
from string_server import StringServer
from support import serving

RESULTS = "results/small/young_vs_old"
HOSTILE = [
    "../../x", "a;rm -rf ~", "<script>window.hacked = 1</script>", "%0d", "g" * 1000, "Gène-基因",
]  # fmt: skip
TERMS = ["<img src=x onerror='window.hacked = 1'>", "KEGG:1", "GO:2"]


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """No proxy between the workflow and a server on this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="module")
def hostile_run(small_run, tmp_path_factory):
    """A run in which called genes, up and down, have names that are no names."""
    directory = tmp_path_factory.mktemp("hostile") / "run"
    shutil.copytree(small_run, directory, symlinks=True)
    path = directory / RESULTS / "tables/genes.parquet"
    genes = pd.read_parquet(path)
    called = np.flatnonzero(genes["is_de"])[: len(HOSTILE)]
    assert len(called) == len(HOSTILE)
    genes.loc[genes.index[called], "gene"] = HOSTILE
    genes.loc[genes.index[-1], "gene"] = "Gene001\rGene002"
    genes.to_parquet(path, index=False)
    return directory


@pytest.fixture
def genes(hostile_run):
    return pd.read_parquet(hostile_run / RESULTS / "tables/genes.parquet")


@pytest.fixture
def server(genes):
    known = [name for name in genes["gene"] if "\r" not in name][:-5]
    terms = {TERMS[0]: known[:12], TERMS[1]: known[5:90], TERMS[2]: known[::3]}
    with serving(StringServer(known, terms)) as server:
        yield server
    assert not server.faults


@pytest.fixture
def snakemake(snakemake_run, small_config, tmp_path):
    """Run targets with some settings of enrichment."""

    def run(directory, *arguments, check=True, **enrichment):
        path = tmp_path / "enrichment.yaml"
        path.write_text(yaml.safe_dump({"enrichment": enrichment}))
        return snakemake_run(directory, *arguments, configfile=[small_config, path], check=check)

    return run


def read(directory, name):
    return pd.read_csv(directory / RESULTS / f"tables/{name}.tsv", sep="\t")


def jobs(done):
    return re.findall(r"^ *(?:local)?rule (\w+):$", done.stdout, re.M)


def test_string(hostile_run, tmp_path, server, snakemake, genes, browser):
    directory = tmp_path / "run"
    shutil.copytree(hostile_run, directory, symlinks=True)
    before = {path for path in tmp_path.rglob("*") if RESULTS.split("/")[0] not in path.parts}
    settings = {"provider": "string", "api_url": server.url, "species": server.species}
    done = snakemake(directory, "enrichment", "all", **settings)
    made = {"string_enrichment", "string_network", "plot_enrichment", "enrichment_page"}
    assert made <= set(jobs(done))
    tables = directory / RESULTS / "tables"
    info = json.loads((tables / "enrichment.json").read_text())
    called = {
        "all": genes[genes["is_de"]],
        "up": genes[genes["is_de"] & (genes["mean_lfc"] > 0)],
        "down": genes[genes["is_de"] & (genes["mean_lfc"] < 0)],
    }

    # What was asked, and how.
    assert min(server.pauses()) >= 1.0
    asked = [entry for entry in server.asked if entry["method"] == "get_string_ids"]
    assert [entry["query"]["identifiers"].split("\r") for entry in asked] == [
        sorted(name for name in genes["gene"] if "\r" not in name)
    ]
    background = [server.identifier(name) for name in genes["gene"] if name in server.genes]
    asked = [entry["query"] for entry in server.asked if entry["method"] == "enrichment"]
    for query, members in zip(asked, called.values(), strict=True):
        wanted = sorted(server.identifier(name) for name in members["gene"])
        assert query["identifiers"].split("\r") == wanted
        assert query["background_string_identifiers"].split("\r") == sorted(background)
    assert server.methods().count("ppi_enrichment") == 3

    # What came of it.
    table = read(directory, "enrichment")
    assert list(table.columns) == COLUMNS
    assert set(table["gene_set"]) == {"all", "up", "down"}
    assert table["fdr"].is_monotonic_increasing
    members = table["gene_set"].map({name: len(rows) for name, rows in called.items()})
    expected = members * table["number_of_genes_in_background"] / len(background)
    np.testing.assert_allclose(table["expected"], expected)
    np.testing.assert_allclose(table["strength"], np.log10(table["number_of_genes"] / expected))
    unmapped = pd.read_csv(tables / "unmapped_genes.tsv", sep="\t", lineterminator="\n")
    missing = [name for name in genes["gene"] if name not in server.genes]
    # Line breaks within a name are blanks in a TSV.
    assert list(unmapped["gene"]) == [name.replace("\r", " ") for name in missing]
    assert "Gene001\rGene002" in missing
    assert info["unmapped_genes"] == len(missing)
    for name, rows in called.items():
        query = parse_qs(urlsplit(info["gene_sets"][name]["link"]).query)
        assert query["identifiers"][0].split("\r") == list(rows["gene"])
        assert info["gene_sets"][name]["ppi_enrichment"]["p_value"] == 0.0125
    drawing = (directory / RESULTS / "figures/network.svg").read_text()
    assert "<path" in drawing
    assert "script" not in drawing

    # Names of genes and terms name no file, and are text in the page.
    new = {path for path in tmp_path.rglob("*") if RESULTS.split("/")[0] not in path.parts}
    assert {path.name for path in new - before} <= {"enrichment.yaml"} | {
        path.name for path in (directory / ".snakemake").rglob("*")
    }
    browser.get((tables / "enriched_terms.html").as_uri())
    WebDriverWait(browser, 30).until(
        lambda _: len(browser.find_elements(By.CSS_SELECTOR, "#table tbody tr")) == len(table)
    )
    text = browser.find_element(By.TAG_NAME, "body").text
    assert TERMS[0] in text
    assert f"Gene names were sent to STRING ({server.url})" in text
    links = browser.find_elements(By.LINK_TEXT, "Open on STRING's page")
    assert [link.get_attribute("href") for link in links] == [
        members["link"] for members in info["gene_sets"].values()
    ]
    assert browser.execute_script("return window.hacked") is None

    # All again asks nothing; another filter neither; a drawing that cannot be had is drawn here.
    server.asked.clear()
    done = snakemake(
        directory, "enrichment", "--forcerun", "string_enrichment", **settings,
        categories=["KEGG"],
    )  # fmt: skip
    assert {"string_enrichment", "string_network"} <= set(jobs(done))
    assert not server.asked
    assert set(read(directory, "enrichment")["category"]) == {"KEGG"}
    for path in (directory / "results/small/string").glob("*.svg"):
        path.unlink()
    server.trouble["svg/network"] = ["<html>too busy</html>"]
    snakemake(directory, "enrichment", "--forcerun", "string_network", **settings)
    assert server.methods() == ["network", "network"]
    drawing = (directory / RESULTS / "figures/network.svg").read_text()
    assert "matplotlib" in drawing
    assert "&lt;script" in drawing
    assert "<script" not in drawing


def test_a_server_that_is_down_stops_nothing_else(small_copy, server, snakemake):
    settings = {"provider": "string", "api_url": server.url, "species": server.species}
    server.trouble["tsv/get_string_ids"] = [404] * 9
    (small_copy / RESULTS / "figures/condition.png").unlink()
    done = snakemake(small_copy, "all", "report", "--keep-going", check=False, **settings)
    assert done.returncode != 0
    message = "Error (string_enrichment): enrichment: STRING's get_string_ids at http://127.0.0.1"
    assert message in done.stdout
    assert "status 404" in done.stdout
    assert {"plot_condition", "report"} <= set(jobs(done))
    assert (small_copy / RESULTS / "figures/condition.png").is_file()
    report = small_copy / "results/small/report.html"
    assert "enrichment.png" not in report.read_text()
    methods = (small_copy / RESULTS / "methods.html").read_text()
    assert re.search(r"names of the called\s+genes and, as the background, of all", methods)

    # A good day later the report has it.
    server.trouble.clear()
    done = snakemake(small_copy, "enrichment", **settings)
    assert "string_enrichment" in jobs(done)
    snakemake(small_copy, "report", **settings)
    html = report.read_text()
    for name in ("figures/enrichment.png", "figures/network.svg", "tables/enriched_terms.html"):
        assert f"{RESULTS}/{name}" in html

    # Of another provider, its words would be untrue.
    (small_copy / "sets.gmt").write_text("set\t\tGene001\tGene002\n")
    snakemake(small_copy, "report", provider="local", gmt=["sets.gmt"])
    assert f"{RESULTS}/figures/enrichment.png" not in report.read_text()


def test_too_few_genes_are_an_empty_table(small_copy, server, snakemake):
    path = small_copy / RESULTS / "tables/genes.parquet"
    table = pd.read_parquet(path)
    table["is_de"] = np.arange(len(table)) == 20
    table.to_parquet(path, index=False)
    settings = {"provider": "string", "api_url": server.url, "species": server.species}
    snakemake(small_copy, "enrichment", **settings)
    # Without a question no name leaves this machine.
    assert not server.asked
    assert list(read(small_copy, "enrichment").columns) == COLUMNS
    assert read(small_copy, "enrichment").empty
    log = (small_copy / "results/small/logs/young_vs_old/string_enrichment.log").read_text()
    assert "all: 1 genes, at least 2 are needed" in log
    assert (small_copy / RESULTS / "figures/enrichment.pdf").is_file()
    assert "no association" in (small_copy / RESULTS / "figures/network.svg").read_text()
    page = (small_copy / RESULTS / "tables/enriched_terms.html").read_text()
    assert "were sent to STRING" not in page


def test_the_genome_as_background(small_copy, server, snakemake):
    table = pd.read_parquet(small_copy / RESULTS / "tables/genes.parquet")
    settings = {"provider": "string", "api_url": server.url, "species": server.species}
    snakemake(
        small_copy, f"{RESULTS}/tables/enrichment.tsv", background="genome", genome_genes=22000,
        **settings,
    )  # fmt: skip
    # Only the called genes leave this machine.
    called = list(table["gene"][table["is_de"]])
    assert server.asked[0]["query"]["identifiers"].split("\r") == sorted(called)
    assert all("background_string_identifiers" not in entry["query"] for entry in server.asked)
    found = read(small_copy, "enrichment").query("gene_set == 'all'")
    known = [name for name in called if name in server.genes]
    expected = len(known) * found["number_of_genes_in_background"] / 22000
    np.testing.assert_allclose(found["expected"], expected)

    # A few genes may be such that STRING does not know; that tells nothing of the species.
    table["is_de"] = table.index.isin(table.index[table["is_de"]][:19])
    table.to_parquet(small_copy / RESULTS / "tables/genes.parquet", index=False)
    server.genes.clear()
    settings |= {"background": "genome", "genome_genes": 22000}
    snakemake(small_copy, f"{RESULTS}/tables/enrichment.tsv", **settings)
    assert read(small_copy, "enrichment").empty
    assert len(read(small_copy, "unmapped_genes")) == 19
    log = (small_copy / "results/small/logs/young_vs_old/string_enrichment.log").read_text()
    assert "all, known to STRING: 0 genes, at least 2 are needed" in log

    settings["genome_genes"] = 249
    done = snakemake(small_copy, f"{RESULTS}/tables/enrichment.tsv", check=False, **settings)
    assert "enrichment.genome_genes: found 249, expected the number of genes" in done.stdout
    assert "250 genes were tested" in done.stdout


def test_categories_that_no_term_has(small_copy, server, snakemake):
    settings = {"provider": "string", "api_url": server.url, "species": server.species}
    done = snakemake(small_copy, "enrichment", **settings, categories=["kegg"])
    assert re.search(
        r"enrichment\.categories: none of \d+ terms belongs to kegg; expected some of: KEGG",
        done.stdout,
    )
    assert read(small_copy, "enrichment").empty


def test_another_species_is_named(small_copy, server, snakemake):
    settings = {"provider": "string", "api_url": server.url, "species": server.species}
    server.genes.clear()
    done = snakemake(small_copy, "enrichment", check=False, **settings)
    assert "enrichment.species: STRING knows none of 250 genes" in done.stdout


def test_local(small_copy, snakemake, server):
    table = pd.read_parquet(small_copy / RESULTS / "tables/genes.parquet")
    names, called = list(table["gene"]), list(table["gene"][table["is_de"]])
    sets = {"hit": called[:8] + names[-12:], "others": names[100:140], "<b>top</b>": called}
    (small_copy / "our sets.gmt").write_text(
        "".join("\t".join([name, "", *genes]) + "\n" for name, genes in sets.items())
    )
    settings = {"provider": "local", "gmt": ["our sets.gmt"], "api_url": server.url}
    done = snakemake(small_copy, "all", **settings)
    assert "local_enrichment" in jobs(done)
    found = read(small_copy, "enrichment")
    assert list(found.columns) == COLUMNS
    assert set(found["category"]) == {"our sets"}
    assert {"all", "up", "down"} <= set(found["gene_set"])
    assert found["gene_set"].str.startswith("ranked").any()
    top = found.iloc[0]
    assert (top["term"], top["number_of_genes"]) == ("<b>top</b>", len(called))
    assert found["nes"].notna().equals(found["gene_set"].str.startswith("ranked"))
    unmapped = read(small_copy, "unmapped_genes")
    members = {gene for genes in sets.values() for gene in genes}
    assert set(unmapped["gene"]) == set(names) - members
    for name in ("figures/enrichment.png", "figures/enrichment.pdf", "tables/enriched_terms.html"):
        assert (small_copy / RESULTS / name).is_file()
    assert not (small_copy / RESULTS / "figures/network.svg").exists()
    assert not server.asked


def test_files_about_other_genes_are_refused_before_the_long_stages(tmp_path, snakemake):
    (tmp_path / "human.gmt").write_text("A\t\tTP53\tBRCA1\n")
    done = snakemake(tmp_path, "all", check=False, provider="local", gmt=["human.gmt"])
    assert "enrichment.gmt: human.gmt: none of its 2 genes (such as 'BRCA1') is in" in done.stdout
    assert not list(tmp_path.glob("results/**/fit.h5"))
    (tmp_path / "many.gmt").write_text("A\t\t" + "\t".join(f"Gene{i:03}" for i in range(900)))
    genome = {"background": "genome", "genome_genes": 899}
    done = snakemake(tmp_path, "all", check=False, provider="local", gmt=["many.gmt"], **genome)
    assert "enrichment.genome_genes: found 899, expected the number of genes" in done.stdout
    assert "the files of enrichment.gmt name 900" in done.stdout
    assert not list(tmp_path.glob("results/**/fit.h5"))
    done = snakemake(tmp_path, "all", check=False, provider="local", gmt=["absent.gmt"])
    assert "enrichment.gmt: found no file absent.gmt" in done.stdout


def test_none_makes_nothing_and_asks_nobody(small_copy, server, snakemake):
    done = snakemake(small_copy, "all", "enrichment", api_url=server.url, species=10090)
    assert not [job for job in jobs(done) if "string" in job or job.startswith("plot")]
    assert not server.asked
    assert not [path for path in small_copy.rglob("*") if "enrich" in path.name]


def test_gene_table_links_by_species(hostile_run, tmp_path, snakemake, genes, browser):
    directory = tmp_path / "run"
    shutil.copytree(hostile_run, directory, symlinks=True)
    page = f"{RESULTS}/tables/genes.html"
    snakemake(directory, page, species=10090)
    browser.get((directory / page).as_uri())

    def links():
        return browser.execute_script(
            # While the table loads, its only row has one cell.
            "return [...document.querySelectorAll('#table tbody tr:has(td + td)')].map(row => "
            "  [row.cells[0].innerText, ...[...row.cells[1].querySelectorAll('a')].map("
            "    link => [link.textContent, link.href, link.rel])])"
        )

    WebDriverWait(browser, 30).until(lambda _: len(links()) == 25)
    assert [row[0] for row in links()] == list(genes["gene"][:25])
    for name, *found in links():
        assert [link[0] for link in found] == ["NCBI", "MGI", "Ensembl"]
        ncbi, mgi, ensembl = (urlsplit(link[1]) for link in found)
        assert parse_qs(ncbi.query)["term"] == [f'"{name}"[gene] AND txid10090[orgn]']
        assert parse_qs(mgi.query)["query"] == [name]
        assert ensembl.path == "/Mus_musculus/Search/Results"
        assert parse_qs(ensembl.query, separator=";")["q"] == [name]
        hosts = [url.netloc for url in (ncbi, mgi, ensembl)]
        assert hosts == ["www.ncbi.nlm.nih.gov", "www.informatics.jax.org", "www.ensembl.org"]
    assert browser.execute_script("return window.hacked") is None
    snakemake(directory, page)
    browser.get((directory / page).as_uri())
    WebDriverWait(browser, 30).until(lambda _: len(links()) == 25)
    assert not any(row[1:] for row in links())
