"""Depth of conditions, and columns of obs that look like samples."""

import numpy as np
import pytest
from statediff.annotation import compare_depth, resembles_samples

N = 800


@pytest.fixture(scope="module")
def cells():
    """Cells of four types far apart, of two conditions with three donors each, all mixed."""
    rng = np.random.default_rng(0)
    types, donor, labels = rng.integers(0, 4, N), rng.integers(0, 3, N), rng.random(N) < 0.5
    coordinates = rng.normal(size=(N, 6)) + 8.0 * np.eye(6)[types]
    # Samples lie a little apart, as they do.
    coordinates += 0.4 * rng.normal(size=(6, 6))[donor + 3 * labels]
    return {"types": types, "donor": donor, "labels": labels, "coordinates": coordinates}


def found(cells, name, codes):
    return resembles_samples(name, codes, cells["labels"], cells["coordinates"])


def test_levels_of_one_condition_are_samples_whatever_their_name(cells):
    nested = cells["donor"] + 3 * cells["labels"]
    assert found(cells, "x", nested) == "nested"
    assert found(cells, "orig.ident", nested) == "nested"


@pytest.mark.parametrize(
    "name",
    ["donor", "Sample", "patient_id", "mouse", "orig.ident", "Replicate", "sampleID", "batch_no",
     "subject.name", "animals", "library"],
)  # fmt: skip
def test_levels_of_both_conditions_are_samples_by_their_name(cells, name):
    assert found(cells, name, cells["donor"]) == "crossed"


@pytest.mark.parametrize(
    "name", ["leiden", "cell_type", "sex", "phase", "seurat_clusters", "report", "branch", "x"]
)
def test_types_and_clusters_are_not(cells, name):
    for codes in (cells["types"], cells["donor"]):
        assert found(cells, name, codes) is None


def test_types_of_one_condition_are_not(cells):
    """Such as the cell type joined with the condition."""
    joined = cells["types"] + 4 * cells["labels"]
    assert found(cells, "celltype.stim", joined) is None


def test_what_is_too_small_or_too_few(cells):
    labels = cells["labels"].astype(int)
    assert found(cells, "sample", labels) is None
    assert found(cells, "sample", np.where(labels == 1, 1 + cells["donor"], 0)) is None
    assert found(cells, "sample", np.arange(N)) is None
    assert found(cells, "sample", np.arange(N) // 4) is None
    assert found(cells, "sample", np.full(N, -1)) is None
    assert found(cells, "sample", np.where(np.arange(N) % 2, cells["donor"], -1)) is None


def members(labels):
    return [~labels, labels]


def test_depth_without_samples():
    labels = np.repeat([False, True], 100)
    depth = np.where(labels, 1500.0, 1000.0) * np.exp(
        0.3 * np.random.default_rng(0).normal(size=200)
    )
    depth[5] = np.nan
    result = compare_depth(depth, members(labels))
    assert result.large
    assert result.compared == np.median(depth[100:])
    assert not compare_depth(np.where(labels, 1.2, 1.0), members(labels)).large
    assert compare_depth(np.where(labels, 1.0, 1.3), members(labels)).large


def test_depth_beside_the_samples_spread():
    samples, labels = np.repeat(np.arange(6), 50), np.repeat([False, True], 150)
    steady = np.array([1000, 1050, 950, 1500, 1450, 1550.0])[samples]
    uneven = np.array([1000, 2000, 600, 1500, 3000, 700.0])[samples]
    assert compare_depth(steady, members(labels), samples).large
    result = compare_depth(uneven, members(labels), samples)
    assert not result.large
    assert result.spread == pytest.approx(np.exp(np.sqrt(
        np.mean([np.log([1000, 2000, 600]).var(ddof=1), np.log([1500, 3000, 700]).var(ddof=1)])
    )))  # fmt: skip


def test_depth_that_is_unknown():
    labels = np.repeat([False, True], 5)
    assert compare_depth(np.where(labels, np.nan, 1.0), members(labels)) is None
