"""Content of the first page of the report for each contrast, from its summary and tables."""

import json
import re
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup, escape
from shareable import without_folders
from statediff import __version__
from statediff.localisation import of_each_pattern

__all__ = [
    "as_markup", "count_genes", "describe", "explained", "find_figures", "first_genes",
    "first_page", "read_sections", "with_summary",
]  # fmt: skip

# Genes to list.
GENES = 12
# Figures of the page, of which the first so many that were drawn are shown.
FIGURES = {
    "cell_type": "Cells coloured by cell type.",
    "abundance_change": "Estimated change of abundance at each cell, called or not.",
    "expression_volcano": "Genes: mean change, and significance of any change.",
    "gene_regions": "Cell types in which the top-ranked genes of each pattern change.",
    "composition": "Share of each cell type, with 95 % intervals.",
    "abundance_direction": "Cells in states that are significantly more or less frequent.",
    "abundance_volcano": "Cells: change of abundance, and its significance.",
    "significance": "Test statistics compared with their null distribution.",
}
SHOWN_FIGURES = 4
# Pages that open from it.
PAGES = {
    "tables/genes.html": "Table of genes",
    "tables/gene_regions.html": "Table of genes and regions",
    "methods.html": "Methods, papers to cite",
    "provenance.html": "Provenance",
}


def describe(name, contrast, folder, paths, sections):
    """Content of the page for a contrast.

    Parameters
    ----------
    name : str
    contrast : dict
        From the configuration.
    folder : pathlib.Path
        Of its results.
    paths : collection of str
        Files that the report holds.
    sections : list of dict
        What warnings mean, from `read_sections`.
    """
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    genes = pd.read_parquet(folder / "tables/genes.parquet")
    types = pd.read_parquet(folder / "tables/cell_types.parquet")
    pages = {f"{folder / page}": title for page, title in PAGES.items()}
    return {
        "name": name,
        "explorer": f"{name}/explore.html",
        **{role: str(contrast[role]) for role in ("reference", "compared")},
        "conditions": contrast,
        "cells": summary["cells"],
        "settings": summary["provenance"]["config"],
        "genes": count_genes(genes),
        "top": first_genes(genes),
        "directions": {key: int(types[key].sum()) for key in ("up", "down", "cells")},
        "types": types.to_dict("records"),
        "figures": find_figures(folder, paths),
        "pages": {path: title for path, title in pages.items() if path in paths},
        "warnings": [explained(warning, sections) for warning in summary["warnings"]],
    }


def count_genes(genes):
    """Numbers of called genes, by direction and by pattern of change."""
    called = genes[genes["is_de"]]
    pattern = called.get("pattern", pd.Series(dtype=object)).value_counts()
    return {
        "tested": len(genes),
        "called": len(called),
        "up": int((called["mean_lfc"] > 0).sum()),
        "down": int((called["mean_lfc"] <= 0).sum()),
        "pattern": {key: int(pattern.get(key, 0)) for key in ("everywhere", "region", "opposite")}
        if len(pattern)
        else None,
    }


def first_genes(genes):
    """The top-ranked called genes; of each pattern, if patterns are known."""
    called = genes[genes["is_de"]].reset_index(drop=True)
    if "pattern" in called and called["pattern"].notna().any():
        called = called.iloc[of_each_pattern(called["pattern"].to_numpy(dtype=object), GENES)]
    first = called.head(GENES)
    named = first["feature_name"] if "feature_name" in first else first["gene"]
    first = first.assign(label=named.fillna(first["gene"]).astype(str))
    return first.astype(object).where(first.notna(), None).to_dict("records")


def find_figures(folder, paths):
    """The first figures in the report, of the contrast or of the data set."""
    found = []
    for name, text in FIGURES.items():
        places = (folder / f"figures/{name}.png", folder.parent / f"figures/{name}.png")
        found += [{"path": str(p), "text": text} for p in places if str(p) in paths]
    return found[:SHOWN_FIGURES]


def read_sections(path):
    """Meaning of each warning, from the sections of docs/warnings.md.

    Returns
    -------
    list of dict
        `patterns`, regular expressions of the messages, and the paragraphs `parts`.
    """
    _, *sections = re.split("^## ", Path(path).read_text(encoding="utf-8"), flags=re.M)
    found = []
    for section in sections:
        messages, start, rest = section.partition("**Meaning.**")
        quoted = re.findall("`(.*?)`", messages, re.S)
        pieces = [[re.escape(part) for part in " ".join(q.split()).split("…")] for q in quoted]
        parts = [as_markup(part) for part in (start + rest).split("\n\n") if part.strip()]
        found.append({"patterns": [".*?".join(piece) for piece in pieces], "parts": parts})
    return found


def as_markup(text):
    """A paragraph of Markdown as HTML: bold, code, and links as their words alone."""
    html = str(escape(" ".join(text.split())))
    html = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", html)
    html = re.sub(r"`([^`]*)`", r"<code>\1</code>", html)
    return Markup(re.sub(r"\*\*([^*]*)\*\*", r"<b>\1</b>", html))


def explained(warning, sections):
    """A warning with the paragraphs of its section, if it has one."""
    for section in sections:
        if any(re.search(pattern, warning["text"]) for pattern in section["patterns"]):
            return warning | {"parts": section["parts"]}
    return warning | {"parts": []}


def first_page(template, dataset, contrasts, folder, paths, warnings):
    """The summary page, of text that is no markup, whatever names hold.

    Parameters
    ----------
    template : str
        Of Jinja.
    dataset : str
    contrasts : dict of dict
        From the configuration, by name.
    folder : pathlib.Path
        Of the results.
    paths : collection of str
        Files that the report holds.
    warnings : path
        Page with the meaning of warnings.

    Returns
    -------
    str
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    sections = read_sections(warnings)
    described = [
        describe(name, contrast, folder / name, paths, sections)
        for name, contrast in contrasts.items()
    ]
    return environment.from_string(template).render(
        dataset=dataset, contrasts=described, version=__version__
    )


def with_summary(html, summary, style, script):
    """Put a summary before Snakemake's report, and run a script when the report opens.

    Parameters
    ----------
    html : str
        Snakemake's report.
    summary, style, script : str
        HTML from `first_page`, CSS, and JavaScript.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the report has another form than that of the pinned version of Snakemake.
    """
    html = re.sub(r"^( *var (\w+) = )([{\"].*[}\"])(;)$", _harmless, html, flags=re.MULTILINE)
    for place, added in (
        ('    <div id="app">\n', f"<style>\n{style}</style>\n{summary}"),
        ('<script id="categories">', f"<script>\n{script}</script>\n    "),
    ):
        before, start, after = html.rpartition(place)
        if not start:
            raise ValueError("Snakemake's report has another form than that of the pinned version")
        html = f"{before}{added}{start}{after}"
    return html.replace("<title>Snakemake Report</title>", "<title>Report</title>", 1)


def _harmless(data):
    """A line of data, in which no name ends a script, and no path names a user."""
    start, name, value, end = data.groups()
    if name == "rules":
        rules = json.loads(value)
        for rule in rules.values():
            rule |= {key: without_folders(rule[key]) for key in ("input", "output")}
        value = json.dumps(rules)
    return start + value.replace("<", r"\u003c") + end
