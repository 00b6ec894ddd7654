"""What every result tells of how it came about, and that it names no user and no machine."""

import hashlib
import json
import os
import re
import socket
from html import unescape

import anndata
import h5py
import pytest
import yaml
from support import CONFIG, tiny

RESULTS = "results/small/young_vs_old"
PAPER = {
    "width": 120,
    "height": 60,
    "mosaic": "AB",
    "panels": {
        "A": {"figure": "cell_type"},
        "B": {"figure": "abundance_change", "contrast": "a_vs_b"},
    },
}
HOSTILE = "</style><script>top.hacked = 1</script><b>"


@pytest.fixture(scope="module")
def summary(small_run):
    return json.loads((small_run / RESULTS / "summary.json").read_text())


def record(path):
    """What an AnnData tells of itself."""
    with h5py.File(path) as file:
        return json.loads(file["uns/statediff"].asstr()[()])


def text(page):
    """A page as it is read."""
    body = re.sub(r"<(style|script)\b.*?</\1>", "", page.read_text(), flags=re.S)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body)))


def cells(page):
    """Rows of all tables of a page, as text."""
    rows = re.findall(r"<tr>(.*?)</tr>", page.read_text(), re.S)
    return [
        [
            unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", cell))).strip()
            for cell in re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row, re.S)
        ]
        for row in rows
    ]


def test_the_summary_tells_how_it_came_about(summary, small_run, small_config):
    found = summary["provenance"]
    source = small_run / "results/small/data/simulated.h5ad"
    assert found["inputs"] == [
        {
            "key": "dataset.source",
            "file": source.name,
            "bytes": source.stat().st_size,
            "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        }
    ]
    given = yaml.safe_load(small_config.read_text())
    assert found["config"]["dataset"]["source"]["simulate"].items() >= {"seed": 3}.items()
    assert found["config"]["figures"].items() >= given["figures"].items()
    assert found["config"]["gp"]["sigma"] == 1.0  # a default
    assert re.fullmatch(
        r"snakemake -s …/Snakefile --quiet host --directory … .*…/small\.yaml", found["command"]
    )
    assert found["machine"] == {
        "system": os.uname().sysname,
        "architecture": os.uname().machine,
        "cpus": os.cpu_count(),
        "python": summary["versions"]["python"],
    }


def test_the_adata_tells_the_same_and_its_fields(summary, small_run):
    path = small_run / RESULTS / "adata.h5ad"
    found, adata = record(path), anndata.read_h5ad(path)
    fields = found.pop("fields")
    assert found.items() >= summary["provenance"].items()
    assert {key: found[key] for key in ("conventions", "versions", "stages", "conditions")} == {
        key: summary[key] for key in ("conventions", "versions", "stages", "conditions")
    }
    source = anndata.read_h5ad(small_run / "results/small/data/simulated.h5ad")
    for slot in ("obs", "var", "obsm", "varm", "layers", "uns"):
        made = {field["name"] for field in fields if field["slot"] == slot}
        new = set(getattr(adata, slot).keys()) - set(getattr(source, slot).keys())
        assert made == new, slot
    assert all(field["meaning"] for field in fields)


def test_page(small_copy, snakemake_run, small_config, summary):
    folder = small_copy / RESULTS
    page, fields = folder / "provenance.html", record(folder / "adata.h5ad")["fields"]
    done = snakemake_run(small_copy, "provenance", configfile=small_config)
    assert re.findall(r"^ *(?:local)?rule (\w+):$", done.stdout, re.M)[0] == "provenance_page"
    rows, found = cells(page), summary["provenance"]
    assert ["Command", found["command"]] in rows
    file = found["inputs"][0]
    assert ["dataset.source", file["file"], f"{file['bytes']:,}", file["sha256"]] in rows
    for name, version in summary["versions"].items():
        assert [name, version] in rows
    for name, stage in summary["stages"].items():
        assert [name, f"{stage['seconds']:.1f}", f"{stage['peak_mb']:,}"] in rows
    parameters = page.read_text().split("<pre>")[1].split("</pre>")[0]
    assert yaml.safe_load(unescape(parameters)) == found["config"]
    for field in fields:
        assert [field["slot"], field["name"], "yes", field["meaning"]] in rows
    assert f"{len(fields)} of {len(fields)} were in the file" in text(page)

    gone = [("obs", "kompot_de_Old_std"), ("obsm", "kompot_de_Young_to_Old_basis")]
    with h5py.File(folder / "adata.h5ad", "a") as file:
        for slot, name in gone:
            del file[slot][name]
    snakemake_run(small_copy, "provenance", configfile=small_config)
    said = {(row[0], row[1]): row[2] for row in cells(page) if row[0] in ("obs", "obsm", "uns")}
    assert {field for field, there in said.items() if there == "no"} == set(gone)
    assert f"{len(fields) - 2} of {len(fields)} were in the file" in text(page)

    with h5py.File(folder / "adata.h5ad", "a") as file:
        del file["uns/statediff"]
    snakemake_run(small_copy, "provenance", configfile=small_config)
    assert "no record of them any more" in text(page)


def test_hostile_names_are_text(small_copy, snakemake_run, small_config, browser):
    folder = small_copy / RESULTS
    summary = json.loads((folder / "summary.json").read_text())
    summary["conditions"]["compared"] = HOSTILE
    summary["provenance"]["config"]["contrasts"] = {HOSTILE: {"column": HOSTILE}}
    summary["provenance"]["command"] = HOSTILE
    (folder / "summary.json").write_text(json.dumps(summary))
    with h5py.File(folder / "adata.h5ad", "a") as file:
        found = json.loads(file["uns/statediff"].asstr()[()])
        found["fields"].append({"slot": "obs", "name": HOSTILE, "meaning": HOSTILE})
        del file["uns/statediff"]
        file["uns/statediff"] = json.dumps(found)
    os.utime(folder / "adata.h5ad")
    os.utime(small_copy / "results/small/benchmarks/young_vs_old/adata.tsv")
    snakemake_run(small_copy, "provenance", configfile=small_config)
    page = folder / "provenance.html"
    assert ["obs", HOSTILE, "no", HOSTILE] in cells(page)
    browser.get(page.as_uri())
    assert HOSTILE in browser.find_element("css selector", "pre").text
    assert browser.execute_script("return window.hacked") is None
    assert not browser.get_log("browser")


def test_nothing_to_share_names_a_user_or_a_machine(tmp_path, snakemake_run, monkeypatch):
    """Her data, her gene sets and her null distances are elsewhere in her home."""
    monkeypatch.setenv("LOGNAME", "zenobia")
    home = tmp_path / "zenobia"
    home.mkdir()
    tiny().write_h5ad(home / "data.h5ad")
    (home / "sets.gmt").write_text("set\t\t" + "\t".join(f"gene{i}" for i in range(16)) + "\n")
    (home / "null.tsv").write_text("mahalanobis\n" + "".join(f"{i / 9}\n" for i in range(90)))
    config = CONFIG | {
        "dataset": CONFIG["dataset"] | {"source": {"path": str(home / "data.h5ad")}},
        "figures": {"make": ["condition"]},
        "paper": {"figure_1": PAPER},
        "smooth": {"all": {"genes": ["gene1"]}},
        "fdr": {"test": "external", "external": {"distances": str(home / "null.tsv")}},
        "enrichment": {"provider": "local", "gmt": [str(home / "sets.gmt")]},
    }
    (home / "my.yaml").write_text(yaml.safe_dump(config))
    run = tmp_path / "run"
    run.mkdir()
    asked = "results/tiny/a_vs_b/tables/enrichment.json"
    # The report shows the enrichment that is there before it.
    for targets in (("smooth", "explore", "paper", "enrichment"), ("report",)):
        snakemake_run(run, *targets, configfile=home / "my.yaml")
    results = run / "results/tiny"
    shared = [p for p in results.rglob("*") if p.is_file() and "logs" not in p.parts]
    assert {"explore.html", "figure_1.pdf", "figure_1.png"} <= {path.name for path in shared}
    names = [str(tmp_path), "zenobia", f"{os.sep}home{os.sep}", os.path.expanduser("~/")]
    if len(socket.gethostname()) > 5:  # shorter ones occur in anything
        names.append(socket.gethostname())
    for path in shared:
        content = path.read_bytes()
        assert not [name for name in names if name.encode() in content], path
    summary = json.loads((results / "a_vs_b/summary.json").read_text())
    inputs = {file["key"]: file for file in summary["provenance"]["inputs"]}
    for key, name in (("dataset.source", "data.h5ad"), ("fdr.external.distances", "null.tsv")):
        digest = hashlib.sha256((home / name).read_bytes()).hexdigest()
        assert (inputs[key]["file"], inputs[key]["sha256"]) == (name, digest)
    assert summary["provenance"]["config"]["dataset"]["source"] == {"path": "…/data.h5ad"}
    sets = json.loads((run / asked).read_text())["files"]
    assert [file["file"] for file in sets] == ["sets.gmt"]
    smoothed = record(results / "smooth/all/smoothed.h5ad")
    assert smoothed["inputs"] == [inputs["dataset.source"]]
    assert smoothed["versions"] == summary["versions"]
