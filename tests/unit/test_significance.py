import dense
import numpy as np
import pytest
from scipy import sparse
from scipy.stats import norm
from statediff.significance import (
    GRID_POINTS,
    cauchy_combination,
    choose_null_genes,
    false_discovery_rates,
    omnibus_test,
    permutation_test,
    permute_null_genes,
    rank_genes,
)


def textbook(real, null, gaps):
    """Local and tail FDR written out: kernel sums, pooled means, interpolation."""
    grid = np.linspace(0, 1.05 * max(real.max(), null.max()), GRID_POINTS)

    def density(sample):
        mirrored = np.concatenate([-sample, sample])
        width = mirrored.std(ddof=1) * len(mirrored) ** (-1 / 5)
        bumps = np.exp(-(((grid[:, None] - mirrored) / width) ** 2) / 2)
        f = dense.antitonic(2 * bumps.sum(axis=1) / (len(mirrored) * width * np.sqrt(2 * np.pi)))
        return f / ((f[1:] + f[:-1]) / 2 * np.diff(grid)).sum()

    f0, f = density(null), density(real)
    empty = f <= 1e-10 * f.max()
    ratio = np.where(empty, 1.0, np.minimum(f0 / np.where(empty, 1, f), 1.0))
    kept = np.ones_like(empty) if gaps == "one" else ~empty
    local = np.interp(real, grid[kept], dense.antitonic(ratio[kept]))
    tails = [np.array([x[i:].sum() for i in range(len(x))]) for x in (f0, f)]
    beyond = tails[1] == 0
    ratio = np.where(beyond, 1.0, np.minimum(tails[0] / np.where(beyond, 1, tails[1]), 1.0))
    tail = np.interp(real, grid, dense.antitonic(ratio))
    return local, tail


@pytest.fixture(scope="module")
def distances():
    rng = np.random.default_rng(0)
    null = rng.gamma(4, 1, 2000)
    return np.concatenate([rng.gamma(4, 1, 3000), rng.uniform(9, 25, 30), [100.0, 240.0]]), null


@pytest.mark.parametrize("gaps", ["skip", "one"])
def test_rates_against_the_textbook(distances, gaps):
    found = false_discovery_rates(*distances, gaps=gaps)
    local, tail = textbook(*distances, gaps)
    np.testing.assert_allclose(found["local_fdr"], local, atol=1e-9)
    np.testing.assert_allclose(found["tail_fdr"], tail, atol=1e-9)
    assert (found["is_de"] == (found["local_fdr"] < 0.05)).all()


def test_gaps_set_to_one_raise_the_floor_of_all_called_genes(distances):
    one, skip = (false_discovery_rates(*distances, gaps=gaps) for gaps in ("one", "skip"))
    assert (one["local_fdr"] >= skip["local_fdr"] - 1e-12).all()
    assert one["local_fdr"].min() > 0.01
    assert skip["local_fdr"].min() < 1e-9


def test_pvalues_are_shares_of_the_null():
    real, null = np.array([0.5, 2.5, 9.0]), np.array([1.0, 2.0, 3.0, 4.0])
    found = false_discovery_rates(real, null)["pvalue"]
    # The last would be zero: it gets the smallest positive one.
    np.testing.assert_allclose(found, [1.0, 0.5, 0.5])


def test_no_gene_is_called_where_nothing_differs():
    rng = np.random.default_rng(1)
    found = false_discovery_rates(rng.gamma(4, 1, 3000), rng.gamma(4, 1, 2000))
    assert found["is_de"].sum() <= 3


def test_rates_fall_with_the_distance(distances):
    found = false_discovery_rates(*distances)
    order = np.argsort(distances[0])
    for name in ("local_fdr", "tail_fdr", "pvalue"):
        assert (np.diff(found[name][order]) <= 1e-12).all()


@pytest.mark.parametrize(
    ("real", "null", "message"),
    [
        ([1.0, np.nan], [1.0, 2.0], "finite"),
        ([0.0, 0.0], [1.0, 2.0], "zero"),
        ([1.0, 2.0], [0.0, 0.0], "zero"),
    ],
)
def test_impossible_distances_are_refused(real, null, message):
    with pytest.raises(ValueError, match=message):
        false_discovery_rates(real, null)


def test_unknown_gaps_are_refused(distances):
    with pytest.raises(ValueError, match="'two'"):
        false_discovery_rates(*distances, gaps="two")


def test_null_genes_are_drawn_as_published():
    columns, seeds = choose_null_genes(5000, 2000, 42)
    assert len(np.unique(columns)) == 2000
    assert columns.tolist() == np.random.RandomState(42).choice(5000, 2000, False).tolist()
    state = np.random.RandomState(42)
    assert seeds[:3].tolist() == [state.randint(0, 2**31 - 1) for _ in range(3)]
    few, _ = choose_null_genes(10, 50, 42)
    assert set(few) <= set(range(10))


def test_shuffling_is_the_published_permutation_and_stays_sparse():
    rng = np.random.default_rng(2)
    values = rng.poisson(0.3, size=(80, 5)).astype(float)
    seeds = np.array([3, 1, 4, 1, 5])
    shuffled = permute_null_genes(sparse.csc_matrix(values), seeds)
    for g, seed in enumerate(seeds):
        wanted = values[np.random.RandomState(seed).permutation(80), g]
        np.testing.assert_array_equal(shuffled[:, [g]].toarray().ravel(), wanted)
    assert shuffled.nnz == np.count_nonzero(values)


def test_combination_of_pvalues():
    p = np.array([[0.2, 1e-8], [0.4, 0.999]])
    found = cauchy_combination(p)
    mean = np.tan((0.5 - p[:, 0]) * np.pi).mean()
    assert found[0] == pytest.approx(0.5 - np.arctan(mean) / np.pi)
    # A p-value near 1 does not undo a small one.
    assert 1e-8 < found[1] < 3e-8
    np.testing.assert_allclose(cauchy_combination(np.full((3, 2), 0.01)), 0.01)


def test_permutation_test_is_the_share_of_permuted_distances():
    permuted = np.array([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [3.0, 1.0, 0.0]])
    found = permutation_test(np.array([10.0, 1.0, 5.0]), permuted)
    t = [10 / np.sqrt(14 / 3), 1 / np.sqrt(2.0)]
    np.testing.assert_allclose(found["standardised"], [*t, 0.0])
    squares = permuted[:, :2] ** 2
    null = [
        np.sqrt(squares[r, g] / np.delete(squares[:, g], r).mean())
        for r in range(3)
        for g in range(2)
    ]
    expected = [(1 + sum(x >= value for x in null)) / 7 for value in t]
    np.testing.assert_allclose(found["pvalue"], [*expected, 1.0])
    with pytest.raises(ValueError, match="found 1"):
        permutation_test(np.ones(3), np.ones((1, 3)))


def test_ranking_of_genes():
    statistics = {"pvalue": np.array([0.5, 0.0, 0.0]), "standardised": np.array([9.0, 2.0, 3.0])}
    assert rank_genes(statistics, "pvalue").tolist() == [2, 1, 0]
    assert rank_genes(statistics, "standardised").tolist() == [0, 2, 1]


def test_omnibus_holds_its_level_where_contrasts_share_a_reference():
    rng = np.random.default_rng(0)
    means = rng.normal(size=(4, 20_000))
    z = (means[1:] - means[0]) / np.sqrt(2.0)
    found = omnibus_test(2.0 * norm.sf(np.abs(z)))
    for alpha in (0.1, 0.01):
        assert (found["pvalue"] < alpha).mean() == pytest.approx(alpha, rel=0.2)
    assert not found["called"].any()


def test_omnibus_tells_which_contrasts_differ():
    """Half of the genes differ at the second of three levels, and at no other."""
    rng = np.random.default_rng(1)
    true, shares = np.arange(4000) < 2000, []
    for _ in range(10):
        z = rng.normal(size=(3, 4000))
        z[1, true] += 4.0
        found = omnibus_test(2.0 * norm.sf(np.abs(z)))
        assert found["called"][true].mean() > 0.8
        assert found["differs"][1, true].mean() > 0.8
        false = found["differs"] & ~(true & (np.arange(3) == 1)[:, None])
        within = false.sum(axis=0) / np.maximum(found["differs"].sum(axis=0), 1)
        shares.append(within[found["called"]].mean())
        assert not found["differs"][:, ~found["called"]].any()
    assert np.mean(shares) < 0.06


def test_omnibus_of_p_values_at_the_ends():
    found = omnibus_test(np.array([[0.0, 1.0], [1.0, 1.0]]))
    assert found["pvalue"].tolist() == [pytest.approx(0.0, abs=1e-300), 1.0]
    assert found["differs"].tolist() == [[True, False], [False, False]]
