"""Published numbers beside found ones: what is counted, and when they agree."""

import io

import numpy as np
import pandas as pd
import pytest
import yaml
from statediff.reproduction import TOLERANCES, compare, found_numbers
from statediff.settings import checked
from support import ROOT
from terminal import as_comparison

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())


@pytest.fixture
def found():
    cells = pd.DataFrame(
        {
            "condition": pd.Categorical([*"aaabbc", None, "a"]),
            "cell_type": pd.Categorical([*"xxxxyyy", "z"], categories=[*"zyxw"]),
            "lfc_direction": ["up", "up", "up", "down", "neutral", "neutral", "down", "neutral"],
        }
    )
    genes = pd.DataFrame(
        {
            "gene": [*"ABCD"],
            "mahalanobis": np.array([2.5, 9.0, 4.0, 3.0], dtype=np.float32),
            "mean_lfc": [1.0, -2.0, 0.0, 0.5],
            "is_de": [False, True, True, True],
        }
    )
    return found_numbers(cells, genes)


def test_what_a_run_found(found):
    assert found["cells"] == {"a": 4, "b": 2, "c": 1}
    assert found["composition"]["x"] == {"a": 75.0, "b": 25.0, "c": 0.0}
    assert found["composition"]["y"] == {"a": 0.0, "b": 50.0, "c": 50.0}
    assert set(found["composition"]) == {"x", "y", "z"}
    assert found["abundance"] == {"changed": 5, "up": 3, "down": 2}
    # As everywhere, one that does not change on average counts as down.
    assert found["expression"] == {
        "n_de": 3, "n_de_up": 1, "n_de_down": 2, "mahalanobis_threshold": 3.0
    }  # fmt: skip
    assert [found["genes"][gene]["rank"] for gene in "ABCD"] == [4, 1, 2, 3]
    assert found["genes"]["B"] == {"mahalanobis": 9.0, "mean_lfc": -2.0, "rank": 1}


def published(**sections):
    empty = {key: {} for key in ("cells", "composition", "abundance", "expression", "genes")}
    return {"source": "a paper"} | empty | sections


def test_equal_numbers_agree(found):
    table = compare(found | {"source": "itself"}, found)
    assert set(table["verdict"]) == {"agrees"}
    assert (table["difference"] == 0).all()
    assert set(table["source"]) == {"itself"}
    # Cells, types with most cells in one condition, shares, abundance, expression, genes by rank.
    assert len(table) == 3 + 1 + 9 + 3 + 4 + 12
    assert table["quantity"][3] == "cell types with 75 % in one condition"
    assert table["ours"][3] == 2
    assert list(table["quantity"][-12::3]) == [f"gene {gene}: rank" for gene in "BCDA"]


@pytest.mark.parametrize(
    ("section", "numbers", "kind"),
    [
        ("cells", {"a": 4}, "cells"),
        ("abundance", {"changed": 5}, "abundance"),
        ("expression", {"n_de": 3}, "expression"),
        ("expression", {"mahalanobis_threshold": 3.0}, "mahalanobis_threshold"),
        ("genes", {"B": {"rank": 1}}, "rank"),
        ("genes", {"B": {"mahalanobis": 9.0}}, "mahalanobis"),
        ("genes", {"B": {"mean_lfc": -2.0}}, "mean_lfc"),
        ("composition", {"x": {"b": 25.0}}, "composition"),
    ],
)
def test_each_tolerance_is_kept_to(found, section, numbers, kind):
    """A difference of the tolerance agrees, one just beyond it differs; either way."""

    def moved(numbers, by):
        return {k: moved(v, by) if isinstance(v, dict) else v + by for k, v in numbers.items()}

    tolerance, asked = TOLERANCES[kind], published(**{section: numbers})
    allowed = tolerance.of(compare(asked, found)["published"].iloc[-1])
    for sign in (1, -1):
        for by, verdict in ((allowed, "agrees"), (1.01 * allowed + 1e-6, "differs")):
            row = compare(asked, found | {section: moved(numbers, sign * by)}).iloc[-1]
            assert (row["verdict"], row["because"]) == (verdict, tolerance.because)
            assert row["difference"] == pytest.approx(sign * by)


def test_what_a_run_has_not_cannot_be_compared(found):
    asked = published(
        cells={"d": 3}, composition={"w": {"a": 80.0}, "x": {"a": 75.0}},
        expression={"mahalanobis_threshold": 3.0}, genes={"E": {"rank": 1}},
    )  # fmt: skip
    none_called = found | {"expression": {"n_de": 0, "n_de_up": 0, "n_de_down": 0}}
    table = compare(asked, none_called).set_index("quantity")
    lacking = ["cells of d", "w: % a", "smallest distance called", "gene E: rank"]
    assert list(table.index[table["verdict"] == "not comparable"]) == lacking
    assert table.loc[lacking, ["ours", "difference", "tolerance"]].isna().all(axis=None)
    assert set(table.loc[lacking, "because"]) == {"this run has no such number"}
    assert table.loc["x: % a", "verdict"] == "agrees"


def test_the_table_on_the_terminal(found):
    asked = published(
        cells={"a": 4, "b": 1234}, genes={"B": {"mean_lfc": -1.2345678}, "E": {"rank": 2}}
    )
    table = compare(asked, found).assign(contrast="a_vs_b")
    lines = as_comparison(io.StringIO(table.to_csv(sep="\t", index=False))).splitlines()
    assert lines[0] == "a_vs_b · a paper"
    assert [line.split() for line in lines[2:]] == [
        ["cells", "of", "a", "4", "4", "0", "agrees"],
        ["cells", "of", "b", "1,234", "2", "0", "differs"],
        ["gene", "B:", "mean", "log", "fold", "change", "-1.23457", "-2", "0.005", "differs"],
        ["gene", "E:", "rank", "2", "–", "–", "not", "comparable"],
        ["of", "4", "numbers", "1", "agree,", "2", "differ,", "1", "cannot", "be", "compared"],
    ]
    starts = {line.index(word) for line, word in zip(lines[3:6], ("differs", "differs", "not"))}
    assert len(starts) == 1


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("bone*.yaml")), ids=lambda p: p.stem)
def test_the_published_configurations_are_valid(path):
    config = yaml.safe_load((ROOT / "config/bone_marrow_aging.yaml").read_text())
    changes = yaml.safe_load(path.read_text())
    config["dataset"] |= changes.pop("dataset")
    full = checked(config | changes, SCHEMA)
    assert full["conventions"] in full["published"]["young_vs_old"]
    assert full["dataset"]["cell_states"]["compute"]["n_components"] == 40
