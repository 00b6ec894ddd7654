"""Mixing samples by mutual nearest neighbours, on states whose places are known."""

import numpy as np
import pytest
from statediff.matching import (
    finest_partitions,
    integrate_samples,
    lie_apart,
    mix_samples,
    overlap,
)


def draw(sizes, shifts, seed=0, dimensions=4):
    """Cells of two states, of two samples: (states × samples) sizes, a shift for each sample."""
    rng = np.random.default_rng(seed)
    centres = np.zeros((2, dimensions))
    centres[1, 0] = 10.0
    sizes = np.array(sizes)
    state = np.repeat([0, 1, 0, 1], sizes.T.ravel())
    sample = np.repeat([0, 0, 1, 1], sizes.T.ravel())
    x = centres[state] + rng.normal(size=(len(state), dimensions))
    return x + np.asarray(shifts)[sample], state, sample


SHIFTS = np.array([[0.0, 0, 0, 0], [0, 4.0, 0, 0]])


def apart(x, state, sample, which=0):
    """Distance of the means of the samples in one state."""
    means = [x[(state == which) & (sample == s)].mean(axis=0) for s in (0, 1)]
    return np.linalg.norm(means[0] - means[1])


def test_shifted_samples_mix_and_states_stay_apart():
    x, state, sample = draw([[150, 100], [150, 100]], SHIFTS)
    found = mix_samples(x, sample)
    for which in (0, 1):
        assert apart(found, state, sample, which) < apart(x, state, sample, which) / 3
        # Where the cells of both are, on average.
        assert found[state == which][:, 1].mean() == pytest.approx(1.6, abs=0.3)
    assert np.abs(found[:, 0] - 10 * state).max() < 4.5
    # Cells of a state are not all moved to one place.
    assert found[state == 0].std(axis=0).min() > 0.7


def test_samples_without_a_shift_stay_where_they_are():
    x, _, sample = draw([[150, 100], [150, 100]], 0 * SHIFTS)
    moved = np.linalg.norm(mix_samples(x, sample) - x, axis=1)
    assert np.mean(moved) < 0.6


def test_a_state_of_one_sample_only_stays_apart():
    """No cell of the other sample has a match there: the composition of samples is no shift."""
    x, state, sample = draw([[150, 150], [60, 0]], SHIFTS)
    found = mix_samples(x, sample)
    assert apart(found, state, sample) < apart(x, state, sample) / 2.5
    others = found[state == 0]
    between = np.linalg.norm(found[state == 1][:, None] - others[None], axis=2)
    assert between.min() > 4
    assert between.mean() == pytest.approx(10, rel=0.1)


def test_one_sample_is_left_as_it_is():
    x, _, sample = draw([[30, 30], [30, 30]], SHIFTS)
    np.testing.assert_array_equal(mix_samples(x, np.zeros_like(sample)), x)


def test_cells_with_the_same_coordinates_keep_the_same():
    """Such as cells without counts, whatever their sample."""
    x, _, sample = draw([[150, 100], [150, 100]], SHIFTS)
    same = np.flatnonzero(np.arange(500) % 50 == 0)
    x[same] = x[0]
    assert set(sample[same]) == {0, 1}
    found, mixed = integrate_samples(x, [(sample, sample)])
    assert mixed == [0]
    assert np.ptp(found[same], axis=0).max() == 0
    others = np.setdiff1d(np.arange(500), same)
    np.testing.assert_allclose(found[others], mix_samples(x, sample)[others])


def test_names_of_samples_and_units_do_not_matter():
    x, _, sample = draw([[80, 50], [40, 70]], SHIFTS)
    wanted = mix_samples(x, sample)
    np.testing.assert_allclose(mix_samples(x, 1 - sample), wanted, atol=1e-9)
    np.testing.assert_allclose(mix_samples(7 * x + 100, sample), 7 * wanted + 100, atol=1e-7)


def test_displacements_of_some_cells_serve_all(monkeypatch):
    x, state, sample = draw([[400, 300], [400, 300]], SHIFTS)
    whole = mix_samples(x, sample)
    monkeypatch.setattr("statediff.matching.LEARNT_FROM", 400)
    monkeypatch.setattr("statediff.matching.AT_ONCE", 100)
    some = mix_samples(x, sample)
    for which in (0, 1):
        assert apart(some, state, sample, which) < apart(x, state, sample, which) / 3
    assert np.linalg.norm(some - whole, axis=1).mean() < 0.5
    np.testing.assert_array_equal(mix_samples(x, sample), some)


def test_small_samples_mix_too():
    """Fewer cells than neighbours that are looked for."""
    x, state, sample = draw([[150, 5], [150, 4]], SHIFTS)
    found = mix_samples(x, sample)
    assert np.isfinite(found).all()
    assert apart(found, state, sample) < 1.5


def test_the_data_are_not_changed():
    x, _, sample = draw([[30, 30], [30, 30]], SHIFTS)
    before = x.copy()
    mix_samples(x, sample)
    np.testing.assert_array_equal(x, before)


def test_conditions_that_lie_apart_are_told_from_those_that_change_in_abundance():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(1200, 4))
    conditions = np.array([0, 0, 1, 1])
    mixing = rng.integers(0, 4, 1200)
    assert overlap(x, conditions[mixing]) == pytest.approx(1.0, abs=0.1)
    assert not lie_apart(x, mixing, conditions)
    # Four times as many cells of one condition on one side.
    often = rng.random(1200) < np.where(x[:, 0] > 0, 0.8, 0.2)
    sample = np.where(often, rng.integers(2, 4, 1200), rng.integers(0, 2, 1200))
    assert not lie_apart(x, sample, conditions)
    shifted = x + 3.0 * (conditions[mixing] == 1)[:, None] * np.array([1.0, 0, 0, 0])
    assert overlap(shifted, conditions[mixing]) < 0.4
    assert lie_apart(shifted, mixing, conditions)
    # Samples of one condition, which the conditions' overlap does not show.
    of_one = x + 4.0 * np.isin(mixing, [0, 2])[:, None] * np.array([1.0, 0, 0, 0])
    assert overlap(of_one, conditions[mixing]) > 0.9
    assert lie_apart(of_one, mixing, conditions)


CONDITIONS, SAMPLES, HALVES = [0, 0, 1, 1, 2, 2], [0, 1, 2, 3, 4, 4], [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("partitions", "kept"),
    [
        ([CONDITIONS, SAMPLES], [1]),
        ([SAMPLES, CONDITIONS], [0]),
        ([SAMPLES, SAMPLES], [1]),
        ([CONDITIONS, HALVES], [0, 1]),
        ([CONDITIONS, SAMPLES, HALVES], [1, 2]),
    ],
)
def test_conditions_are_left_out_where_their_samples_are_mixed(partitions, kept):
    assert finest_partitions([np.array(one) for one in partitions]) == kept
