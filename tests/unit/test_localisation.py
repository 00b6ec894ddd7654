"""Where called genes change, against simulations of known changes."""

from dataclasses import replace

import numpy as np
import pytest
from statediff.blocks import region_tree, side_by_side
from statediff.design import Design
from statediff.localisation import (
    first_genes,
    fold_changes,
    in_groups,
    localise,
    of_each_pattern,
    patterns,
    select_regions,
    strongest_group,
)
from statediff.residual import BlockSums, region_tests
from statediff.sample_effects import fit_sample_effects

CONDITIONS = np.array([0, 0, 0, 1, 1, 1])
BLOCKS, CELLS = 16, 12
# Blocks along a line, in four distant groups.
TREE = region_tree(np.array([[10.0 * (k // 4) + k % 4] for k in range(BLOCKS)]))
LEVEL = 0.05 * 0.1


def sums_of(changes, rng, sample_sd=0.05):
    """Sums of normal values of mean 3 and variance 0.5 with these changes (blocks, genes)."""
    genes = changes.shape[1]
    means = 3.0 + changes[:, None] * (CONDITIONS[:, None] - 0.5)
    # A sample's effects are the same in eight neighbouring blocks.
    shared = rng.normal(size=(2, len(CONDITIONS), genes)).repeat(BLOCKS // 2, axis=0)
    means = means + sample_sd * shared + rng.normal(0, (0.5 / CELLS) ** 0.5, means.shape)
    within = 0.5 * rng.chisquare(len(CONDITIONS) * (CELLS - 1), (BLOCKS, genes))
    total, count = CELLS * means.sum(axis=1), CELLS * len(CONDITIONS)
    squares = CELLS * (means**2).sum(axis=1) + within
    weights = CELLS * (CONDITIONS - 0.5)
    return BlockSums(
        cells=np.full((BLOCKS, len(CONDITIONS)), float(CELLS)),
        sums=CELLS * means,
        squares=squares,
        cubes=3.0 * total / count * squares - 2.0 * total**3 / count**2,
        contrast=np.einsum("s,ksg->kg", weights, means),
        information=np.full(BLOCKS, count / 4.0),
        skew=np.zeros(BLOCKS),
        exposure=np.tile(weights, (BLOCKS, 1)),
        design=Design.unpaired(CONDITIONS),
    )


def located(changes, seed, samples=True, level=LEVEL):
    sums = sums_of(changes, np.random.default_rng(seed))
    return localise(sums, TREE, fit_sample_effects(sums) if samples else None, level)


@pytest.mark.parametrize("samples", [True, False])
def test_nothing_is_localised_in_genes_that_do_not_change(samples):
    sums = sums_of(np.zeros((BLOCKS, 3000)), np.random.default_rng(0), 0.05 if samples else 0.0)
    effects = fit_sample_effects(sums) if samples else None
    found = localise(sums, TREE, effects, LEVEL)
    assert (found.direction != 0).any(axis=1).mean() < 0.01
    assert not found.lfc[found.direction == 0].any()
    assert ((found.region < 0) == (found.direction == 0)).all()


def test_a_change_in_some_blocks_is_localised_there():
    changes = np.zeros((BLOCKS, 1000))
    changes[:4, :300] = 0.6
    found = located(changes, 1)
    changed = found.direction[:300] != 0
    assert changed[:, :4].mean() > 0.9
    assert changed[:, :4].sum() / changed.sum() > 0.9
    assert (found.direction[:300][changed] == 1).mean() > 0.97
    # Means of 2.7 and 3.3.
    lfc = found.lfc[:300, :4][changed[:, :4]]
    assert lfc.mean() == pytest.approx(np.log2(3.3 / 2.7), abs=0.03)


def test_opposed_changes_have_both_signs():
    changes = np.zeros((BLOCKS, 1000))
    changes[:4, :300], changes[8:12, :300] = 0.6, -0.6
    direction = located(changes, 2).direction[:300]
    assert (direction[:, :4] == 1).mean() > 0.85
    assert (direction[:, 8:12] == -1).mean() > 0.85
    assert (direction[:, 4:8] != 0).mean() < 0.1
    assert (direction[:, 12:] != 0).mean() < 0.1


def test_a_change_everywhere_is_found_everywhere():
    changes = np.zeros((BLOCKS, 1000))
    changes[:, :300] = -0.6
    direction = located(changes, 3).direction[:300]
    assert (direction == -1).mean() > 0.9
    assert not (direction == 1).any()


def test_few_regions_are_false():
    """Of the regions that are told for genes with one, two or no changed groups of blocks."""
    changes = np.zeros((BLOCKS, 3000))
    changes[:4, :100], changes[:8, 100:200], changes[12:, 200:300] = 0.4, 0.3, -0.5
    sums = sums_of(changes, np.random.default_rng(4))
    found = localise(sums, TREE, fit_sample_effects(sums), LEVEL)
    pairs = false = 0
    for gene, region in enumerate(found.region[:300]):
        for number in np.unique(region[region >= 0]):
            true = changes[region == number, gene]
            pairs += 1
            false += not (np.sign(true) == found.direction[gene, region == number]).any()
    assert pairs > 200
    assert false <= 0.02 * pairs


@pytest.mark.parametrize("compared", [10, 40, 90])
def test_fold_changes_are_those_of_the_cells_whatever_the_shares_of_the_conditions(compared):
    """A doubling and a halving, in blocks of which the conditions have different shares."""
    cells = np.array([[100 - compared, compared], [50, 50]], dtype=float)
    means = np.array([[[1.0, 4.0], [2.0, 2.0]], [[3.0, 6.0], [6.0, 3.0]]])  # block, condition, gene
    information = cells.prod(axis=1) / cells.sum(axis=1)
    sums = BlockSums(
        cells=cells,
        sums=cells[:, :, None] * means,
        squares=None,
        cubes=None,
        contrast=information[:, None] * (means[:, 1] - means[:, 0]),
        information=information,
        skew=None,
        exposure=None,
        design=Design.unpaired([0, 1]),
    )
    found = fold_changes(sums, np.eye(2, dtype=bool))
    np.testing.assert_allclose(found, [[1.0, -1.0], [1.0, -1.0]], atol=1e-12)


def test_a_region_is_tested_by_its_own_blocks():
    """A change outside is nothing to it."""
    changes = np.zeros((BLOCKS, 500))
    sums = sums_of(changes, np.random.default_rng(5))
    effects = fit_sample_effects(sums)
    shifted = sums.contrast.copy()
    shifted[8:] += 100.0
    others = replace(sums, contrast=shifted)
    inside = ~TREE[0][:, 8:].any(axis=1)
    before, after = (region_tests(s, TREE[0], effects)[0][inside] for s in (sums, others))
    np.testing.assert_allclose(before, after, rtol=1e-5)
    assert 0.03 < (before < 0.05).mean() < 0.07


# Blocks 0 and 1, 2 and 3, and all four.
SMALL = region_tree(np.array([[0.0], [1.0], [10.0], [11.1]]))


def chosen(singles, pairs, everything, signs=(1,) * 7):
    pvalues = np.array([*singles, *pairs, everything])
    found = select_regions(pvalues[:, None], np.array(signs)[:, None], SMALL, 0.01)
    return [list(values[0]) for values in found]


def test_nodes_of_a_tree_come_after_their_parts():
    nodes, parts = SMALL
    expected = [[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]]
    np.testing.assert_array_equal(nodes, np.vstack([np.eye(4), expected]).astype(bool))
    np.testing.assert_array_equal(np.sort(parts), [[0, 1], [2, 3], [4, 5]])
    np.testing.assert_array_equal(region_tree(np.zeros((1, 2)))[0], [[True]])


def test_blocks_of_a_region_lie_side_by_side():
    centres = np.random.default_rng(0).normal(size=(30, 3))
    order = side_by_side(centres)
    assert sorted(order) == list(range(30))
    for node in region_tree(centres)[0]:
        at = np.flatnonzero(node[order])
        assert np.ptp(at) == len(at) - 1
    assert list(side_by_side(centres[:1])) == [0]


def test_the_smallest_region_that_says_it_is_taken():
    # Nothing is selected.
    assert chosen([0.5] * 4, [0.5] * 2, 0.01) == [[-1] * 4, [0] * 4]
    # No part says as much as the whole, or enough.
    assert chosen([0.5] * 4, [0.02, 0.06], 1e-4)[0] == [6] * 4
    # One part says more.
    assert chosen([0.5] * 4, [1e-6, 0.5], 1e-4)[0] == [4, 4, -1, -1]
    # Although the other would pass for adding to it.
    assert chosen([0.5] * 4, [1e-6, 0.04], 1e-4)[0] == [4, 4, -1, -1]
    # It adds to the first, since both together say more, unless its sign differs.
    assert chosen([0.5] * 4, [1e-4, 0.04], 1e-5)[0] == [4, 4, 5, 5]
    assert chosen([0.5] * 4, [1e-4, 0.04], 1e-5, (1, 1, 1, 1, 1, -1, 1))[0] == [4, 4, -1, -1]
    # Too little for two blocks.
    assert chosen([0.5] * 4, [1e-4, 0.06], 1e-5)[0] == [4, 4, -1, -1]
    # A single block.
    assert chosen([1e-9, 0.3, 0.5, 0.5], [1e-7, 0.5], 1e-4)[0] == [0, -1, -1, -1]
    # Selected, in a whole that is not.
    assert chosen([0.5] * 4, [1e-6, 0.5], 0.5)[0] == [4, 4, -1, -1]


def test_opposite_parts_keep_their_signs():
    signs = (1, 1, -1, -1, 1, -1, 1)
    assert chosen([0.5] * 4, [1e-9, 1e-5], 1e-3, signs) == [[4, 4, 5, 5], [1, 1, -1, -1]]
    assert chosen([0.5] * 4, [1e-9, 1e-5], 0.5, signs) == [[4, 4, 5, 5], [1, 1, -1, -1]]


def test_patterns_and_strongest_groups():
    direction = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [1, -1, 0, 0], [0, 0, 0, 0]])
    lfc = direction * np.array([0.5, 1.0, 2.0, 0.5])
    cells = np.array([[10.0, 0, 0, 0], [5, 5, 0, 0], [0, 0, 20, 60]])
    share, pattern = patterns(direction, cells.sum(axis=0))
    np.testing.assert_allclose(share, [1.0, 0.15, 0.2, 0.0])
    assert list(pattern) == ["everywhere", "region", "opposite", None]
    group, mean = strongest_group(direction, lfc, cells)
    assert list(group) == [2, 0, 0, -1]
    np.testing.assert_allclose(mean, [(20 * 2 + 60 * 0.5) / 80, 0.5, 0.5, np.nan])
    share, mean = in_groups(direction > 0, lfc, cells)
    np.testing.assert_allclose(share[2], [1.0, 0.5, 0.0])
    np.testing.assert_allclose(mean[2], [0.5, 0.5, 0.0])


def test_genes_of_each_pattern():
    pattern = np.array(["region"] * 6 + [None, "opposite", "everywhere", "everywhere", "region"])
    assert list(of_each_pattern(pattern, 5)) == [0, 1, 7, 8, 9]
    assert list(of_each_pattern(pattern, 7)) == [0, 1, 2, 3, 7, 8, 9]
    assert len(of_each_pattern(pattern, 100)) == 10
    assert len(of_each_pattern(pattern[:0], 3)) == 0


def test_a_gene_in_a_part_of_few_cells_has_its_group_by_share():
    group, mean = strongest_group(
        np.array([[1, 0, 0]]), np.array([[2.0, 0, 0]]), np.array([[4.0, 6, 0], [1, 0, 9]])
    )
    assert group[0] == 0
    assert mean[0] == pytest.approx(0.8)


def test_genes_are_chosen_from_each_pattern_of_change():
    ranked = np.array([5, 3, 0, 1, 2, 4])
    pattern = np.array(["opposite", None, "region", "everywhere", None, "everywhere"], dtype=object)
    # Ranked, with one of each pattern: the gene of opposite changes and that of a region.
    assert first_genes(ranked, pattern, 3).tolist() == [5, 0, 2]
    assert first_genes(ranked, pattern, 2).tolist() == [5, 2]
    # Where too few could be localised, others follow.
    assert first_genes(ranked, pattern, 5).tolist() == [5, 3, 0, 1, 2]
    assert first_genes(ranked, None, 3).tolist() == [5, 3, 0]
