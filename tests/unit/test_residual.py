"""Blocks of cells, and the test of differences within them, against computations written out."""

import numpy as np
import pytest
from scipy import sparse, stats
from statediff import InputError
from statediff.blocks import (
    centroids,
    contrast_weights,
    find_blocks,
    nested_regions,
    permute_within,
    samples_meet,
)
from statediff.design import Design
from statediff.matching import sample_separation
from statediff.residual import (
    FILTERED,
    REMOVED,
    _effects_tests,
    _gamma_tail,
    _third_moments,
    _upper_tail,
    block_sums,
    residual_test,
)
from statediff.sample_effects import SampleEffects


def cells(rng, n=1200, samples=6):
    """Cells along a line in two lineages: coordinates, samples, labels."""
    place = rng.uniform(0, 10, n)
    branch = rng.integers(0, 2, n)
    coordinates = np.column_stack([place, 4.0 * branch, rng.normal(0, 0.3, n)])
    sample = rng.integers(0, samples, n)
    return place, branch, coordinates, sample, sample >= samples // 2


def test_contrast_weights_give_the_adjusted_difference():
    rng = np.random.default_rng(0)
    coordinates, labels = rng.normal(size=(300, 6)), rng.random(300) < 0.3
    codes = rng.integers(0, 3, 300)
    weights = contrast_weights(labels, coordinates, codes)
    values = rng.normal(size=300) + coordinates[:, 0] + 2.0 * labels
    for block in range(3):
        inside = codes == block
        centred = coordinates[inside] - coordinates[inside].mean(axis=0)
        split = centred.copy()
        for side in (True, False):
            split[labels[inside] == side] -= split[labels[inside] == side].mean(axis=0)
        leading = np.linalg.svd(split, full_matrices=False)[2][:4]
        design = np.column_stack([labels[inside], np.ones(inside.sum()), centred @ leading.T])
        effect = np.linalg.lstsq(design, values[inside], rcond=None)[0][0]
        w = weights[inside]
        assert w.sum() == pytest.approx(0, abs=1e-9)
        assert (w @ values[inside]) / (w @ w) == pytest.approx(effect)


def test_a_block_of_one_condition_has_no_weight():
    weights = contrast_weights(
        np.array([True] * 40), np.random.normal(size=(40, 3)), np.zeros(40, int)
    )
    assert not weights.any()


def test_blocks_mix_samples_that_are_shifted():
    rng = np.random.default_rng(1)
    place, branch, coordinates, sample, _ = cells(rng)
    shifted = coordinates + np.array([[0, 0, 0.2]]) * sample[:, None]
    (codes, other), moved, _ = find_blocks(shifted, sample, np.repeat([0, 1], 3), 60, partitions=2)
    assert len(np.unique(codes)) == codes.max() + 1 == 20
    assert not np.array_equal(codes, other)
    counts = np.zeros((20, 6))
    np.add.at(counts, (codes, sample), 1)
    assert (counts > 0).mean() > 0.95
    # Where cells of one block lie: together on the line, in one lineage.
    assert np.mean([place[codes == k].std() for k in range(20)]) < 1.0
    assert np.mean([branch[codes == k].std() for k in range(20)]) < 0.1
    spread = [moved[sample == s, 2].mean() for s in range(6)]
    assert np.ptp(spread) < 0.5


def test_too_few_cells_for_blocks_name_the_keys():
    with pytest.raises(InputError, match=r"fdr\.block_cells"):
        find_blocks(np.zeros((50, 2)), np.zeros(50, int), np.zeros(1, int), 40)


def test_permutations_stay_in_their_block():
    rng = np.random.default_rng(2)
    codes, values = rng.integers(-1, 4, 200), rng.normal(size=200)
    permuted = permute_within(values, codes, rng)
    for block in range(4):
        inside = codes == block
        np.testing.assert_allclose(np.sort(permuted[inside]), np.sort(values[inside]))
    assert not permuted[codes < 0].any()
    assert not np.array_equal(permuted[codes >= 0], values[codes >= 0])


def test_separation_is_one_where_samples_mix():
    rng = np.random.default_rng(3)
    sample = rng.integers(0, 4, 1500)
    coordinates = rng.normal(size=(1500, 5))
    conditions = np.array([0, 0, 1, 1])
    assert sample_separation(coordinates, sample, conditions) == pytest.approx(1.0, abs=0.05)
    apart = coordinates + 3.0 * sample[:, None]
    assert sample_separation(apart, sample, conditions) > 1.5


def test_samples_meet_in_a_block_of_several_cells():
    design = Design.unpaired([0, 0, 1, 1])
    # Block 0: samples 0 and 2, block 1: 1 and 3.
    samples = np.array([0, 0, 2, 2, 1, 1, 3, 3])
    codes = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    assert not samples_meet(codes, samples, design)
    # One cell of sample 1 among those of sample 0; and by themselves.
    assert samples_meet(np.r_[codes, 0], np.r_[samples, 1], design)
    assert not samples_meet(np.r_[codes, 2, 2], np.r_[samples, 0, 1], design)


def test_block_sums_are_sums():
    rng = np.random.default_rng(4)
    values = sparse.random(90, 7, 0.5, format="csr", random_state=0)
    codes, samples = rng.integers(-1, 3, 90), rng.integers(0, 4, 90)
    weights = np.where(codes >= 0, rng.normal(size=90), 0.0)
    parts = [(0, values[:40]), (40, values[40:])]
    other, design = rng.normal(size=len(codes)), Design.unpaired([0, 0, 1, 1])
    ((sums, second), (third,)) = block_sums(
        parts, [(codes, [weights, other]), (2 - codes, [weights])], samples, design
    )
    np.testing.assert_allclose(
        third.contrast[0], weights[codes == 2] @ values.toarray()[codes == 2]
    )
    np.testing.assert_array_equal(sums.squares, second.squares)
    dense = values.toarray()
    for block in range(3):
        inside = codes == block
        np.testing.assert_allclose(sums.squares[block], (dense[inside] ** 2).sum(axis=0))
        np.testing.assert_allclose(sums.contrast[block], weights[inside] @ dense[inside])
        np.testing.assert_allclose(second.contrast[block], other[inside] @ dense[inside])
        assert sums.information[block] == pytest.approx((weights[inside] ** 2).sum())
        for sample in range(4):
            both = inside & (samples == sample)
            np.testing.assert_allclose(sums.sums[block, sample], dense[both].sum(axis=0))
            assert sums.cells[block, sample] == both.sum()
            assert sums.exposure[block, sample] == pytest.approx(weights[both].sum())
        np.testing.assert_allclose(sums.cubes[block], (dense[inside] ** 3).sum(axis=0))
        assert sums.skew[block] == pytest.approx((weights[inside] ** 3).sum())


def test_regions_are_nested_sets_of_neighbouring_blocks():
    centres = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.5], [30.0]])
    found = {tuple(np.flatnonzero(region)) for region in nested_regions(centres)}
    assert found == {(0, 1, 2), (3, 4, 5), (0, 1, 2, 3, 4, 5), tuple(range(7))}
    assert nested_regions(centres)[-1].all()
    assert nested_regions(centres[:1]).tolist() == [[True]]
    assert nested_regions(centres[:2]).tolist() == [[True, True]]


def test_moments_and_tail_are_those_of_permuted_weights():
    """Few cells of one condition and a sparse gene: a skewed sum, whose tail is not normal."""
    rng = np.random.default_rng(5)
    y = rng.poisson(0.3, 60) * rng.gamma(2.0, size=60)
    label = np.arange(60) < 6
    w = label - label.mean()
    samples = label.astype(int)
    part = 0, sparse.csr_matrix(y[:, None])
    ((sums,),) = block_sums([part], [(np.zeros(60, int), [w])], samples, Design.unpaired([0, 1]))
    draws = np.array([rng.permutation(w) @ y for _ in range(200_000)])
    third, variance = _third_moments(sums)[0, 0], (w @ w) * y.var(ddof=1)
    assert variance == pytest.approx((draws**2).mean(), rel=0.02)
    assert third == pytest.approx((draws**3).mean(), rel=0.05)
    for share in (0.02, 0.002):
        at = np.quantile(draws, 1.0 - share)
        assert 1.4 * share < _gamma_tail(at, variance, third, None) < 6.0 * share
        # Taken as normal it would be too small.
        assert 2.0 * stats.norm.sf(at / np.sqrt(variance)) < 0.7 * share
    thin = -2.0 * np.sqrt(variance)
    assert _gamma_tail(thin, variance, third, None) >= (draws <= thin).mean()


def test_tail_of_standardised_gamma_laws():
    distance, skewness = np.meshgrid([-3.0, -0.5, 0.0, 1e-3, 0.1, 1.0, 4.0, 12.0, 30.0],
                                     [0.0, 1e-4, 0.02, 0.1, 0.3, 0.5, 0.6, 2.0])  # fmt: skip
    found = _upper_tail(distance, skewness)
    np.testing.assert_allclose(found[:2], stats.norm.sf(distance[:2]))
    laws = stats.pearson3(skewness[2:])
    np.testing.assert_allclose(found[2:], laws.sf(distance[2:]), rtol=3e-3)
    # Beyond the end of the thin side.
    assert _upper_tail(np.array([-50.0]), np.array([0.4])) == 1.0


def test_the_statistic_is_that_of_the_equations():
    rng = np.random.default_rng(5)
    regions = np.array([[1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [1, 1, 1, 1, 1]], dtype=float)
    contrast, noise = 3.0 * rng.normal(size=(5, 2)), rng.uniform(0.5, 1.5, (5, 2))
    smooth, trend = rng.uniform(0.5, 1.5, (2, 5, 2))
    exposure, loadings = rng.normal(size=(5, 4)), rng.normal(size=(5, 3)) / 2.0
    remainder = rng.uniform(0.0, 0.5, 5)
    posterior = np.array([[0.2, 0.8], [1.0, 0.0]])
    effects = SampleEffects(trend, loadings, remainder, np.array([0.0, 0.7]), posterior)
    score, variance, _, pvalue = _effects_tests(
        regions, contrast, noise, *np.zeros((2, 5, 2)), smooth, exposure, effects, slice(0, 2)
    )
    for gene in range(2):
        root = np.sqrt(trend[:, gene])
        f = np.array([root * exposure[:, s] * loadings[:, c] for s in range(4) for c in range(3)]).T
        leading = f[:, [3 * s + c for s in range(4) for c in range(FILTERED)]]
        alone = np.diag(trend[:, gene] * remainder * (exposure**2).sum(axis=1))
        removed = REMOVED * posterior[gene] @ effects.factors
        d = np.diag(smooth[:, gene]) + removed * alone
        filtered = regions @ d @ np.linalg.inv(d + removed * leading @ leading.T)
        np.testing.assert_allclose(score[:, gene], filtered @ contrast[:, gene], rtol=1e-4)
        spread = [
            np.diag(filtered @ (np.diag(noise[:, gene]) + t * (f @ f.T + alone)) @ filtered.T)
            for t in effects.factors
        ]
        tails = [2.0 * stats.norm.sf(np.abs(score[:, gene]) / np.sqrt(v)) for v in spread]
        np.testing.assert_allclose(pvalue[:, gene], posterior[gene] @ tails, rtol=1e-4)
        np.testing.assert_allclose(variance[:, gene], posterior[gene] @ spread, rtol=1e-4)


def residual_of(values, coordinates, sample, labels, aware, size):
    """The residual test of cells in samples, of which the first half are of one condition."""
    conditions = np.repeat([0, 1], (sample.max() + 1) // 2)
    codes, moved, _ = find_blocks(coordinates, sample, conditions, size, partitions=2)
    parts = [(of, [contrast_weights(labels, moved, of)]) for of in codes]
    found = block_sums([(0, sparse.csr_matrix(values))], parts, sample, Design.unpaired(conditions))
    regions = [nested_regions(centroids(moved, of)) for of in codes]
    sums = [of for (of,) in found]
    return residual_test(list(zip(sums, regions, strict=True)), aware)


@pytest.fixture(scope="module")
def tested():
    """P-values where 40 of 640 genes change in one lineage and samples have effects."""
    rng = np.random.default_rng(6)
    place, branch, coordinates, sample, labels = cells(rng, 1800)
    rates = np.exp(
        rng.normal(0, 0.7, 640) + np.sin(place[:, None] / 3 * rng.normal(size=640))
        + rng.normal(0, 0.25, (6, 640))[sample]
    )  # fmt: skip
    rates[:, :40] *= np.exp(np.where((labels & (branch == 1))[:, None], 1.2, 0.0))
    values = np.log1p(rng.poisson(rates))
    return {
        aware: residual_of(values, coordinates, sample, labels, aware, 60)
        for aware in (True, False)
    }


def test_pvalues_hold_their_level_with_sample_effects(tested):
    null = tested[True]["pvalue"][40:]
    assert 0.01 < (null < 0.05).mean() < 0.085
    assert (null < 0.005).mean() < 0.02
    # Without the samples they do not.
    assert (tested[False]["pvalue"][40:] < 0.05).mean() > 0.2


def test_changes_are_found(tested):
    found = tested[True]
    assert (found["pvalue"][:40] < 1e-3).mean() > 0.6
    assert np.median(found["standardised"][:40]) > 1.5 * np.median(found["standardised"][40:])
    assert (found["sample_effect"] >= 0).all()


def test_genes_without_expression_have_p_one():
    rng = np.random.default_rng(7)
    _, _, coordinates, sample, labels = cells(rng, 400)
    values = rng.poisson(1.0, (400, 30)).astype(float)
    values[:, 0] = 0.0
    values[:, 1] = 2.0
    found = residual_of(values, coordinates, sample, labels, True, 50)
    assert found["pvalue"][:2].tolist() == [1.0, 1.0]
    assert found["standardised"][:2].tolist() == [0.0, 0.0]
    assert np.isfinite(found["pvalue"]).all()
    assert stats.kstest(found["pvalue"][2:], "uniform").pvalue > 1e-3


def test_few_genes_at_a_time_are_as_good_as_many(monkeypatch):
    rng = np.random.default_rng(8)
    _, _, coordinates, sample, labels = cells(rng, 400)
    values = rng.poisson(1.0, (400, 30)).astype(float)
    together = residual_of(values, coordinates, sample, labels, True, 50)
    monkeypatch.setattr("statediff.residual.AT_ONCE", 600)
    apart = residual_of(values, coordinates, sample, labels, True, 50)
    for name, wanted in apart.items():
        np.testing.assert_allclose(together[name], wanted, rtol=1e-9)
