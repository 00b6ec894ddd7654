"""The calibration benchmark's own machinery, on one small data set."""

from types import SimpleNamespace

import numpy as np
import pytest
from calibration import competitors, report
from calibration.data import load, make, save
from calibration.grid import CELLS, GRID, SEEDS
from calibration.scoring import score, score_abundance, score_expression
from matplotlib.figure import Figure

SMALL = {
    "seed": 1, "cells": 500, "shares": (1, 0, 1), "genes": 250, "samples": 2, "changed": 0.12,
    "expression_lfc": 3.0, "abundance_lfc": 2.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def dataset():
    return make(SMALL, components=5)


def test_a_data_set_is_read_as_it_was_written(dataset, tmp_path):
    save(dataset, tmp_path / "data.h5")
    again = load(tmp_path / "data.h5", SMALL)
    for name, wanted in vars(dataset).items():
        found = getattr(again, name)
        if name in ("counts", "expression"):
            assert (found != wanted).nnz == 0
        else:
            np.testing.assert_array_equal(found, wanted)


def test_samples_that_mix_do_not_count_as_separate(dataset):
    assert dataset.separation == pytest.approx(1.0, abs=0.1)
    assert not dataset.integrated


def test_simple_methods_find_what_is_plain(dataset):
    methods = SimpleNamespace(
        EXPRESSION={"wilcoxon": competitors.wilcoxon},
        ABUNDANCE={"neighbours": competitors.neighbours},
    )
    found = score(dataset, methods).set_index(["method", "metric"])["value"]
    assert found["wilcoxon", "recall_global"] > 0.7
    assert found["wilcoxon", "average_precision"] > 0.3  # 0.12 by chance
    assert found["neighbours", "auc"] > 0.65
    assert 0.5 < found["neighbours", "slope"] < 1.5


def test_scores_of_genes_by_hand():
    dataset = SimpleNamespace(kinds=np.array(["none", "none", "none", "global", "lineage"]))
    qvalues = np.array([0.01, 0.5, 0.9, 0.02, 0.06])
    scores = score_expression(dataset, qvalues / 2, qvalues, -qvalues)
    assert scores["called"] == 2
    assert scores["fdp"] == scores["recall"] == 0.5
    assert scores["small_pvalues"] == pytest.approx(1 / 3)
    assert scores["recall_global"] == 1
    assert scores["recall_lineage"] == 0
    assert scores["average_precision"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert score_expression(dataset, None, np.ones(5), -qvalues)["fdp"] == 0


def test_scores_of_cells_by_hand():
    true = np.array([2.0, 0.0, -2.0, 0.0])
    qvalues = np.array([0.01, 0.2, 0.3, 0.4])
    scores = score_abundance(SimpleNamespace(true_lfc=true), 0.5 * true + 1, 3 * true, qvalues)
    assert scores["called"] == 0.25
    assert scores["slope"] == pytest.approx(0.5)
    assert scores["auc"] == 1
    assert scores["z_95"] == 6
    unchanged = SimpleNamespace(true_lfc=np.zeros(4))
    assert score_abundance(unchanged, true, None, None) == {}


def test_a_weighted_fdr_is_that_of_benjamini_and_hochberg_where_the_weights_are_equal():
    pvalues = np.random.default_rng(0).uniform(size=50) ** 3
    from scipy.stats import false_discovery_control

    np.testing.assert_allclose(
        competitors._weighted_fdr(pvalues, np.full(50, 2.0)), false_discovery_control(pvalues)
    )


def test_the_grid_holds_what_is_asked_of_it():
    assert len(GRID) == len(CELLS) * len(SEEDS)
    assert {cell["sample_sd"] for cell in CELLS.values()} == {0, 0.05, 0.1, 0.2}
    # The sample effect is the only difference between samples of a condition.
    assert {(fields["sample_type_sd"], fields["depth_sd"]) for fields in GRID.values()} == {(0, 0)}
    for part in ({"sizes": "unequal"}, {"strength": "weak"}, {"strength": "none"}):
        ((key, value),) = part.items()
        assert any(cell[key] == value for cell in CELLS.values())


def test_the_document_says_which_method_misses_its_target(tmp_path):
    header = "dataset\tseparation\tintegrated\ttask\tmethod\tmetric\tvalue\n"
    rows = [
        f"{dataset}\t1.0\tFalse\texpression\t{method}\t{metric}\t{value}\n"
        for dataset in GRID
        for method, fdp in (("wilcoxon", 0.4), ("genes", 0.02))
        for metric, value in (("fdp", fdp), ("recall", 0.5), ("average_precision", 0.6),
                              ("seconds", 1.0))
    ]  # fmt: skip
    rows += [
        f"{dataset}\t1.0\tFalse\tabundance\tmilo\t{metric}\t{value}\n"
        for dataset in GRID
        for metric, value in (("called", 0.01), ("auc", 0.9), ("slope", 1.0), ("seconds", 1.0))
    ]
    (tmp_path / "part.tsv").write_text(header + "".join(rows))
    (tmp_path / "empty.tsv").write_text(header)
    (tmp_path / "images").mkdir()
    scores = report.gather([tmp_path / "empty.tsv", tmp_path / "part.tsv"])
    report.write(scores, tmp_path)
    text = (tmp_path / "calibration.md").read_text()
    assert "| Wilcoxon, all cells | 0.400 | 0.400 ✗ |" in text
    assert "| published null | 0.020 | 0.020 ✓ |" in text
    assert isinstance(report.draw(scores, "expression"), Figure)
    for image in ("calibration", "calibration_abundance"):
        assert (tmp_path / f"images/{image}.png").stat().st_size > 10_000
