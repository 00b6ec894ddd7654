"""The registry of figures: what each entry promises is there, read by its script, and explained."""

import re

import pytest
import yaml
from statediff import plots
from support import ROOT

FIGURES = yaml.safe_load((ROOT / "workflow/figures.yaml").read_text())
SETTINGS = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
SETTINGS = SETTINGS["properties"]["figures"]["properties"].keys()
RULES = (ROOT / "workflow/rules/figure_registry.smk").read_text()
KEYS = {"title", "section", "of", "inputs", "params", "settings", "needs", "size", "asked_by"}
# Found in the data by a job before, and read from its file.
FOUND = {"genes", "cells"}
EACH = pytest.mark.parametrize(("name", "figure"), FIGURES.items(), ids=FIGURES)


def script(name):
    return (ROOT / f"scripts/plot_{name}.py").read_text()


def texts(name, seen):
    """Text of a script or helper, and of the helpers that it imports."""
    text = (ROOT / f"scripts/{name}.py").read_text()
    found = {name: text}
    for helper in re.findall(r"^from (_\w+) import", text, re.M):
        if helper not in {"_job", *seen}:
            found |= texts(helper, {*seen, helper})
    return found


def read(name):
    """What a script and its helpers read: inputs and parameters of the job."""
    text = "\n".join(texts(name, set()).values())
    found = {
        kind: set(re.findall(rf"(?:job\.{kind}|files)(?:\.get\(\"|\.)(\w+)", text))
        for kind in ("input", "params")
    }
    return found["input"], found["params"]


@EACH
def test_an_entry_has_what_the_rules_know(name, figure):
    assert {"title", "section", "inputs"} <= figure.keys() <= KEYS
    assert set(figure.get("settings", [])) <= SETTINGS
    known = set(re.findall(r'"(\w+)"', RULES)) | set(re.findall(r"^    \"(\w+)\":", RULES, re.M))
    for key in ("inputs", "params", "needs"):
        assert set(figure.get(key, [])) <= known, key
    for key in ("of", "size"):
        assert figure.get(key, "contrast") in known, key


@EACH
def test_a_script_reads_what_its_entry_names(name, figure):
    inputs, params = read(f"plot_{name}")
    settings = set(figure.get("settings", []))
    assert set(figure["inputs"]) <= inputs
    assert (set(figure.get("params", [])) | settings - FOUND) <= params
    assert ("choices" in inputs) or not settings & FOUND
    # What the script itself asks for is there.
    own = set(re.findall(r"job\.params\.(\w+)", script(name)))
    assert own <= {"contrast", *figure.get("params", []), *settings}
    asked = set(re.findall(r"job\.input\.(\w+)", script(name)))
    assert asked <= {"choices", "get", *figure["inputs"]}


@EACH
def test_a_script_draws_with_a_function_of_the_library(name, figure):
    (imported,) = re.findall(r"^from statediff\.plots import (.*)$", script(name), re.M)
    assert set(imported.split(", ")) <= set(plots.__all__)


@EACH
def test_a_figure_is_explained(name, figure):
    assert (ROOT / f"workflow/report/{name}.rst").is_file()
    for page in ("docs/figures.md", "config/README.md"):
        assert re.search(rf"`{name}[`_]", (ROOT / page).read_text()), page


def test_every_script_of_a_figure_is_of_an_entry():
    assert {path.stem for path in (ROOT / "scripts").glob("plot_*.py")} == {
        f"plot_{name}" for name in FIGURES
    }


def test_another_figure_takes_four_files():
    """Function, script, caption, entry: no other file of the code names a figure."""
    names = re.compile("|".join(rf"\bplot_{name}\b" for name in FIGURES))
    code = [path for path in (ROOT / "workflow").rglob("*") if path.suffix in (".py", ".smk")]
    naming = {path.name: set(names.findall(path.read_text())) for path in code}
    # The figure of columns of obs, whose files the target of all figures lists.
    naming["figures.smk"] -= {"plot_obs"}
    assert not {name: found for name, found in naming.items() if found}
