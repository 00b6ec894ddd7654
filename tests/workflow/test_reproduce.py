"""The published tutorial on a stand-in for its file, which a server on this machine hands out."""

import hashlib
import json
import re
import shutil
import subprocess
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from bad_server import BadServer
from stand_in import SHARES, write_stand_in
from statediff.reproduction import found_numbers
from statediff.simulate import Simulation
from statediff.store import read_arrays
from support import ROOT, serving

TUTORIAL = ROOT / "config/bone_marrow_aging.yaml"
KOMPOT = ROOT / "config/bone_marrow_aging_kompot.yaml"
PUBLISHED = yaml.safe_load(TUTORIAL.read_text())["published"]["young_vs_old"]
RUN = "results/bone_marrow_aging"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("stand_in") / "file.h5ad"
    # Changes so large that the published null calls some.
    simulation = Simulation(5, 360, SHARES, 200, changed=0.2, expression_lfc=2.0)
    write_stand_in(path, simulation, list(PUBLISHED["tutorial"]["genes"]))
    return path


@pytest.fixture(scope="module")
def server(source):
    with serving(BadServer(source.read_bytes())) as server:
        yield server


@pytest.fixture(scope="module")
def settings(server, tmp_path_factory):
    """What differs from the configuration: where the file is."""
    zenodo = {
        "url": f"{server.address}/file.h5ad",
        "md5": hashlib.md5(server.content).hexdigest(),
        "bytes": len(server.content),
    }
    changed = {
        "dataset": {"source": {"zenodo": zenodo}},
        "expression": {"gene_chunks": 1},
    }
    path = tmp_path_factory.mktemp("settings") / "here.yaml"
    path.write_text(yaml.safe_dump(changed))
    return path


@pytest.fixture(scope="module")
def tutorial(settings, tmp_path_factory, snakemake_run):
    """Directory and output of the published command; not to be changed."""
    directory = tmp_path_factory.mktemp("tutorial")
    done = snakemake_run(directory, "reproduce", configfile=[TUTORIAL, settings])
    return directory, done.stdout


def compared(directory, run=RUN):
    return pd.read_csv(directory / run / "reproduction.tsv", sep="\t").set_index("quantity")


def jobs(done):
    return set(re.findall(r"^ *(?:local)?rule (\w+):$", done.stdout, re.M))


def test_every_published_number_is_compared_with_what_the_run_found(tutorial, source):
    directory, output = tutorial
    table, found = compared(directory), anndata.read_h5ad(source, backed="r").obs
    assert len(table) == 3 + 1 + 2 * 3 + 3 + 4 + 20 * 3
    ages, types = found["Age"], found["highres_celltype"]
    for age, n in PUBLISHED["tutorial"]["cells"].items():
        assert table.loc[f"cells of {age}", "published"] == n
        assert table.loc[f"cells of {age}", "ours"] == (ages == age).sum()
        percent = 100 * ((ages == age) & (types == "HSC")).sum() / (types == "HSC").sum()
        assert table.loc[f"HSC: % {age}", "ours"] == pytest.approx(percent)
        # The stand-in has none.
        assert np.isnan(table.loc[f"Naive CD8 T cell: % {age}", "ours"])
    tables = directory / RUN / "young_vs_old/tables"
    genes = pd.read_parquet(tables / "genes.parquet").set_index("gene")
    assert genes["mahalanobis"].is_monotonic_decreasing
    for gene, numbers in PUBLISHED["tutorial"]["genes"].items():
        row = table.loc[f"gene {gene}: distance"]
        assert row["published"] == numbers["mahalanobis"]
        assert row["ours"] == pytest.approx(genes.loc[gene, "mahalanobis"])
        assert table.loc[f"gene {gene}: mean log fold change", "ours"] == pytest.approx(
            genes.loc[gene, "mean_lfc"], abs=1e-6
        )
        assert table.loc[f"gene {gene}: rank", "ours"] == genes.index.get_loc(gene) + 1
    summary = json.loads((tables.parent / "summary.json").read_text())
    for quantity, section, key in (
        ("genes called", "expression", "n_de"), ("genes up", "expression", "n_de_up"),
        ("genes down", "expression", "n_de_down"), ("cells up", "abundance", "up"),
        ("smallest distance called", "expression", "mahalanobis_threshold"),
        ("cells down", "abundance", "down"),
    ):  # fmt: skip
        assert table.loc[quantity, "ours"] == pytest.approx(summary[section][key])
    assert table.loc["cells changed", "ours"] == table.loc[["cells up", "cells down"], "ours"].sum()

    # And it says plainly what differs.
    missing = table["ours"].isna()
    within = table["difference"].abs() <= table["tolerance"]
    verdicts = np.select([missing, within], ["not comparable", "agrees"], "differs")
    assert list(table["verdict"]) == list(verdicts)
    assert (table["verdict"][:3] == "differs").all()
    assert missing.sum() == 3
    tail = output[output.rindex("Kompot's getting-started tutorial") :].splitlines()
    assert [line.split("  ")[1] for line in tail[2 : 2 + len(table)]] == list(table.index)
    for line, verdict in zip(tail[2:], table["verdict"]):
        assert line.endswith(f"  {verdict}")
    counts = table["verdict"].value_counts()
    assert tail[2 + len(table)] == (
        f"  of {len(table)} numbers {counts.get('agrees', 0)} agree, {counts['differs']} differ, "
        "3 cannot be compared"
    )


def test_the_run_is_that_of_the_tutorial(tutorial, server):
    directory, _ = tutorial
    assert len(server.asked) == 1
    results = directory / RUN / "young_vs_old"
    adata = anndata.read_h5ad(results / "adata.h5ad", backed="r")
    assert set(adata.layers) == {
        "kompot_de_Young_smoothed", "kompot_de_Old_smoothed", "kompot_de_Young_to_Old_fold_change",
    }  # fmt: skip
    # Computed: in the file they are zero.
    states = read_arrays(directory / RUN / "data/cell_states.h5", "states")[0]["states"]
    assert states.shape == (360, 40)
    assert (states.std(axis=0)[1:] > 0).all()
    for kind in ("png", "pdf"):
        assert {path.stem for path in (results / "figures").glob(f"*.{kind}")} == {
            "condition", "composition", "abundance_change", "abundance_direction",
            "abundance_volcano", "abundance_volcanos", "direction_bars", "expression_volcano",
            "fold_changes", "fold_change_dots", "expression_levels", "gene_panels",
            "expression_along", "significance", "fit", "expression_ma", "sample_expression",
        }  # fmt: skip
        assert (directory / RUN / f"figures/cell_type.{kind}").is_file()
    report = (directory / RUN / "report.html").read_text()
    assert f"{RUN}/reproduction.html" in report
    page = (directory / RUN / "reproduction.html").read_text()
    for text in ("Naive CD8 T cell: % Old", "not comparable", "gene H2-Ab1: mean log fold change"):
        assert text in page


def test_equal_numbers_agree(tutorial, settings, tmp_path, snakemake_run):
    copy = tmp_path / "run"
    shutil.copytree(tutorial[0], copy, symlinks=True)
    tables = copy / RUN / "young_vs_old/tables"
    found = found_numbers(
        *(pd.read_parquet(tables / f"{name}.parquet") for name in ("cells", "genes"))
    )
    found["genes"] = {gene: found["genes"][gene] for gene in PUBLISHED["tutorial"]["genes"]}
    config = yaml.safe_load(TUTORIAL.read_text())
    config["published"]["young_vs_old"]["tutorial"] = found | {"source": "planted"}
    (tmp_path / "planted.yaml").write_text(yaml.safe_dump(config))
    done = snakemake_run(copy, "reproduce", configfile=[tmp_path / "planted.yaml", settings])
    assert jobs(done) == {"reproduction", "reproduction_page", "report", "reproduce"}
    table = compared(copy)
    assert len(table) > 77
    assert set(table["verdict"]) == {"agrees"}
    assert f"of {len(table)} numbers {len(table)} agree, 0 differ, 0 cannot" in done.stdout


def test_the_conventions_of_kompot_are_a_second_run_of_the_same_file(
    tutorial, settings, server, snakemake_run
):
    directory, _ = tutorial
    run = f"{RUN}_kompot"
    configfile = [TUTORIAL, KOMPOT, settings]
    done = snakemake_run(directory, f"{run}/reproduction.tsv", configfile=configfile)
    assert len(server.asked) == 1
    table = compared(directory, run)
    genes = pd.read_parquet(directory / run / "young_vs_old/tables/genes.parquet")
    assert dict(table["published"]) == {
        "genes called": 190, "smallest distance called": 5.82, "gene H2-Q7: rank": 1,
        "gene S100a9: rank": 8, "gene S100a9: mean log fold change": -0.051,
    }  # fmt: skip
    assert table.loc["genes called", "ours"] == genes["is_de"].sum()
    other = pd.read_parquet(directory / RUN / "young_vs_old/tables/genes.parquet")
    distances = (t.set_index("gene")["mahalanobis"] for t in (genes, other))
    assert np.median(np.divide(*(d.loc[genes["gene"]] for d in distances))) < 0.9
    assert "young_vs_old · kompot 0.8.0" in done.stdout


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"conventions": "standard"}, "found numbers for conventions kompot-0.8, tutorial, "
         "expected numbers for standard"),
        ({"contrasts": {"other": {"column": "Age", "reference": "Mid", "compared": "Old"}},
          "published": {}}, "published: found nothing"),
    ],
)  # fmt: skip
def test_nothing_to_compare_with(tmp_path, snakemake_run, settings, message):
    config = yaml.safe_load(TUTORIAL.read_text()) | settings
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    done = snakemake_run(
        tmp_path, "-n", "reproduce", configfile=tmp_path / "config.yaml", check=False
    )
    assert done.returncode != 0
    assert message in done.stdout


@pytest.mark.parametrize(
    "path", [ROOT / "docs/reproduce.md", TUTORIAL, KOMPOT], ids=lambda path: path.name
)
def test_documented_commands_are_understood(path, tmp_path):
    commands = re.findall(r"snakemake (reproduce .*)", path.read_text())
    assert commands
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", *command.split(), "-n", "--directory", tmp_path],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        assert {"download", "plot_gene_panels", "report", "reproduction"} <= jobs(done)


def test_published_numbers_are_those_of_the_tutorial(shared):
    reference = json.loads((shared / "reference/published_tutorial.json").read_text())
    config = yaml.safe_load(TUTORIAL.read_text())
    zenodo = config["dataset"]["source"]["zenodo"]
    assert {key: zenodo[key] for key in ("md5", "bytes")}.items() <= reference["dataset"].items()
    assert f"/{reference['dataset']['zenodo_record']}/" in zenodo["url"]
    assert f"/{reference['dataset']['file']}/" in zenodo["url"]
    tutorial, kompot = PUBLISHED["tutorial"], PUBLISHED["kompot-0.8"]
    expression = dict(reference["expression"])
    genes = {
        entry["gene"]: {
            "rank": i,
            "mahalanobis": entry["mahalanobis"],
            "mean_lfc": entry["mean_lfc"],
        }
        for i, entry in enumerate(expression.pop("top20"), 1)
    }
    expression["mahalanobis_threshold"] = expression.pop("threshold_mahalanobis")
    for key, wanted in {
        "cells": reference["cells"], "composition": reference["composition_percent"],
        "abundance": reference["abundance"], "expression": expression, "genes": genes,
    }.items():  # fmt: skip
        assert tutorial[key] == wanted
    later = reference["expression_kompot_0_8_0"]
    assert kompot["expression"] == {
        "n_de": later["n_de"], "mahalanobis_threshold": later["threshold_mahalanobis"]
    }  # fmt: skip
    for key, field in (("rank", "rank_of"), ("mean_lfc", "mean_lfc")):
        for gene, value in later[field].items():
            assert kompot["genes"][gene][key] == value
