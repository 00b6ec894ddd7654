"""Linear values recovered from layers of log expression, and size factors of samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from statediff.linear import (
    TARGET,
    cell_units,
    infer_transform,
    linear_blocks,
    size_factors,
)
from statediff.preprocess import log_normalise

BASES = {"natural": np.e, "2": 2.0, "10": 10.0}


def draw_counts(rng, cells=60, genes=300, depth=800.0, sd=0.4):
    """Counts of cells of different depth, many of zero, a few of hundreds."""
    rates = rng.gamma(0.3, 1.0, genes)
    depths = depth * np.exp(sd * rng.normal(size=(cells, 1)))
    return sparse.csr_matrix(rng.poisson(depths * rates / rates.sum()).astype(np.float64))


def scaled(counts, target):
    totals = np.maximum(np.asarray(counts.sum(axis=1)).ravel(), 1.0)
    return sparse.csr_matrix(sparse.diags(target / totals) @ counts)


def transformed(counts, target, base, pseudocount):
    """log(x + c) − log(c) of scaled counts, each step in single precision."""
    layer = scaled(counts, target).astype(np.float32)
    c, unit = np.float32(pseudocount), np.float32(np.log(base))
    layer.data = np.log(layer.data + c) / unit - np.log(c) / unit
    return layer


def of_counts(layer, transform):
    """Linear values by the unit of each cell: counts, if all is right."""
    linear = transform.linear_rows(layer)
    return sparse.diags(1.0 / cell_units(linear, transform)) @ linear


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    base=st.sampled_from(sorted(BASES)),
    pseudocount=st.sampled_from([0.1, 0.5, 1.0]),
    target=st.sampled_from([1e3, 1e4, 1e6, None]),
    depth=st.sampled_from([30.0, 800.0, 20_000.0]),
)
def test_counts_come_back_from_any_logarithm(seed, base, pseudocount, target, depth):
    counts = draw_counts(np.random.default_rng(seed), depth=depth)
    target = target or np.median(np.asarray(counts.sum(axis=1)))
    layer = transformed(counts, target, BASES[base], pseudocount)
    found = infer_transform(layer)
    assert found is not None
    assert (found.name, found.base) == (f"logarithm ({base})", BASES[base])
    assert found.scaled
    relative = found.linear_rows(layer) - scaled(counts, target) / pseudocount
    assert np.abs(relative.data).max() < 1e-4 * target / pseudocount
    # Cells whose counts are all even have another unit, and there are hardly any.
    wrong = np.abs((of_counts(layer, found) - counts).toarray()).max(axis=1) > 1e-3 * counts.max()
    assert wrong.mean() < 0.1


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    base=st.sampled_from(sorted(BASES)),
    pseudocount=st.sampled_from([0.01, 0.1, 1.5]),
)
def test_the_value_of_zero_may_be_another(seed, base, pseudocount):
    counts = draw_counts(np.random.default_rng(seed))
    dense = np.log(scaled(counts, 1e4).toarray() + pseudocount) / np.log(BASES[base])
    layer = sparse.csr_matrix(dense.astype(np.float32))
    found = infer_transform(layer)
    assert found.base == BASES[base]
    assert found.pseudocount == pytest.approx(pseudocount, rel=1e-5)
    linear = found.linear_rows(layer)
    assert linear.nnz == counts.nnz
    np.testing.assert_allclose(linear.toarray(), scaled(counts, 1e4).toarray(), rtol=1e-4)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["square root", "cube root", "arcsinh", "z-scores", "imputed",
                          "estimates", "residuals"]),
)  # fmt: skip
def test_other_values_are_not_taken_for_logarithms(seed, kind):
    rng = np.random.default_rng(seed)
    counts = draw_counts(rng)
    layer = transformed(counts, 1e4, np.e, 1.0).astype(np.float64)
    dense = layer.toarray()
    if kind in ("square root", "cube root", "arcsinh"):
        layer = scaled(counts, 1e4)
        function = {"square root": np.sqrt, "cube root": np.cbrt, "arcsinh": np.arcsinh}[kind]
        layer.data = function(layer.data)
    elif kind == "estimates":
        counts.data *= np.where(rng.random(counts.nnz) < 0.3, rng.random(counts.nnz), 1.0)
        layer = transformed(counts, 1e4, np.e, 1.0)
    elif kind == "imputed":
        layer = sparse.csr_matrix(0.7 * dense + 0.3 * dense[rng.permutation(len(dense))])
    elif kind == "z-scores":
        layer = sparse.csr_matrix((dense - dense.mean(axis=0)) / (dense.std(axis=0) + 1e-9))
    else:
        mean = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
        layer = sparse.csr_matrix((counts.toarray() - mean) / np.sqrt(mean + mean**2 / 100 + 1e-9))
    assert infer_transform(layer) is None


def test_counts_and_logarithms_of_counts_that_nobody_scaled():
    counts = draw_counts(np.random.default_rng(0))
    found = infer_transform(counts)
    assert (found.name, found.scaled) == ("counts", False)
    for base in BASES.values():
        layer = counts.copy()
        layer.data = np.log1p(layer.data) / np.log(base)
        found = infer_transform(layer.astype(np.float32))
        assert (found.base, found.scaled) == (base, False)
    found = infer_transform(scaled(counts, 1e4).astype(np.float32))
    assert (found.base, found.scaled) == (None, True)


def test_genes_left_out_after_the_scaling():
    rng = np.random.default_rng(1)
    counts = draw_counts(rng, genes=2000)
    kept = rng.choice(2000, 150, replace=False)
    layer = log_normalise(counts)[:, kept]
    found = infer_transform(layer)
    assert found.base == 2.0
    assert found.scaled
    linear, expected = 0.1 * found.linear_rows(layer), scaled(counts, 1e4)[:, kept]
    np.testing.assert_allclose(linear.toarray(), expected.toarray(), rtol=1e-4)


def test_cells_with_a_count_of_every_gene():
    counts = np.random.default_rng(4).poisson(8.0, (50, 12)) + 1.0
    counts[:5] -= 1.0
    layer = transformed(sparse.csr_matrix(counts), 1e4, 2.0, 0.1)
    found = infer_transform(layer)
    assert (found.base, found.zero) == (2.0, 0.0)


def test_cells_of_one_distinct_value_say_nothing_and_do_no_harm():
    counts = sparse.csr_matrix((np.random.default_rng(2).random((80, 50)) < 0.1).astype(float))
    layer = transformed(counts, 1e4, np.e, 1.0)
    assert infer_transform(layer) is None
    several = draw_counts(np.random.default_rng(3), cells=20, genes=50)
    layer = sparse.vstack([layer, transformed(several, 1e4, np.e, 1.0)], format="csr")
    found = infer_transform(layer)
    assert found.base == np.e
    np.testing.assert_allclose(of_counts(layer, found)[:80].toarray(), counts.toarray(), rtol=1e-5)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (4, 4)])
def test_nothing_to_infer_from(shape):
    assert infer_transform(sparse.csr_matrix(shape)) is None


def test_units_of_cells_without_a_count_of_one():
    counts = sparse.csr_matrix([[2.0, 3, 0, 4], [6, 9, 0, 15], [0, 0, 0, 0], [5, 7, 11, 13]])
    layer = scaled(counts, 1e4)
    units = cell_units(layer, infer_transform(scaled(draw_counts(np.random.default_rng(0)), 1e4)))
    # The second has a common divisor.
    np.testing.assert_allclose(units[[0, 1, 3]], 1e4 / np.array([9, 10, 36]))
    assert np.isnan(units[2])


@pytest.mark.parametrize("dense", [False, True])
def test_linear_blocks_are_counts_per_10_000(dense):
    counts = draw_counts(np.random.default_rng(5))
    layer = transformed(counts, 5e3, 2.0, 0.5)
    if dense:
        layer = sparse.csr_matrix(layer.toarray() + np.float32(np.log2(0.5)))
    found = infer_transform(layer)
    totals = np.asarray(found.linear_rows(layer).sum(axis=1)).ravel()
    blocks = [(start, layer[start : start + 17]) for start in range(0, 60, 17)]
    starts, made = zip(*linear_blocks(blocks, found, TARGET / totals), strict=True)
    assert starts == (0, 17, 34, 51)
    expected = scaled(counts, 1e4).toarray()
    np.testing.assert_allclose(sparse.vstack(made).toarray(), expected, rtol=1e-4, atol=1e-3)


def sums_of(linear, codes, samples):
    """What size factors are taken from, by the definitions."""
    of_block = np.eye(codes.max() + 1)[codes].T
    of_sample = np.eye(samples.max() + 1)[samples].T
    return of_sample @ linear, of_block @ linear, of_block @ of_sample.T


def test_one_block_gives_the_median_of_ratios():
    """For many counts, as DESeq2 has it, up to the reference of the ratios."""
    rng = np.random.default_rng(0)
    mean, factors = rng.gamma(2.0, 2000.0, 501), np.array([0.5, 1.0, 2.0])
    sums = rng.poisson(mean * factors[:, None]).astype(float)
    logs = np.log(sums)
    ratios = np.exp(np.median(logs - logs.mean(axis=0), axis=1))
    found = size_factors(sums, sums.sum(axis=0, keepdims=True), np.full((1, 3), 40.0))
    np.testing.assert_allclose(found, ratios / np.exp(np.log(ratios).mean()), rtol=2e-3)


def test_one_gene_of_many_counts_moves_no_other():
    rng = np.random.default_rng(1)
    share = rng.dirichlet(np.full(800, 0.5))
    large = np.concatenate([[0.3], 0.7 * share[1:] / share[1:].sum()])
    small = np.concatenate([[0.15], 0.85 * share[1:] / share[1:].sum()])
    samples, codes = np.repeat([0, 1, 2, 3], 150), rng.integers(0, 5, 600)
    rates = np.where((samples < 2)[:, None], large, small)
    linear = scaled(sparse.csr_matrix(rng.poisson(2000 * rates)), 1e4).toarray()
    found = size_factors(*sums_of(linear, codes, samples))
    assert found[:2] / found[2:] == pytest.approx(0.7 / 0.85, rel=0.01)


def test_other_abundances_are_no_size_factor():
    """Two types of cells with nothing in common, of which one sample has mostly the first."""
    rng = np.random.default_rng(2)
    kinds = rng.dirichlet(np.full(600, 0.4), size=2)
    samples = np.repeat([0, 1], 400)
    codes = (rng.random(800) > np.where(samples == 0, 0.9, 0.3)).astype(int)
    true = np.array([1.25, 0.8])
    linear = scaled(sparse.csr_matrix(rng.poisson(2000 * kinds[codes])), 1e4).toarray()
    linear *= true[samples][:, None]
    found = size_factors(*sums_of(linear, codes, samples))
    np.testing.assert_allclose(found, true, rtol=0.02)
    pooled = size_factors(*sums_of(linear, np.zeros(800, int), samples))
    assert abs(pooled[0] / true[0] - 1) > 0.05


def test_a_sample_of_few_cells_and_one_of_none():
    rng = np.random.default_rng(3)
    share, samples = rng.dirichlet(np.full(3000, 0.3)), np.repeat([0, 1, 3], [300, 300, 15])
    linear = scaled(sparse.csr_matrix(rng.poisson(1500 * share, (615, 3000))), 1e4).toarray()
    found = size_factors(*sums_of(linear, rng.integers(0, 3, 615), samples))
    assert found[2] == 1.0
    np.testing.assert_allclose(found, 1.0, atol=0.04)


def test_samples_that_share_no_gene_have_no_factor():
    sums = np.array([[5.0, 0], [0, 5]])
    assert size_factors(sums, sums.sum(axis=0, keepdims=True), np.ones((1, 2))).tolist() == [1, 1]
