"""The page to explore a contrast: what is packed into it, and what that is worth."""

import base64
import gzip
import json
import re

import numpy as np
import pandas as pd
import pytest
from plotly.offline import get_plotlyjs
from scipy import sparse
from statediff.basis import build_basis
from statediff.compression import (
    LEVELS,
    compress_layers,
    compress_measured,
    largest_error,
)
from statediff.plots.explore import TEMPLATE, explore_page, where_it_changes
from statediff.plots.explore_cells import category_column, result_columns, value_column
from statediff.plots.style import GREY, OKABE_ITO

HOSTILE = [
    "<script>alert(1)</script>", "</script><script>window.hacked = 1</script>", "<!--", '"\'`${1}',
    "a & b &amp; c", "line\u2028separator\u2029", "g" * 1000, "{{tables}}", "%{x}", "<b>bold</b>",
]  # fmt: skip


def problem(cells, genes, seed=0):
    """Basis over random states, and coefficients of genes with a level and a change each."""
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(cells, 3))
    phi = build_basis(states, 2.0, 1e-8, 500, 1.0)(states)
    targets = rng.normal(size=(cells, genes)) + 3.0 * rng.random(genes)
    smooth = np.linalg.solve(phi.T @ phi + np.eye(phi.shape[1]), phi.T)
    reference = (smooth @ targets).T
    change = rng.lognormal(-2.0, 1.5, (genes, 1)) * (smooth @ rng.normal(size=targets.shape)).T
    return phi, reference, reference + change


def measured_of(cells, genes, seed=1):
    """Measured expression, of which two thirds are zeros."""
    rng = np.random.default_rng(seed)
    values = np.maximum(rng.normal(-0.4, 1.0, (cells, genes)), 0.0) * np.arange(1, genes + 1)
    return sparse.csr_matrix(values)


def drawn_of(cells, most=20_000):
    """Cells in the order of the page."""
    return np.random.default_rng(0).permutation(cells)[:most]


def page_of(cells=80, genes=40, names=(), called=5, **changes):
    """Page of genes that are in the order of their ranks, the first of them called."""
    phi, reference, compared = problem(cells, genes)
    table = pd.DataFrame(
        {
            "mean_lfc": (phi @ (compared - reference).T).mean(axis=0),
            "standardised": np.ones(genes),
            "pvalue": np.append(1e-300, np.linspace(1e-4, 1, genes - 1)),
            "is_de": np.arange(genes) < called,
        },
        index=[*names, *(f"gene{i}" for i in range(len(names), genes))],
    )
    options = {
        "dataset": "data", "contrast": "a_vs_b", "column": "state", "conditions": ("a", "b"),
        "conventions": "standard", "axis_names": ("UMAP 1", "UMAP 2"), "ranking": "pvalue",
        "fdr_threshold": 0.05, "expression": measured_of(cells, genes),
        "columns": [value_column("lfc", phi[:, 0], "Change", signed=True)],
    } | changes  # fmt: skip
    conditions = list(options["conditions"])
    columns = [
        category_column(options["column"], np.resize([*conditions, ""], cells), conditions,
                        role="condition"),
        *options.pop("columns"),
    ]  # fmt: skip
    located = options.pop("located", {})
    table = table.assign(**{key: [*values, *[None] * (genes - len(values))]
                            for key, values in located.items()})  # fmt: skip
    return explore_page(
        phi[:, :2], [f"cell{i}" for i in range(cells)], columns, table, phi=phi,
        coefficients=(reference, compared), **options,
    )  # fmt: skip


def unpacked(page, name):
    text = re.search(rf'<script type="text/plain" id="{name}">([A-Za-z0-9+/=]*)</script>', page)
    return gzip.decompress(base64.b64decode(text[1]))


def read_layers(page):
    """Fold change and level (cells × genes), as the page reads its bytes."""
    tables, content = json.loads(unpacked(page, "tables")), unpacked(page, "layers")
    low, high = np.frombuffer(content, np.uint8).reshape(2, -1)
    values = (low | high.astype(np.uint16) << 8).view(np.int16).astype(float)
    n, stored = len(tables["x"]), len(tables["layers"]["mean_change"])
    functions = len(values) // (n + 2 * stored)
    cells, *factors = np.split(values, functions * (n + stored * np.arange(2)))
    cells = cells.reshape(functions, n)
    return [
        np.array(tables["layers"][f"mean_{kind}"])
        + np.array(tables["layers"][f"scale_{kind}"]) * (cells.T @ part.reshape(functions, stored))
        for kind, part in zip(("change", "level"), factors, strict=True)
    ]


@pytest.mark.parametrize(("cells", "genes"), [(400, 150), (60, 3), (30, 1)])
def test_compressed_layers_are_the_exact_ones_within_a_hundredth_of_their_range(cells, genes):
    phi, reference, compared = problem(cells, genes)
    layers = compress_layers(phi, reference, compared)
    exact = phi @ (compared - reference).T
    error = np.abs(layers.fold_change() - exact).max(axis=0) / np.ptp(exact, axis=0)
    assert error.max() < 0.01
    assert largest_error(layers, phi, reference, compared) == pytest.approx(error.max(), rel=1e-3)
    # Both conditions share a scale of colours.
    both = [phi @ part.T for part in (reference, compared)]
    span = np.ptp(np.concatenate(both), axis=0)
    for found, wanted in zip(layers.smoothed(), both, strict=True):
        assert (np.abs(found - wanted).max(axis=0) / span).max() < 0.01


def test_functions_that_no_gene_needs_are_left_out():
    phi, reference, compared = problem(400, 150)
    few = phi.shape[1] // 4
    reference[:, few:] = compared[:, few:] = 0.0
    assert compress_layers(phi, reference, compared).cells.shape[1] <= few


def test_genes_without_a_change_have_none():
    phi, reference, compared = problem(60, 3)
    compared[1] = reference[1]
    reference[2] = compared[2] = 0.0
    layers = compress_layers(phi, reference, compared)
    assert (layers.fold_change()[:, 1:] == 0).all()
    assert np.abs(np.array(layers.smoothed())[:, :, 2]).max() == 0
    assert largest_error(layers, phi, reference, compared) < 0.01


def test_the_error_is_that_of_the_worst_gene():
    phi, reference, compared = problem(60, 300)
    layers = compress_layers(phi, reference, compared)
    # The fold change of the last gene is off by a tenth of its range at every cell.
    exact = phi @ (compared[-1] - reference[-1])
    layers.mean_change[-1] += 0.1 * np.ptp(exact)
    assert largest_error(layers, phi, reference, compared) == pytest.approx(0.1, abs=0.01)


def test_the_page_holds_these_layers():
    phi, reference, compared = problem(80, 40)
    change, level = read_layers(page_of())
    layers = compress_layers(phi[drawn_of(80)], reference, compared)
    np.testing.assert_allclose(change, layers.fold_change(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(level, np.mean(layers.smoothed(), axis=0), rtol=1e-4, atol=1e-5)


def test_no_name_is_in_the_source_of_the_page():
    """All of them are within base64, which holds no markup; the page gives them back unchanged."""
    category = category_column(HOSTILE[0], HOSTILE * 8, HOSTILE)
    page = page_of(
        names=HOSTILE, columns=[category], dataset=HOSTILE[1], contrast=HOSTILE[2],
        conditions=HOSTILE[:2], column=HOSTILE[5], axis_names=HOSTILE[:2],
    )  # fmt: skip
    without_data = re.sub(r'(<script type="text/plain" id="\w+">)[A-Za-z0-9+/=]+<', r"\1<", page)
    assert without_data == re.sub(r"\{\{\w+\}\}", "", TEMPLATE.read_text(encoding="utf-8"))
    tables = json.loads(unpacked(page, "tables"))
    assert tables["genes"]["names"][: len(HOSTILE)] == HOSTILE
    assert tables["columns"][1]["levels"] == HOSTILE
    assert unpacked(page, "plotly").decode() == get_plotlyjs()


def test_pages_of_the_same_results_are_the_same():
    assert page_of() == page_of()


def test_the_page_keeps_to_its_size_with_fewer_genes():
    # The library and the statistics take most of this.
    limit = 2_900_000
    page = page_of(cells=200, genes=4000, max_bytes=limit)
    assert len(page) <= limit
    tables = json.loads(unpacked(page, "tables"))
    stored, measured = len(tables["layers"]["mean_change"]), len(tables["measured"]["step"])
    assert 400 < stored < 4000
    assert 400 < measured < 4000
    assert len(unpacked(page, "measured")) == 200 * measured
    assert len(tables["genes"]["names"]) == 4000
    assert f"{stored:,} of 4,000 genes have fold changes" in tables["notes"][1]
    assert f"{measured:,} of 4,000 genes have measured expression" in tables["notes"][2]
    phi, reference, compared = problem(200, 4000)
    exact = phi[drawn_of(200)] @ (compared - reference)[:stored].T
    error = np.abs(read_layers(page)[0] - exact).max(axis=0) / np.ptp(exact, axis=0)
    assert error.max() < 0.01


def test_statistics_of_the_genes():
    tables = json.loads(unpacked(page_of(), "tables"))
    # The least p-value that can be drawn is far below any that is found.
    assert tables["genes"]["y"][0] == 300
    assert tables["genes"]["kinds"][5:] == [0] * 35
    change = np.array(tables["genes"]["x"][:5])
    assert tables["genes"]["kinds"][:5] == np.where(change > 0, 2, 1).tolist()
    assert tables["line"]["y"] == pytest.approx(-np.log10(np.linspace(1e-4, 1, 39)[3]), rel=1e-3)
    assert [column["name"] for column in tables["genes"]["columns"]] == [
        "mean log fold change", "standardised distance", "p", "called"
    ]  # fmt: skip


def test_genes_come_in_the_order_of_their_ranks():
    """Called ones first; all that is known of a gene moves with it."""
    phi, reference, compared = problem(80, 4)
    values = measured_of(80, 4)
    genes = pd.DataFrame(
        {"mean_lfc": [0.1, 0.2, -0.3, 0.4], "mahalanobis": [1.0, 4.0, 3.0, 2.0],
         "is_de": [False, False, True, True]}, index=list("pqrs"),
    )  # fmt: skip
    found = {"genes": np.array([2, 3]), "lfc": np.array([[1.0, 0.0], [0.0, -2.0]])}
    page = explore_page(
        phi[:, :2], range(80), [value_column("lfc", phi[:, 0], "Change")],
        genes.assign(pattern=None), phi=phi, coefficients=(reference, compared), expression=values,
        dataset="data", contrast="a_vs_b", column="state", conditions=("a", "b"),
        conventions="standard", axis_names=("x", "y"), ranking="mahalanobis", fdr_threshold=0.05,
        blocks=np.arange(80) % 2, found=found, max_cells=50,
    )  # fmt: skip
    drawn, order = drawn_of(80, 50), [2, 3, 1, 0]
    tables = json.loads(unpacked(page, "tables"))
    assert tables["genes"]["names"] == ["r", "s", "q", "p"]
    assert tables["genes"]["y"] == [3.0, 2.0, 4.0, 1.0]
    assert tables["line"]["y"] == 2.0
    assert tables["cells"] == [str(i) for i in drawn]
    assert tables["notes"][0].startswith("50 of 80 cells are drawn")
    change = phi[drawn] @ (compared - reference)[order].T
    np.testing.assert_allclose(
        read_layers(page)[0], change, atol=0.01 * np.ptp(change, axis=0).max()
    )
    codes = np.frombuffer(unpacked(page, "measured"), np.uint8).reshape(4, 50).T
    exact = values.toarray()[np.ix_(drawn, order)]
    found = np.array(tables["measured"]["low"]) + codes * np.array(tables["measured"]["step"])
    assert (np.abs(found - exact).max(axis=0) <= exact.max(axis=0) / LEVELS / 1.99).all()
    low, high = np.frombuffer(unpacked(page, "regions"), np.uint8).reshape(2, -1)
    values = (low | high.astype(np.uint16) << 8).view(np.int16) / tables["blocks"]["steps"]
    assert values.tolist() == [1.0, 0.0, 0.0, -2.0]


def test_measured_expression_is_kept_to_half_a_step():
    values = measured_of(50, 5).toarray()
    values[:, 3] -= 2.0
    values[:, 4] = 0.0
    codes, low, step = compress_measured(sparse.csr_matrix(values))
    error = np.abs(low + step * codes.T - values).max(axis=0)
    assert (error <= step / 1.99).all()
    # Zeros stay zeros, but in a gene of negative values.
    assert (codes.T[values == 0] == 0).all()
    assert low.tolist()[:3] == [0.0, 0.0, 0.0]
    assert low[3] == -2.0
    assert codes[:3].max(axis=1).tolist() == [LEVELS] * 3


LOCATED = {
    "pattern": ["opposite", "region", None],
    "changed_share": [0.456, 0.1, 0.0],
    "strongest_type": ["B cell", HOSTILE[0], None],
    "strongest_type_lfc": [-1.234, 2.0, np.nan],
}


def test_where_genes_change_in_words():
    genes = pd.DataFrame(LOCATED).to_dict("records")
    most = ["(46% of the cells), most in B cell (log₂ fold change −1.23)",
            f"(10% of the cells), most in {HOSTILE[0]} (log₂ fold change 2.00)"]  # fmt: skip
    assert [where_it_changes(gene) for gene in genes] == [
        f"changes in opposite directions {most[0]}",
        f"changes in some cell states {most[1]}",
        "no region of cells changes significantly",
    ]
    gene = {"pattern": "everywhere", "changed_share": 1.0}
    assert where_it_changes(gene) == "changes everywhere (100% of the cells)"


def test_the_page_holds_the_changes_in_blocks():
    lfc = np.random.default_rng(0).normal(size=(3, 7)).round(3)
    lfc[0, 2:5] = 0.0
    blocks = np.arange(80) % 8 - 1
    page = page_of(
        called=3, blocks=blocks, found={"genes": np.arange(3), "lfc": lfc}, located=LOCATED
    )
    tables = json.loads(unpacked(page, "tables"))["blocks"]
    assert tables["cells"] == blocks[drawn_of(80)].tolist()
    assert (tables["count"], len(tables["words"])) == (7, 3)
    low, high = np.frombuffer(unpacked(page, "regions"), np.uint8).reshape(2, -1)
    values = (low | high.astype(np.uint16) << 8).view(np.int16).reshape(3, 7) / tables["steps"]
    np.testing.assert_allclose(values, lfc)
    assert unpacked(page_of(), "regions") == b""


def test_columns_of_the_cells():
    column = category_column("type", ["b", "", "a", "b"], ["b", "a"])
    assert column["codes"].tolist() == [0, -1, 1, 0]
    assert column["colors"] == list(OKABE_ITO[:2])
    assert category_column("type", ["x"], ["x"], [GREY])["colors"] == [GREY]
    values = np.resize([0.123456, np.nan, np.inf, -2.0], 80)
    page = page_of(columns=[value_column("q", values, "q")])
    found = json.loads(unpacked(page, "tables"))["columns"][1]["values"]
    shown = {0: 0.1235, 1: None, 2: None, 3: -2.0}
    assert found == [shown[i % 4] for i in drawn_of(80)]


def test_columns_of_the_results():
    results = {"lfc": [0.5, -1.0], "lfc_direction": ["up", "neutral"], "qvalue": [0.01, 0.0],
               "freedom": 3.0}  # fmt: skip
    direction, lfc, qvalue = result_columns(results, ("{b}", "b"))
    assert direction["codes"].tolist() == [0, 1]
    assert lfc["label"].startswith("log₂ fold change of cell density, b / {b}")
    assert lfc["signed"]
    assert qvalue["values"] == pytest.approx([2.0, -np.log10(np.finfo(float).tiny)])
