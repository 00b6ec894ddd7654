"""Designs of samples: regressions against textbook algebra, and what a file says of a design."""

from contextlib import contextmanager

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.stats import false_discovery_control
from statediff import DataWarning, InputError
from statediff.blocks import contrast_weights, information_left, samples_meet
from statediff.contrast import condition_masks
from statediff.design import Design, halves, regress, sample_columns
from statediff.localisation import fold_changes
from statediff.observations import FrameObservations, StoredObservations
from statediff.residual import block_sums, residual_test
from statediff.samples import find_design, sample_names

PAIRED = Design(np.tile([0, 1], 4), np.empty((8, 0)), np.repeat(np.arange(4), 2))


@pytest.mark.parametrize(
    "design",
    [
        Design.unpaired([0, 0, 1, 1, 1, 0, 1, 0]),
        PAIRED,
        Design(PAIRED.conditions, np.random.default_rng(0).normal(size=(8, 2))),
    ],
)
def test_regression_is_weighted_least_squares(design):
    rng = np.random.default_rng(1)
    cells = rng.integers(0, 9, size=(3, 8)).astype(float)
    cells[0] = rng.integers(1, 9, size=8)
    means = rng.normal(size=(3, 8, 2))
    found = regress(cells, design.matrix)
    residuals, (effect, noise) = found.residuals(cells[:, :, None] * means), found.variances()
    for k in range(3):
        there = cells[k] > 0
        x, n = design.matrix[there], cells[k][there]
        hat = x @ np.linalg.pinv(x.T * n @ x) @ (x.T * n)
        r = np.eye(len(n)) - hat
        np.testing.assert_allclose(residuals[k][there], r @ means[k][there], atol=1e-9)
        np.testing.assert_allclose(effect[k][there], np.diag(r @ r.T), atol=1e-9)
        np.testing.assert_allclose(noise[k][there], np.diag(r / n @ r.T), atol=1e-9)
        assert found.freedom[k] == there.sum() - np.linalg.matrix_rank(x)
        assert not residuals[k][~there].any()
        for row, s in enumerate(np.flatnonzero(there)):
            np.testing.assert_allclose(found.fitting(s)[k][there], hat[row], atol=1e-9)
        fitted = found.squares_of_fit(cells[:, :, None] * means)[k]
        np.testing.assert_allclose(fitted, (n[:, None] * (hat @ means[k][there]) ** 2).sum(axis=0))


def test_freedom_and_what_can_be_estimated():
    assert PAIRED.freedom == 3
    assert PAIRED.estimable
    assert Design.unpaired([0, 0, 1, 1]).freedom == 2
    with_the_condition = Design(PAIRED.conditions, PAIRED.conditions[:, None] * 2.0 + 1.0)
    assert not with_the_condition.estimable
    np.testing.assert_allclose(Design.unpaired([0, 0, 1]).leverage(), [0.5, 0.5, 1.0])


def test_weights_are_orthogonal_to_donors_in_each_block():
    rng = np.random.default_rng(2)
    samples, codes = rng.integers(0, 8, 600), rng.integers(0, 4, 600)
    # A donor of one condition only in block 0.
    codes[(samples == 1) & (codes == 0)] = 1
    labels, nuisance = PAIRED.conditions[samples] == 1, PAIRED.adjusted[samples]
    weights = contrast_weights(labels, rng.normal(size=(600, 5)), codes, nuisance)
    for block in range(4):
        for donor in range(4):
            cells = (codes == block) & (samples // 2 == donor)
            assert abs(weights[cells].sum()) < 1e-9
    assert np.abs(weights[(codes == 0) & (samples == 0)].sum()) < 1e-9
    assert 0.5 < information_left(weights, labels, nuisance) < 1.0


def test_samples_meet_by_the_freedom_that_pairs_leave():
    two = Design(np.array([0, 1, 0, 1]), np.empty((4, 0)), np.array([0, 0, 1, 1]))
    codes, samples = np.zeros(12, dtype=int), np.arange(12) % 4
    assert samples_meet(codes, samples, two)
    one_donor = samples < 2
    assert not samples_meet(codes[one_donor], samples[one_donor], two)


def values_with_donors(rng, changed, genes=400, cells=1600, donors=4):
    """Counts of cells of pairs of samples, with effects of donors, of samples, and of a condition
    on the first genes."""
    samples = rng.integers(0, 2 * donors, cells)
    effects = 0.5 * rng.normal(size=(donors, genes)).repeat(2, axis=0)
    effects += 0.05 * rng.normal(size=(2 * donors, genes))
    effects[1::2, :changed] += 0.3
    values = rng.poisson(np.exp(1.0 + effects[samples]))
    codes = rng.integers(0, 20, cells)
    return sparse.csr_matrix(values, dtype=float), samples, codes


def pvalues(values, samples, codes, design):
    labels = design.labels[samples]
    nuisance = None if design.adjusted is None else design.adjusted[samples]
    weights = contrast_weights(labels, np.zeros((len(samples), 0)), codes, nuisance)
    ((sums,),) = block_sums([(0, values)], [(codes, [weights])], samples, design)
    regions = np.vstack([np.arange(20) < 8, np.arange(20) >= 8, np.ones(20)]).astype(bool)
    return residual_test([(sums, regions)], True)["pvalue"]


def test_pairs_hold_the_level_and_find_what_donors_hide():
    rng = np.random.default_rng(3)
    null = np.concatenate([pvalues(*values_with_donors(rng, 0), PAIRED) for _ in range(5)])
    assert 0.03 < (null < 0.05).mean() < 0.075
    assert (null < 0.001).mean() < 0.004
    data = values_with_donors(rng, 40)
    called = false_discovery_control(pvalues(*data, PAIRED)) < 0.05
    alone = false_discovery_control(pvalues(*data, Design.unpaired(PAIRED.conditions))) < 0.05
    assert called[:40].mean() > 0.8 > 0.2 > alone[:40].mean()
    assert called[40:].sum() <= 4


def test_a_threshold_asks_for_more_than_a_difference():
    """Of all genes the counts change by a quarter: more than by a tenth, less than by a half."""
    rng = np.random.default_rng(4)
    samples, codes = rng.integers(0, 8, 4000), rng.integers(0, 20, 4000)
    rates = np.where(PAIRED.conditions[samples] == 1, 5.0 * 1.25, 5.0)
    values = sparse.csr_matrix(rng.poisson(rates[:, None], (4000, 50)), dtype=float)
    weights = contrast_weights(PAIRED.conditions[samples] == 1, np.zeros((4000, 0)), codes)
    design = Design.unpaired(PAIRED.conditions)
    ((sums,),) = block_sums([(0, values)], [(codes, [weights])], samples, design)
    regions = np.vstack([np.arange(20) < 8, np.ones(20)]).astype(bool)
    for effects in (False, True):
        found = {
            c: residual_test([(sums, regions)], effects, lfc=np.log2(1.0 + c))["pvalue"]
            for c in (0.0, 0.1, 0.25, 0.5)
        }
        assert found[0.1].max() < 1e-3
        assert (found[0.0] <= found[0.1]).all()
        # At the threshold itself the level is kept.
        assert (found[0.25] < 0.05).mean() < 0.15
        assert found[0.5].min() > 0.5


@pytest.mark.parametrize(
    ("values", "upper"),
    [
        ([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1]),
        ([5.0, 0.0, 0.0, 0.0, 1.0], [1, 0, 0, 0, 1]),
        ([1.0, 2.0, 2.0, 2.0], [0, 1, 1, 1]),
        ([0.0, 7.0], [0, 1]),
    ],
)
def test_halves_have_samples_as_equal_in_number_as_can_be(values, upper):
    assert halves(np.array(values)).tolist() == upper


# Eight samples of four doses, two of each; l is 0 at the mean of the lower half.
DOSES = np.repeat([0.0, 1.0, 2.0, 5.0], 2)
DOSED = Design(halves(DOSES), np.empty((8, 0)), values=(DOSES - 0.5) / 3.0)


def values_with_doses(rng, change, genes=200, cells=1600):
    """Counts of cells of these samples; log expression of the first genes is linear in the dose."""
    samples = rng.integers(0, 8, cells)
    effects = 0.1 * rng.normal(size=(8, genes))
    effects[:, :40] += change * DOSES[:, None]
    values = rng.poisson(np.exp(1.0 + effects[samples]))
    return sparse.csr_matrix(values, dtype=float), samples, rng.integers(0, 20, cells)


def test_numbers_hold_the_level_and_find_what_two_groups_do_not():
    rng = np.random.default_rng(5)
    null = np.concatenate([pvalues(*values_with_doses(rng, 0.0), DOSED) for _ in range(8)])
    assert 0.03 < (null < 0.05).mean() < 0.075
    assert (null < 0.001).mean() < 0.004
    data = values_with_doses(rng, 0.12)
    numbers = false_discovery_control(pvalues(*data, DOSED)) < 0.05
    groups = false_discovery_control(pvalues(*data, Design.unpaired(DOSED.conditions))) < 0.05
    assert numbers[:40].mean() > groups[:40].mean() + 0.1
    assert numbers[40:].sum() <= 4


def test_the_unit_of_numbers_does_not_matter():
    data = values_with_doses(np.random.default_rng(6), 0.1)
    other = Design(DOSED.conditions, DOSED.covariates, values=7.0 * DOSED.values - 3.0)
    np.testing.assert_allclose(pvalues(*data, DOSED), pvalues(*data, other), rtol=1e-4)


def test_two_numbers_are_two_groups():
    rng = np.random.default_rng(7)
    data = values_with_donors(rng, 40)
    numbers = Design(PAIRED.conditions, PAIRED.covariates, PAIRED.pairs, PAIRED.conditions * 1.0)
    np.testing.assert_allclose(pvalues(*data, PAIRED), pvalues(*data, numbers), rtol=1e-12)


def test_fold_change_between_two_numbers():
    """Of expression that is linear in the dose: between the mean doses of both halves."""
    rng = np.random.default_rng(8)
    samples, codes = rng.integers(0, 8, 20_000), rng.integers(0, 20, 20_000)
    rates = 2.0 + 0.5 * DOSES[samples]
    values = sparse.csr_matrix(rng.poisson(rates[:, None], (20_000, 5)), dtype=float)
    weights = contrast_weights(DOSED.labels[samples], np.zeros((20_000, 0)), codes)
    ((sums,),) = block_sums([(0, values)], [(codes, [weights])], samples, DOSED)
    found = fold_changes(sums, np.ones((1, 20), dtype=bool))[0]
    np.testing.assert_allclose(found, np.log2((2.0 + 0.5 * 3.5) / (2.0 + 0.5 * 0.5)), atol=0.05)


CONTRAST = {
    "column": "treated", "reference": "no", "compared": "yes", "sample": None, "pair": None,
    "adjust": [], "min_cells": 2, "numeric": False,
}  # fmt: skip
OBS = pd.DataFrame(
    {
        "treated": ["no", "yes"] * 4,
        "sample": [f"s{i}" for i in range(8)],
        "donor": ["d0", "d0", "d1", "d1", "d2", "d2", "d3", "d4"],
        "batch": ["x", "x", "y", "y", "y", "x", "x", "y"],
        "age": [30.0, 30.0, 41.0, 41.0, 28.0, 28.0, 70.0, 55.0],
        "dose": [0.0, 5.0] * 4,
        "kit": ["a", "b"] * 4,
        "same": "z",
        "lane": [1, 2, 3, 4, 1, 2, 3, 4],
        "unknown": ["x", None, "y", "y", "y", "x", "x", "y"],
    }
).loc[np.arange(8).repeat(3)].reset_index(drop=True)  # fmt: skip


@contextmanager
def observations(obs, tmp_path, kind):
    """The annotation of cells, in memory or in a file."""
    obs = obs.set_axis([f"c{i}" for i in range(len(obs))])
    if kind == "frame":
        yield FrameObservations(obs)
        return
    anndata.AnnData(obs=obs).write_h5ad(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "a.h5ad") as store:
        yield StoredObservations(store)


SAMPLES = {"sample": np.arange(24) // 3, "samples_reference": np.arange(0, 8, 2),
           "samples_compared": np.arange(1, 8, 2)}  # fmt: skip
KINDS = pytest.mark.parametrize("kind", ["frame", "stored"])


def designed(tmp_path, kind="frame", obs=OBS, **changes):
    with observations(obs, tmp_path, kind) as read:
        return find_design(read, CONTRAST | changes, SAMPLES, "contrasts.x")


@KINDS
def test_a_design_from_the_annotation(tmp_path, kind):
    with pytest.warns(DataWarning, match="d3, d4 .* in one condition only"):
        design = designed(tmp_path, kind, pair="donor")
    assert design.conditions.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert design.pairs.tolist() == [0, 1, 2, 3, 0, 1, 2, 4]
    assert design.freedom == 2
    design = designed(tmp_path, kind, sample="sample", adjust=["batch", "age"])
    assert design.covariates.shape == (8, 2)
    assert design.covariates[:, 0].tolist() == [0, 1, 1, 0, 0, 1, 0, 1]
    np.testing.assert_allclose([design.covariates[:, 1].mean(), design.covariates[:, 1].std()],
                               [0, 1], atol=1e-12)  # fmt: skip
    with pytest.warns(DataWarning, match="'lane' holds numbers"):
        designed(tmp_path, kind, sample="sample", adjust=["lane"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"adjust": ["kit"]}, "x.adjust: the condition is determined by obs column 'kit'"),
        ({"adjust": ["batch", "dose"]}, "the condition is determined by obs column 'dose'"),
        ({"adjust": ["same"]}, "obs column 'same' has the same value in all samples"),
        ({"adjust": ["unknown"]}, "obs column 'unknown' has no value in some cells of a sample"),
        ({"adjust": ["sample"]}, "the condition is determined by obs column 'sample'"),
        ({"pair": "donor", "adjust": ["age"]}, "'age' is determined by 'donor'"),
        ({"adjust": ["batch", "age", "donor"]}, "adjusted for already"),
        ({"pair": "sample", "sample": "sample"},
         "contrasts.x.pair: 0 levels of obs column 'sample' have samples of at least 2 cells in "
         "both 'no' and 'yes', expected 2 or more"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::statediff.DataWarning")
@KINDS
def test_designs_that_say_nothing_of_the_condition(tmp_path, kind, changes, message):
    with pytest.raises(InputError, match="expected") as error:
        designed(tmp_path, kind, **{"sample": "sample"} | changes)
    assert message in str(error.value)


@KINDS
def test_a_covariate_that_differs_within_a_sample(tmp_path, kind):
    obs = OBS.copy()
    obs.loc[0, "batch"] = "y"
    with pytest.raises(InputError, match="'batch' is 'x' and 'y' in cells of one sample"):
        designed(tmp_path, kind, obs, sample="sample", adjust=["batch"])


def test_arguments_of_a_function_have_no_section(tmp_path):
    with (
        observations(OBS, tmp_path, "frame") as obs,
        pytest.raises(InputError, match=r"^adjust: the condition is determined"),
    ):
        find_design(obs, CONTRAST | {"sample": "sample", "adjust": ["kit"]}, SAMPLES, "")


@KINDS
def test_numbers_from_the_annotation(tmp_path, kind):
    changes = {"numeric": True, "sample": "sample", "column": "age", "cells": {"kit": "a"}}
    with observations(OBS, tmp_path, kind) as obs:
        evaluated, members = condition_masks(obs, CONTRAST | changes, "contrasts.x")
        # Samples of 30, 41, 28 and 70 years.
        assert evaluated.sum() == 12
        assert sorted(set(OBS["age"][members["reference"]])) == [28.0, 30.0]
        assert sorted(set(OBS["age"][members["compared"]])) == [41.0, 70.0]
        samples = {"sample": np.arange(24) // 3, "samples_reference": np.array([0, 4]),
                   "samples_compared": np.array([2, 6])}  # fmt: skip
        design = find_design(obs, CONTRAST | changes, samples, "contrasts.x")
        np.testing.assert_allclose(design.values, (np.array([30, 28, 41, 70]) - 29) / 26.5)
        for column, message in (
            ("batch", "holds x, y, not numbers"),
            ("dose", "is 0 in all samples"),
        ):
            with pytest.raises(InputError, match=message):
                condition_masks(obs, CONTRAST | changes | {"column": column}, "contrasts.x")


def test_columns_that_make_the_samples():
    assert sample_columns(CONTRAST) == []
    assert sample_columns(CONTRAST | {"sample": "s"}) == ["s"]
    assert sample_columns(CONTRAST | {"sample": "s", "pair": "d"}) == ["s"]
    assert sample_columns(CONTRAST | {"pair": "d"}) == ["d", "treated"]


def test_samples_are_named_by_their_columns():
    obs = pd.DataFrame({"animal": [2, 1, 2, 1], "age": pd.Categorical(["x", "y", None, "x"])})
    contrast = {"column": "age", "sample": None, "pair": "animal"}
    assert list(sample_names(FrameObservations(obs), contrast)) == ["2 · x", "1 · y", None, "1 · x"]
    assert list(sample_names(FrameObservations(obs), contrast | {"sample": "animal"})) == list(
        "2121"
    )
