"""The first page of the report: what warnings mean, and which genes are listed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from overview import as_markup, count_genes, explained, find_figures, first_genes, read_sections

WARNINGS = Path(__file__).resolve().parents[2] / "docs/warnings.md"


@pytest.fixture(scope="module")
def sections():
    return read_sections(WARNINGS)


def test_every_section_has_messages_and_paragraphs(sections):
    assert len(sections) > 15
    for section in sections:
        assert section["patterns"]
        assert section["parts"][0].startswith("<b>Meaning.</b>")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("contrasts.a.sample: null, but obs column 'mouse' looks like the samples", "no samples"),
        ("2 of 30 cells share their state with another cell", "same coordinates"),
        ("the basis stopped at rank 9 with an unexplained variance of 1e-2", "gp.max_rank"),
    ],
)
def test_a_warning_is_found_with_its_meaning(sections, text, words):
    found = explained({"rule": "store", "text": text}, sections)
    assert words in " ".join(found["parts"])


def test_a_warning_without_a_section_stands_alone(sections):
    assert explained({"rule": "store", "text": "unheard of"}, sections)["parts"] == []


def test_markup_of_a_paragraph():
    found = as_markup("**Change.** `gp.ls`: see\n[the method](method.md#x) & <i>")
    assert found == "<b>Change.</b> <code>gp.ls</code>: see the method &amp; &lt;i&gt;"


def table(pattern):
    n = len(pattern)
    called = np.arange(n) < n - 1
    return pd.DataFrame(
        {"gene": [f"g{i}" for i in range(n)], "is_de": called, "mean_lfc": np.linspace(1, -1, n)}
        | ({} if pattern[0] is None else {"pattern": pattern})
    )


def test_genes_of_every_pattern_are_listed():
    genes = table(["everywhere"] * 30 + ["opposite", "region", None])
    listed = [gene["gene"] for gene in first_genes(genes)]
    assert len(listed) == 12
    assert listed[-2:] == ["g30", "g31"]
    counts = count_genes(genes)
    assert counts["called"] == counts["up"] + counts["down"] == 32
    assert counts["pattern"] == {"everywhere": 30, "region": 1, "opposite": 1}


def test_without_patterns_the_first_called_genes_are_listed():
    genes = table([None] * 5)
    assert [gene["label"] for gene in first_genes(genes)] == ["g0", "g1", "g2", "g3"]
    assert count_genes(genes)["pattern"] is None


def test_figures_of_the_contrast_and_of_the_data_set():
    folder = Path("results/x/a_vs_b")
    names = ("composition", "significance", "expression_volcano", "abundance_change")
    paths = {f"{folder}/figures/{name}.png" for name in names} | {"results/x/figures/cell_type.png"}
    found = [Path(figure["path"]).stem for figure in find_figures(folder, paths)]
    assert found == ["cell_type", "abundance_change", "expression_volcano", "composition"]
