"""The documentation: built with no warning, complete, readable without a network."""

import ast
import copy
import importlib
import json
import pkgutil
import re
import subprocess
import sys

import pytest
import statediff
import yaml
from bs4 import BeautifulSoup
from sphinx.util.inventory import InventoryFile
from statediff.settings import checked
from statediff.tables import OF_CELLS, OF_GENES, OF_GROUPS
from statediff.urls import url_fault
from support import ROOT

DOCS = ROOT / "docs"
# What an example of some keys leaves out.
REST = {
    "dataset": {
        "name": "x",
        "source": {"simulate": {"seed": 1}},
        "cell_states": {"compute": {"from": "X_pca"}},
        "embedding": {},
    },
    "contrasts": {"young_vs_old": {"column": "Age", "reference": "Young", "compared": "Old"}},
}
EXAMPLES = {
    f"{page.relative_to(ROOT).as_posix()}:{number}": text
    for page in (ROOT / "README.md", ROOT / "config/README.md", *sorted(DOCS.glob("*.md")))
    for number, text in enumerate(re.findall("```yaml\n(.*?)```", page.read_text(), re.S), 1)
    # Of a profile.
    if "set-resources" not in text
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Folder of the built site. Broken links and references, to a heading too, are warnings."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", DOCS, ROOT, folder],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site).as_posix(): BeautifulSoup(path.read_text(), "html.parser")
            for path in site.rglob("*.html")}  # fmt: skip


def test_every_public_name_is_in_the_reference(site):
    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    described = {name for kind, names in inventory.data.items() if kind.startswith("py:")
                 for name in names}  # fmt: skip
    found = pkgutil.walk_packages(statediff.__path__, "statediff.")
    modules = [module.name for module in found if "._" not in module.name]
    assert len(modules) > 30
    for name in ["statediff", *modules]:
        module = importlib.import_module(name)
        for public in [name for name in module.__all__ if not name.startswith("_")]:
            # The package of figures hands on what its modules hold.
            home = getattr(getattr(module, public), "__module__", name)
            home = home if name == "statediff.plots" else name
            assert f"{home}.{public}" in described, f"{name}.{public} is not documented"


def test_no_page_needs_a_network(pages):
    tags = [tag for page in pages.values()
            for tag in page.select("script[src], img[src], link[rel=stylesheet]")]  # fmt: skip
    loaded = {tag.get("src") or tag.get("href") for tag in tags}
    assert len(loaded) > 20
    assert not {address for address in loaded if re.match(r"\w+:|//", address)}


def test_equations_are_drawn_by_the_browser_alone(pages):
    method = pages["docs/method.html"]
    assert len(method.select("math[display=block]")) > 10
    assert "$" not in method.select_one("article").get_text()


def test_links_to_other_sites_have_the_form_of_addresses(pages):
    links = {tag["href"] for page in pages.values() for tag in page.select("a.external[href]")}
    assert links
    assert {link: fault for link in links if (fault := url_fault(link))} == {}


def test_every_column_that_settings_can_add_is_explained():
    explained = yaml.safe_load((ROOT / "workflow/report/columns.yaml").read_text())
    for section, columns in (("genes", OF_GENES), ("cells", OF_CELLS), ("gene_groups", OF_GROUPS)):
        assert set(columns) <= explained[section].keys()


def test_pages_have_examples_of_configurations():
    pages = {name.split(":")[0] for name in EXAMPLES}
    assert {"README.md", "config/README.md", "docs/kompot.md", "docs/module.md"} <= pages


@pytest.mark.parametrize("text", EXAMPLES.values(), ids=EXAMPLES)
def test_every_example_of_a_configuration_is_valid(text):
    """Those of a whole run as they are, those of some keys with the rest of one."""
    example = yaml.safe_load(text)
    # A section of an importing workflow's configuration.
    example = example.get("statediff", example)
    if not {"dataset", "contrasts"} <= example.keys():
        rest, dataset = copy.deepcopy(REST), example.get("dataset", {})
        example = rest | example | {"dataset": rest["dataset"] | dataset}
    full = checked(
        example, yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    )
    assert full["contrasts"]


def templates():
    """Texts of the code with … for what is filled in, neighbouring texts as one."""
    found = []
    for folder in ("workflow", "scripts"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    parts = [part.value if isinstance(part, ast.Constant) else "…"
                             for part in node.values]  # fmt: skip
                    found.append("".join(parts))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        text = re.sub(r'"\n\s*f?"', "", path.read_text())
        found += [re.sub(r"\{.*?\}", "…", line) for line in text.splitlines()]
    return found


def missing(messages):
    """Messages that no text of the code has; … stands for anything.

    The section of a contrast is filled in: a function for notebooks has none."""
    known = templates()
    patterns = {
        message: ".*".join(
            re.escape(part)
            for part in re.sub(r"^contrasts\.…(\.[…\w]+)?(: )?", "", message).split("…")
        )
        for message in messages
    }
    return [
        message
        for message, pattern in patterns.items()
        if not any(re.search(pattern, text, re.S) for text in known)
    ]


def test_explained_messages_are_those_of_the_code():
    rows = re.findall(r"^\| (`.*?`) \|", (DOCS / "errors.md").read_text(), re.M)
    messages = [message for row in rows for message in re.findall("`(.*?)`", row)]
    assert len(messages) > 30
    assert missing(messages) == []


def sections_of_warnings():
    """Text below each heading of the page on warnings, by its anchor."""
    _, *sections = re.split("^## ", (DOCS / "warnings.md").read_text(), flags=re.M)
    found = (section.split("\n", 1) for section in sections)
    return {title.lower().replace(" ", "-"): text for title, text in found}


def test_every_section_on_a_warning_has_its_message_and_what_to_do():
    for anchor, text in sections_of_warnings().items():
        before, _, rest = text.partition("**Meaning.**")
        messages = [" ".join(message.split()) for message in re.findall("`(.*?)`", before, re.S)]
        assert messages, anchor
        assert missing(messages) == []
        assert re.search(r"\*\*Effect\.\*\*.*\*\*Change\.\*\*", rest, re.S), anchor


def test_every_warning_points_to_a_section_that_exists():
    pointed = {
        anchor for text in templates() for anchor in re.findall(r"docs/warnings\.md#([\w-]+)", text)
    }
    assert len(pointed) > 3
    assert pointed <= sections_of_warnings().keys()


NAMES = """
import dataclasses, inspect, json, kompot, kompot.plot
found = {name for name in kompot.__all__ if inspect.isroutine(getattr(kompot, name))
         or inspect.isclass(getattr(kompot, name))} | set(kompot.plot.__all__)
for value in list(vars(kompot).values()):
    if dataclasses.is_dataclass(value) and value.__name__ != "ModelSettings":
        found |= {field.name for field in dataclasses.fields(value)}
for function in (kompot.da, kompot.de, kompot.smooth_expression):
    found |= {name for name, parameter in inspect.signature(function).parameters.items()
              if parameter.kind != parameter.VAR_KEYWORD}
print(json.dumps(sorted(found)))
"""


OPTIONS = """
import argparse, json
from kompot.cli import main

def list_options(parser, *_):
    (action,) = [action for action in parser._actions if action.dest == "command"]
    found = {name: [option for action in command._actions for option in action.option_strings]
             for name, command in action.choices.items()}
    print(json.dumps(found))
    raise SystemExit

argparse.ArgumentParser.parse_args = list_options
main()
"""


def test_users_of_kompot_find_every_option_of_its_command_line(kompot_python):
    printed = subprocess.run(
        [kompot_python, "-c", OPTIONS], capture_output=True, text=True, check=True
    )
    known = {(command, option)
             for command, options in json.loads(printed.stdout.splitlines()[-1]).items()
             for option in options if re.match("--(?!help)", option)}  # fmt: skip
    assert len({command for command, _ in known}) > 3
    text = (DOCS / "kompot.md").read_text().split("## Command line")[1].split("\n## ")[0]
    told = {(command, option)
            for options, commands in re.findall(r"^\| (`--.*?) \| (.*?) \|", text, re.M)
            for option in re.findall("`(.*?)`", options)
            for command in commands.split(", ")}  # fmt: skip
    assert told == known
    assert {command for command, _ in known} == set(re.findall(r"`kompot (\w+) ", text))


def test_users_of_kompot_find_every_name_they_know(kompot_python):
    printed = subprocess.run(
        [kompot_python, "-c", NAMES], capture_output=True, text=True, check=True
    )
    told = set(re.findall(r"\w+", (DOCS / "kompot.md").read_text()))
    assert set(json.loads(printed.stdout.splitlines()[-1])) - told == set()
