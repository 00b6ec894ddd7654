"""The machinery of the evidence on real data: mock conditions, their truth, and the page."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from calibration import competitors
from real import data, report
from real.targets import TARGETS, kind_of
from scipy import sparse


def test_the_true_change_is_the_log_ratio_of_densities():
    generator = np.random.default_rng(0)
    types = np.repeat(["a", "b"], [30_000, 170_000])
    log_odds = data.plant_type(types, "a", 0.25)
    labels = data.draw_labels(log_odds, generator)
    true = data.true_lfc(log_odds)
    for name in ("a", "b"):
        compared, reference = ((types == name) & of for of in (labels, ~labels))
        drawn = np.log(compared.sum() / labels.sum()) - np.log(reference.sum() / (~labels).sum())
        np.testing.assert_allclose(true[types == name], drawn, atol=0.03)


def test_a_bump_is_smooth_and_of_its_size():
    coordinates = np.random.default_rng(0).normal(size=(2000, 3))
    log_odds = data.plant_bump(coordinates, np.random.default_rng(1))
    assert np.abs(log_odds).max() == pytest.approx(np.log(9))
    assert (log_odds != 0).sum() == 300
    assert len(set(np.sign(log_odds[log_odds != 0]))) == 1
    # The centre is the cell of the largest change, and the change falls with the distance from it.
    distance = np.linalg.norm(coordinates - coordinates[np.abs(log_odds).argmax()], axis=1)
    assert (np.diff(np.abs(log_odds)[distance.argsort()]) <= 1e-12).all()


def test_halves_are_balanced_within_groups():
    groups = np.repeat(["a", "b", "c"], [10, 11, 200])
    half = data.halve(groups, np.random.default_rng(0))
    assert half[groups == "a"].sum() == 5
    assert half[groups == "b"].sum() in (5, 6)
    assert half[groups == "c"].sum() == 100
    assert half[groups == "c"][:100].sum() != 100


def test_thinning_takes_half_of_the_counts_of_some_cells():
    counts = sparse.csr_matrix(np.random.default_rng(0).poisson(3.0, (200, 50)).astype(np.float32))
    cells = np.arange(200) < 100
    thinned = data.thin(counts, cells, 0.5, np.random.default_rng(1))
    assert (thinned[~cells] != counts[~cells]).nnz == 0
    assert (thinned > counts).nnz == 0
    assert thinned[cells].sum() / counts[cells].sum() == pytest.approx(0.5, abs=0.02)


def pseudobulk():
    """Two samples a condition; one type in all of them, one of them too small in one sample."""
    samples = np.repeat([0, 1, 2, 3], 40)
    types = np.tile(np.repeat([0, 1], 20), 4)
    types[(samples == 3) & (np.arange(160) % 40 > 25)] = 0
    counts = sparse.csr_matrix(np.arange(160 * 2).reshape(160, 2) % 7)
    return SimpleNamespace(
        counts=counts, labels=samples >= 2, samples=samples, cell_types=types, pairs=None
    )


def test_counts_are_summed_over_the_cells_of_each_sample():
    dataset = pseudobulk()
    counts, metadata = competitors._pseudobulk(dataset, dataset.cell_types == 1, min_cells=10)
    assert list(counts.index) == ["sample0", "sample1", "sample2"]
    assert list(metadata["condition"]) == ["reference", "reference", "compared"]
    chosen = (dataset.samples == 1) & (dataset.cell_types == 1)
    assert counts.loc["sample1"].tolist() == dataset.counts[chosen].sum(axis=0).tolist()[0]
    dataset.pairs = dataset.samples % 2
    _, metadata = competitors._pseudobulk(dataset)
    assert list(metadata["pair"]) == ["pair0", "pair1", "pair0", "pair1"]
    assert metadata.columns[-1] == "condition"


def test_the_smallest_p_value_over_types_by_sidak():
    dataset = pseudobulk()
    # Every cell of the second type's fourth sample is of the first type: that type is left out.
    pvalues, adjusted, _ = competitors._by_type(
        dataset, lambda counts, metadata: (np.array([0.02, np.nan]), None)
    )
    np.testing.assert_allclose(pvalues, [0.02, 1])
    np.testing.assert_allclose(adjusted, [0.02, 1])
    dataset.cell_types = np.tile([0, 1], 80)
    pvalues, _, _ = competitors._by_type(
        dataset, lambda counts, metadata: (np.array([0.02, np.nan]), None)
    )
    np.testing.assert_allclose(pvalues, [1 - 0.98**2, 1])


def test_kinds_of_mock_conditions():
    assert kind_of("half_3") == "half"
    assert kind_of("half_3_sample") == kind_of("half_sample") == "half, samples"
    assert kind_of("split_0") == "split, samples"
    assert kind_of("quarter_1") == "quarter"


def rows(**columns):
    return pd.DataFrame({"dataset": "kang_donors", "run": "whole", **columns})


def test_the_page_says_which_target_is_missed():
    measured = pd.concat(
        [
            rows(
                method="statediff, samples", subject=["genes", "genes", "ISG15", "ISG15", "cells"],
                metric=["called", "p < 0.05", "rank", "called", "called"],
                value=[37, 0.2, 3, 1, 0],
            ),
            rows(method="Milo", subject=["cells", "B cells"], metric=["called", "mean lfc"],
                 value=[9, 0.5]),
            rows(run="nulls", method="statediff", subject=["half_0", "half_1", "half_0_sample"],
                 metric="called", value=[0, 1, 8]),
            rows(run="components", method="statediff", subject=["10, 20", "10, 40"],
                 metric="abundance", value=[0.95, 0.7]),
        ]
    )  # fmt: skip
    text = report.document(measured, {"kang_donors": ["Warning (blocks): little is left"]}, "0.1")
    assert "| genes called, with samples ≥ 400 | 37 ✗ |" in text
    assert "| null, random halves of the cells: mean genes called ≤ 0.5 | 0.5 ✓ |" in text
    assert "| null, random halves of each sample, as pairs: mean genes called ≤ 0.5 | 8 ✗ |" in text
    assert "components ≥ 0.9 | 0.7 ✗ |" in text
    assert "| planted bumps: mean slope ≥ 0.6 | – ✗ |" in text
    # Without a correlation over called genes that of all is not asked for.
    assert (
        "| mean fold change: lowest correlation between 10, 20 and 40 components ≥ 0.9 |  |" in text
    )
    applying = sum(
        target.only in (None, "kang_donors") and not target.where_known for target in TARGETS
    )
    assert f"\n2 of {applying} are met. " in text
    assert "| blood progenitors: mean natural log fold change ≤ −3 |  |" in text
    assert "Warning (blocks)" in text
    assert len({target.text for target in TARGETS}) == len(TARGETS)
