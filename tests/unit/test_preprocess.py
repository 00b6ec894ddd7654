"""Preprocessing, beside scanpy and harmonypy."""

import anndata
import harmonypy
import numpy as np
import pandas as pd
import pytest
import scanpy
from scipy import sparse, stats
from statediff import preprocess
from statediff.preprocess import (
    Moments,
    common_depth,
    covariance,
    expected_logarithm,
    integrate,
    log_normalise,
    logarithm,
    principal_components,
    project,
    quality,
    scale,
    variable_genes,
)
from statediff.simulate import Simulation

TARGET = 3000.0


@pytest.fixture(scope="module")
def simulation():
    return Simulation(seed=4, cells=600, genes=900, samples=2, counts_per_cell=150, sample_sd=0.6)


@pytest.fixture(scope="module")
def counts(simulation):
    """Some genes occur in no cell."""
    found = sparse.vstack(list(simulation.counts()), format="csr")
    return sparse.hstack([sparse.csr_matrix((600, 7)), found], format="csr")


@pytest.fixture(scope="module")
def normalised(counts, simulation):
    """Counts scaled by scanpy."""
    adata = anndata.AnnData(counts.astype(np.float64), obs=simulation.obs)
    scanpy.pp.normalize_total(adata, target_sum=TARGET)
    return adata


def in_blocks(matrix, step=170):
    """Row blocks, as a file would give them."""
    return [(start, matrix[start : start + step]) for start in range(0, matrix.shape[0], step)]


def found_moments(counts, batches):
    moments = Moments(batches, counts.shape[1])
    for start, block in in_blocks(counts):
        moments.add(start, scale(block, TARGET))
    return moments


def test_log_normalise_by_hand():
    counts = sparse.csr_matrix([[0, 1.0, 3.0], [0, 0, 0], [5.0, 0, 0]])
    found = log_normalise(counts)
    assert found.nnz == 3
    wanted = np.log2(np.array([[0, 2500, 7500], [0, 0, 0], [1e4, 0, 0]]) + 0.1) - np.log2(0.1)
    np.testing.assert_allclose(found.toarray(), wanted, rtol=1e-6, atol=1e-6)


def test_scaled_counts_are_those_of_scanpy(counts, normalised):
    found = scale(counts, TARGET)
    np.testing.assert_allclose(found.toarray(), normalised.X.toarray(), rtol=1e-12)
    logged = scanpy.pp.log1p(normalised.X * 10, copy=True) / np.log(2)
    np.testing.assert_allclose(logarithm(found).toarray(), logged.toarray(), rtol=1e-6)


def thinned(counts, total, depth):
    """Expected logarithm of some counts of one cell."""
    row = sparse.csr_matrix(np.atleast_2d(np.asarray(counts, dtype=np.float64)))
    return expected_logarithm(row, np.array([total]), depth).toarray()[0]


@pytest.mark.parametrize("share", [0.02, 0.3, 0.95, 1.0])
def test_the_expected_logarithm_is_the_mean_over_thinned_counts(share):
    counts = np.array([0, 1, 2, 3, 17, 80, 400, 5000])
    found = thinned(counts, 1000.0, 1000.0 * share)
    for count, value in zip(counts, found, strict=True):
        j = np.arange(count + 1)
        wanted = stats.binom.pmf(j, count, share) @ np.log1p(j)
        assert value == pytest.approx(wanted, abs=2e-4)


@pytest.mark.parametrize("total", [500.0, 700.0, 1000.0, 4000.0, 50_000.0])
@pytest.mark.parametrize("mean", [0.01, 0.3, 2.0, 30.0])
def test_its_mean_does_not_depend_on_the_depth(total, mean):
    """Not even in cells of half the common depth of 1000."""
    j = np.arange(400)
    wanted = stats.poisson.pmf(j, mean) @ np.log1p(j)
    k = np.arange(int(mean * total / 1000 + 12 * np.sqrt(mean * total / 1000) + 30))
    found = stats.poisson.pmf(k, mean * total / 1000) @ thinned(k, total, 1000.0)
    assert found == pytest.approx(wanted, rel=2e-3)
    # That of the logarithm of scaled counts does.
    naive = stats.poisson.pmf(k, mean * total / 1000) @ np.log1p(k * 1000 / total)
    assert total == 1000 or mean == 30 or abs(naive / wanted - 1) > 0.02


def test_cells_far_below_the_common_depth_stay_finite():
    found = thinned([1, 5, 30], 20.0, 1000.0)
    assert (np.diff(found) > 0).all()
    np.testing.assert_allclose(found, np.log1p(np.array([1, 5, 30]) * 50.0), rtol=0.3)


def test_the_common_depth_leaves_few_cells_out():
    rng = np.random.default_rng(0)
    even, uneven = 1000 * np.exp(np.outer([0.1, 1.5], rng.normal(size=2000)))
    assert common_depth(even) == np.median(even)
    assert (uneven < common_depth(uneven) / 2).mean() == pytest.approx(0.05, abs=1e-3)


def test_components_do_not_carry_depth():
    """Cells of one state, half of them sequenced half as deeply."""
    rng = np.random.default_rng(5)
    shallow = rng.random(600) < 0.5
    rates = 1500 * rng.dirichlet(np.full(300, 0.5)) * np.exp(0.5 * rng.normal(size=(600, 300)))
    counts = sparse.csr_matrix(rng.poisson(rates * np.where(shallow, 0.5, 1.0)[:, None]) * 1.0)
    totals = np.asarray(counts.sum(axis=1)).ravel()

    def largest_shift(values):
        mean, products = covariance([(0, values)], np.arange(300))
        scores = project([(0, values)], np.arange(300), mean, principal_components(products, 10)[0])
        shift = scores[shallow].mean(axis=0) - scores[~shallow].mean(axis=0)
        return np.abs(shift / scores.std(axis=0)).max()

    assert largest_shift(expected_logarithm(counts, totals, common_depth(totals))) < 0.3
    assert largest_shift(log_normalise(counts)) > 1.0


def test_quality_by_hand():
    counts = sparse.csr_matrix([[5, 0, 1, 0], [0, 0, 9, 0], [1, 1, 1, 0], [0, 0, 0, 0]])
    found = quality(in_blocks(counts, 3), 4, min_counts=3, min_genes=2)
    assert found.counts.tolist() == [6, 9, 3, 0]
    assert found.genes.tolist() == [2, 1, 3, 0]
    assert found.kept.tolist() == [True, False, True, False]
    assert found.cells.tolist() == [2, 1, 2, 0]


@pytest.mark.parametrize("n", [60, 400, 2000])
@pytest.mark.parametrize("batch", [None, "sample"])
def test_variable_genes_are_those_of_scanpy(counts, normalised, batch, n):
    n_found = int((counts.sum(axis=0) > 0).sum())
    codes = np.zeros(counts.shape[0], dtype=int)
    if batch:
        codes = normalised.obs[batch].cat.codes.to_numpy().astype(int)
    found = variable_genes(found_moments(counts, codes), n)
    logged = scanpy.pp.log1p(normalised, copy=True)
    options = {"n_top_genes": min(n, n_found), "batch_key": batch, "inplace": False}
    wanted = scanpy.pp.highly_variable_genes(logged, **options)["highly_variable"]
    np.testing.assert_array_equal(found, np.flatnonzero(wanted))


def test_genes_are_not_ranked_in_small_batches(counts):
    batches = np.zeros(counts.shape[0], dtype=int)
    batches[300:] = 1
    small = batches.copy()
    small[-9:] = 2
    without = [found_moments(counts[:-9], batches[:-9]), found_moments(counts, small)]
    first, second = (variable_genes(moments, 100) for moments in without)
    np.testing.assert_array_equal(first, second)


def test_components_are_those_of_scanpy(counts, normalised, monkeypatch):
    monkeypatch.setattr(preprocess, "DENSE_VALUES", 5000)
    logged = logarithm(scale(counts, TARGET))
    genes = np.flatnonzero(counts.sum(axis=0) > 20)
    mean, products = covariance(in_blocks(logged), genes)
    loadings, variance = principal_components(products, 12)
    found = project(in_blocks(logged, 250), genes, mean, loadings)

    adata = anndata.AnnData(logged.astype(np.float64)[:, genes])
    scanpy.pp.pca(adata, n_comps=12, svd_solver="arpack")
    np.testing.assert_allclose(variance, adata.uns["pca"]["variance"], rtol=1e-8)
    ratio = variance / np.trace(products)
    np.testing.assert_allclose(ratio, adata.uns["pca"]["variance_ratio"], rtol=1e-8)
    signs = np.sign((adata.varm["PCs"] * loadings).sum(axis=0))
    np.testing.assert_allclose(loadings, adata.varm["PCs"] * signs, atol=1e-6)
    np.testing.assert_allclose(found, adata.obsm["X_pca"] * signs, atol=1e-4)
    assert found.dtype == np.float32
    # Signs follow from the loadings, not from the solver.
    assert (loadings.max(axis=0) >= -loadings.min(axis=0)).all()


def test_harmony_is_that_of_harmonypy(simulation):
    rng = np.random.default_rng(0)
    table = simulation.obs[["sample", "lineage"]]
    batches = {name: table[name].cat.codes.to_numpy() for name in table}
    components = rng.normal(size=(600, 5)) + 3.0 * (batches["sample"] % 2)[:, None]
    found = integrate(components, batches, theta=1.5, seed=7, threads=2)
    options = {"theta": 1.5, "random_state": 7, "ncores": 1, "verbose": False}
    wanted = harmonypy.run_harmony(components, table, list(table), **options).Z_corr
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    means = pd.DataFrame(found).groupby(batches["sample"] % 2).mean()
    assert np.abs(means.loc[1] - means.loc[0]).max() < 2.0
