"""Effects of samples that vary along the states, against simulations of known effects."""

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import false_discovery_control
from statediff.blocks import centroids, contrast_weights, find_blocks, nested_regions
from statediff.design import Design
from statediff.linear import size_factors
from statediff.matching import mix_samples
from statediff.preprocess import log_normalise, scale
from statediff.residual import BlockSums, block_sums, residual_test
from statediff.sample_effects import fit_sample_effects

CONDITIONS = np.array([0, 0, 0, 1, 1, 1])
REGIONS = np.array([[1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1], [1] * 8], dtype=bool)


def sums_of(effects, rng, cells=12):
    """Sums of normal values of variance 1 with these effects (blocks, samples, genes)."""
    blocks, samples, genes = effects.shape
    means = 3.0 + effects + rng.normal(0, cells**-0.5, effects.shape)
    within = rng.chisquare(samples * (cells - 1), (blocks, genes))
    total, count = cells * means.sum(axis=1), cells * samples
    squares = cells * (means**2).sum(axis=1) + within
    weights = cells * (CONDITIONS - 0.5)
    return BlockSums(
        cells=np.full((blocks, samples), float(cells)),
        sums=cells * means,
        squares=squares,
        # Of values without skewness.
        cubes=3.0 * total / count * squares - 2.0 * total**3 / count**2,
        contrast=np.einsum("s,ksg->kg", weights, means),
        information=np.full(blocks, count / 4.0),
        skew=np.zeros(blocks),
        exposure=np.tile(weights, (blocks, 1)),
        design=Design.unpaired(CONDITIONS),
    )


def test_one_gene_of_two_sexes_among_24000():
    """Its factor is a thousand times that of any other gene, and must not be lost among them."""
    rng = np.random.default_rng(0)
    effects = 0.1 * rng.normal(size=(1, 6, 24_000)).repeat(8, axis=0)
    effects[:, :, 0] = 2.0 * np.array([1, -1, -1, 1, 1, -1])
    found = residual_test([(sums_of(effects, rng), REGIONS)], True)
    assert found["pvalue"][0] > 0.01
    assert found["sample_effect"][0] > 20.0
    null = found["pvalue"][1:]
    assert 0.035 < (null < 0.05).mean() < 0.065
    assert (null < 0.001).mean() < 0.002


def test_the_correlation_between_blocks_is_learnt():
    rng = np.random.default_rng(1)
    # Blocks 0 to 3 share a sample's effects, and so do 4 to 7.
    effects = 0.3 * rng.normal(size=(2, 6, 3000)).repeat(4, axis=0)
    found = fit_sample_effects(sums_of(effects, rng))
    correlation = found.loadings @ found.loadings.T + np.diag(found.remainder)
    same = np.kron(np.eye(2), np.ones((4, 4)))
    np.testing.assert_allclose(correlation, same, atol=0.12)
    np.testing.assert_allclose(found.trend.mean(), 0.09, rtol=0.1)
    np.testing.assert_allclose((found.loadings**2).sum(axis=1) + found.remainder, 1.0)
    assert np.median(found.mean) == pytest.approx(1.0, abs=0.3)


def test_effects_of_their_own_in_each_block_hold_the_level():
    """One effect for all blocks would be averaged away where there are many."""
    rng = np.random.default_rng(2)
    effects = 0.5 * rng.normal(size=(2, 6, 2000)).repeat(4, axis=0)
    null = residual_test([(sums_of(effects, rng), REGIONS)], True)["pvalue"]
    assert 0.03 < (null < 0.05).mean() < 0.065
    assert not (false_discovery_control(null) < 0.05).any()


def simulated(seed, samples, sizes, sd, genes=1000, cells=1500):
    """Counts of four cell types in samples with effects of their own in each type."""
    rng = np.random.default_rng(seed)
    conditions = np.repeat([0, 1], samples)
    sample = rng.choice(2 * samples, cells, p=np.array(sizes) / np.sum(sizes))
    kind = rng.choice(4, cells, p=[0.4, 0.3, 0.2, 0.1])
    rates = rng.normal(0, 1.2, genes) + (rng.random((4, genes)) < 0.3) * rng.normal(size=(4, genes))
    effects = rng.normal(0, sd, (2 * samples, 4, genes))
    rate = np.exp(rates[kind] + effects[sample, kind])
    depth = 2000 * np.exp(rng.normal(0, 0.3, cells))
    rate *= (depth / rate.sum(axis=1))[:, None] * rng.gamma(5.0, 0.2, rate.shape)
    return sparse.csr_matrix(rng.poisson(rate)), sample, conditions


def components(counts, n=20):
    from sklearn.decomposition import PCA

    pca = PCA(n, svd_solver="randomized", random_state=0)
    return pca.fit_transform(log_normalise(counts).toarray()).astype(float)


def pvalues(counts, coordinates, sample, conditions, aware=True):
    """Of the residual test on linear values, as the workflow runs it."""
    codes, moved, _ = find_blocks(coordinates, sample, conditions)
    labels = conditions[sample] == 1
    parts = [(of, [contrast_weights(labels, moved, of)]) for of in codes]
    values = scale(counts)
    ((sums,),) = block_sums([(0, values)], parts[:1], sample, Design.unpaired(conditions))
    factors = size_factors(sums.sums.sum(axis=0), sums.sums.sum(axis=1), sums.cells)
    values = (sparse.diags(1.0 / factors[sample]) @ values).tocsr()
    found = block_sums([(0, values)], parts, sample, Design.unpaired(conditions))
    tested = [
        (sums, nested_regions(centroids(moved, of)))
        for (sums,), of in zip(found, codes, strict=True)
    ]
    return residual_test(tested, aware)["pvalue"]


@pytest.mark.parametrize(
    ("samples", "sizes", "most"),
    [(2, (1, 1, 1, 1), 0.075), (3, (1, 2, 6, 1, 2, 6), 0.065)],
)
def test_counts_with_effects_by_sample_and_type_hold_the_level(samples, sizes, most):
    counts, sample, conditions = simulated(3, samples, sizes, 0.3)
    null = pvalues(counts, components(counts), sample, conditions)
    assert 0.02 < (null < 0.05).mean() < most
    assert (false_discovery_control(null) < 0.05).sum() <= 1


def test_mixed_samples_all_but_meet_and_a_missing_type_stays_together():
    """Three types, of which one is missing in the samples of one condition, which are far off."""
    rng = np.random.default_rng(4)
    sample, kind = rng.integers(0, 4, 1200), rng.integers(0, 3, 1200)
    kept = (kind < 2) | (sample < 2)
    sample, kind = sample[kept], kind[kept]
    centres = np.array([[0, 0, 0, 0], [9, 0, 0, 0], [0, 9, 0, 0]], dtype=float)
    values = centres[kind] + rng.normal(0, 0.7, (len(kind), 4))
    values[:, 2] += 5.0 * (sample >= 2)
    mixed = mix_samples(values, sample)
    for of in (0, 1):
        means = np.array([mixed[(sample == s) & (kind == of)].mean(axis=0) for s in range(4)])
        assert np.ptp(means, axis=0).max() < 1.0
    means = np.array([mixed[kind == of].mean(axis=0) for of in range(3)])
    between = np.linalg.norm(means[:, None] - means, axis=2)
    assert between[np.triu_indices(3, 1)].min() > 7.0
    # Samples that mix already stay where they are.
    again = mix_samples(mixed, sample)
    assert np.linalg.norm(again - mixed, axis=1).mean() < 0.5


KNOWN = {
    "kang_donors": ("stim", 400, {"ISG15", "IFI6", "ISG20", "LY6E", "MX1", "IFIT1", "IFIT3"}),
    "embryo_tal1": ("KO", 150, set()),
}


@pytest.mark.parametrize("name", KNOWN)
def test_conditions_that_separate_the_cells(shared, name):
    """Real data: the condition moves all cells, and the known genes are found all the same."""
    import anndata

    compared, least, leading = KNOWN[name]
    adata = anndata.read_h5ad(shared / f"data/real/{name}.h5ad")
    counts, sample = sparse.csr_matrix(adata.X), adata.obs["sample"].astype("category")
    condition = (adata.obs["condition"].astype(str) == compared).to_numpy()
    codes = sample.cat.codes.to_numpy().astype(int)
    conditions = np.array([int(condition[codes == s][0]) for s in range(codes.max() + 1)])
    found = pvalues(counts, components(counts, 30), codes, conditions)
    assert (false_discovery_control(found) < 0.05).sum() >= least
    assert len(leading & set(adata.var_names[np.argsort(found)[:20]])) >= 5 * bool(leading)


def test_real_control_cells_hold_the_level(shared):
    """Random halves of the control cells, and the animals of one genotype two by two."""
    import anndata

    adata = anndata.read_h5ad(shared / "data/real/airway_cftr.h5ad")
    adata = adata[(adata.obs["condition"] == "WT").to_numpy()]
    counts, animal = sparse.csr_matrix(adata.X), adata.obs["sample"].astype("category")
    animal, coordinates = animal.cat.codes.to_numpy().astype(int), components(counts, 30)
    split = [
        pvalues(counts, coordinates, animal, np.where(np.isin(range(4), pair), 0, 1))
        for pair in ((0, 1), (0, 2), (0, 3))
    ]
    half = np.random.default_rng(0).integers(0, 2, len(animal))
    halves = pvalues(counts, coordinates, half, np.array([0, 1]), aware=False)
    for null in (np.concatenate(split), halves):
        assert 0.02 < (null < 0.05).mean() < 0.07
    called = [(false_discovery_control(null) < 0.05).sum() for null in (*split, halves)]
    assert np.mean(called) <= 0.5
