"""Text of users' files on terminals, in spreadsheets and as colours."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from statediff.colors import known_color
from statediff.text import printable, safe_cells


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é Ω 基因\nnext", "plain é Ω 基因\nnext"),
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("a\rb\tc\x00", r"a\rb\tc\x00"),
        ("\u202eabc\u2066", r"\u202eabc\u2066"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),
        ("\ud800", r"\ud800"),
    ],
)
def test_nothing_acts_on_a_terminal(text, shown):
    assert printable(text) == shown
    shown.encode()


def test_no_cell_is_a_formula_and_numbers_stay_numbers():
    hostile = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", " =1"]
    harmless = ["-1.5", "+3e-4", ".5", "a=b", "", None]
    broken = {"a\r\n=1": "a =1", "\r=1": "' =1"}
    table = pd.DataFrame(
        {
            "gene": [*hostile, *harmless, *broken],
            "=kind": pd.Categorical([*hostile, *harmless, *broken]),
            "lfc": np.linspace(-1, 1, 14),
            "called": [True, False] * 7,
        }
    )
    text = safe_cells(table).to_csv(sep="\t", index=False)
    header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter="\t")
    assert header == ["gene", "'=kind", "lfc", "called"]
    assert [row[0] for row in rows] == [
        *(f"'{name}" for name in hostile),
        *harmless[:-1],
        "",
        *broken.values(),
    ]
    assert [row[1] for row in rows] == [row[0] for row in rows]
    assert [float(row[2]) for row in rows] == pytest.approx(table["lfc"])
    assert {row[3] for row in rows} == {"True", "False"}
    assert table["gene"][0] == "=1+1"  # the table itself is as it was


@pytest.mark.parametrize(
    ("name", "color"),
    [
        ("red", "#ff0000"),
        (" #1F77b4", "#1f77b4"),
        ("#12345678", "#123456"),
        ("grey30", "#4c4c4c"),
        ("gray100", "#ffffff"),
        ("steelblue", "#4682b4"),
        ("red3", "#cd0000"),
        ("SteelBlue1", "#4682b4"),
        ("Light Blue", "#add8e6"),
        ("nonsense", None),
        ("", None),
        ("\x1b[31m", None),
        ("url(http://x)", None),
    ],
)
def test_colours_of_python_and_r(name, color):
    assert known_color(name) == color
