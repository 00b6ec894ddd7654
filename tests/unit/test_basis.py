import tracemalloc

import numpy as np
import pytest
import statediff.device
from dense import matern52
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist
from statediff import DataWarning
from statediff.basis import build_basis
from statediff.basis_values import triangular_factor

finite = st.floats(-10, 10, allow_nan=False, width=32)
# Few shapes: every new one is compiled.
shapes = st.tuples(st.sampled_from([2, 5, 17, 60]), st.sampled_from([1, 4]))
cells = shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=finite))
scales = st.floats(0.5, 50)


@settings(max_examples=60, deadline=None)
@given(cells, scales, st.sampled_from([1e-4, 1e-6, 1e-8]))
def test_the_residual_is_known_and_bounds_the_error(x, ls, tol):
    basis = build_basis(x, ls, tol=tol, noise=1e-9)
    phi = basis(x)
    kernel = matern52(x, x, ls)
    error = kernel - phi @ phi.T
    assert not basis.truncated
    assert basis.residual_max < tol
    # The residual is positive semi-definite: no entry exceeds its largest diagonal one.
    assert np.abs(error).max() <= 1.01 * tol + 1e-10
    assert np.trace(error) == pytest.approx(basis.residual_sum + basis.dropped, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(cells, scales, st.randoms(use_true_random=False))
def test_permuting_the_cells_changes_nothing(x, ls, random):
    order = list(range(len(x)))
    random.shuffle(order)
    first, second = build_basis(x, ls), build_basis(x[order], ls)
    np.testing.assert_array_equal(first.pivots, second.pivots)
    np.testing.assert_array_equal(first.factor, second.factor)
    a, b = first(x), second(x)
    np.testing.assert_allclose(a @ a.T, b @ b.T, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(cells, scales)
def test_duplicated_cells_add_no_functions(x, ls):
    basis = build_basis(np.vstack([x, x]), ls, tol=1e-8, noise=1e-9)
    # At a smaller distance the one pivot leaves the other a variance below the tolerance.
    assert (pdist(basis.pivots) > 7e-5 * ls).all()
    phi = basis(np.vstack([x, x]))
    kernel = matern52(x, x, ls)
    np.testing.assert_allclose(phi @ phi.T, np.tile(kernel, (2, 2)), atol=2e-8)


def test_rounding_chooses_no_other_pivots():
    """The distance of a cell to itself is often not exactly 0."""
    states = np.random.default_rng(0).normal(size=(480, 39)) * np.geomspace(6.0, 1.0, 39)
    pivots = build_basis(states, (10.0, 20.0, 40.0), 5e-3).pivots
    for seed in range(3):
        moved = states + 1e-15 * np.random.default_rng(seed).normal(size=states.shape)
        found = build_basis(moved, (10.0, 20.0, 40.0), 5e-3).pivots
        np.testing.assert_allclose(found, pivots, atol=1e-12)


def test_max_rank_stops_the_search_and_says_so():
    x = np.random.default_rng(0).normal(size=(100, 3))
    with pytest.warns(DataWarning, match="stopped at rank 7 .* raise gp.max_rank"):
        basis = build_basis(x, 1.0, max_rank=7)
    assert basis.truncated
    assert len(basis.pivots) == 7
    error = np.diag(matern52(x, x, 1.0)) - (basis(x) ** 2).sum(axis=1)
    assert basis.residual_max == pytest.approx(error.max(), abs=1e-10)
    assert basis.residual_sum == pytest.approx(error.sum(), abs=1e-9)


def test_as_many_pivots_as_cells():
    x = np.random.default_rng(0).uniform(size=(150, 2)) * 40
    basis = build_basis(x, 0.5)
    assert len(basis.pivots) == 150
    np.testing.assert_allclose(basis(x) @ basis(x).T, matern52(x, x, 0.5), atol=1e-7)


def test_cells_beyond_the_sample_are_covered_too(monkeypatch):
    rng = np.random.default_rng(0)
    # Some cells far out, which a sample of the others knows nothing of.
    x = np.vstack([rng.normal(size=(400, 3)), rng.normal([9, 0, 0], 0.5, size=(7, 3))])
    whole = build_basis(x, 2.0, tol=1e-7, noise=1e-6)
    monkeypatch.setattr("statediff.basis.SAMPLE", 40)
    monkeypatch.setattr("statediff.device.BLOCK", 64)
    basis = build_basis(x, 2.0, tol=1e-7, noise=1e-6)
    assert not basis.truncated
    assert basis.residual_max < 1e-7
    kernel = matern52(x, x, 2.0)
    phi = basis(x)
    assert np.abs(kernel - phi @ phi.T).max() < 2e-7
    assert np.trace(kernel - phi @ phi.T) == pytest.approx(basis.residual_sum + basis.dropped)
    np.testing.assert_allclose(basis.eigenvalues[:50], whole.eigenvalues[:50], rtol=1e-4)
    order = rng.permutation(len(x))
    np.testing.assert_array_equal(build_basis(x[order], 2.0, tol=1e-7).pivots, basis.pivots)


def test_a_sample_that_reaches_max_rank_stops_too(monkeypatch):
    monkeypatch.setattr("statediff.basis.SAMPLE", 40)
    x = np.random.default_rng(0).normal(size=(300, 3))
    with pytest.warns(DataWarning, match="stopped at rank 20"):
        basis = build_basis(x, 1.0, max_rank=20)
    error = 1.0 - (basis(x) ** 2).sum(axis=1)
    assert basis.residual_max == pytest.approx(error.max(), abs=1e-6)


def test_cells_far_out_are_covered_though_pivots_run_out(monkeypatch):
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(30, 3))
    far = 20 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    x = np.vstack([rng.normal(size=(600, 3)), far])
    monkeypatch.setattr("statediff.basis.SAMPLE", 100)
    with pytest.warns(DataWarning, match="stopped at rank 80"):
        basis = build_basis(x, 2.0, max_rank=80)
    # Of all cells at once, the largest would be 0.10.
    assert basis.residual_max < 0.3


@pytest.mark.parametrize(("max_rank", "least"), [(30, 0), (80, 1)])
def test_cells_far_out_cost_the_others_no_more_than_they_gain(monkeypatch, max_rank, least):
    """Of the pivots from the sample and those from it and the cells far out, the better ones."""
    left = []

    def unexplained(*arguments):
        residual = statediff.device.unexplained(*arguments)
        left.append(residual.sum())
        return residual

    monkeypatch.setattr("statediff.basis.unexplained", unexplained)
    monkeypatch.setattr("statediff.basis.SAMPLE", 100)
    rng = np.random.default_rng(0)
    x = np.vstack([rng.normal(size=(1200, 3)), 6 * rng.normal(size=(20, 3))])
    with pytest.warns(DataWarning, match="stopped at rank"):
        basis = build_basis(x, 2.0, max_rank=max_rank)
    assert len(left) == 2
    assert np.argmin(left) == least
    assert basis.residual_sum == pytest.approx(min(left))


@pytest.fixture
def passes(monkeypatch):
    """The number of cells in each pass over them."""
    counts, blocks = [], statediff.device._blocks

    def counted(states, width):
        counts.append(len(states))
        return blocks(states, width)

    monkeypatch.setattr("statediff.device._blocks", counted)
    return counts


@pytest.mark.parametrize("n", [800, 4000])
@pytest.mark.parametrize("tol", [1e-3, 1e-5])
def test_two_passes_reach_the_tolerance_at_every_cell(monkeypatch, passes, n, tol):
    monkeypatch.setattr("statediff.basis.SAMPLE", 200)
    monkeypatch.setattr("statediff.basis.CHUNK", 8)  # fewer than the cells above the tolerance
    x = np.random.default_rng(1).normal(size=(n, 4))
    basis = build_basis(x, 12.0, tol=tol)
    assert passes == [n, n]
    assert not basis.truncated
    assert basis.residual_max < tol
    error = 1.0 - (basis(x) ** 2).sum(axis=1)
    assert error.sum() == pytest.approx(basis.residual_sum + basis.dropped, rel=1e-6)
    monkeypatch.setattr("statediff.basis.SAMPLE", n)
    assert len(basis.pivots) < 1.15 * len(build_basis(x, 12.0, tol=tol).pivots) + 5


@pytest.mark.parametrize("max_rank", [60, 300])
def test_at_most_three_passes_if_the_rank_is_limited(monkeypatch, passes, max_rank):
    monkeypatch.setattr("statediff.basis.SAMPLE", 200)
    rng = np.random.default_rng(1)
    x = np.vstack([rng.normal(size=(1200, 4)), 8 * rng.normal(size=(300, 4))])
    with pytest.warns(DataWarning, match=f"stopped at rank {max_rank}"):
        basis = build_basis(x, 2.0, tol=1e-5, max_rank=max_rank)
    assert basis.truncated
    assert len(passes) <= 3
    assert set(passes) == {len(x)}
    error = 1.0 - (basis(x) ** 2).sum(axis=1)
    assert error.sum() == pytest.approx(basis.residual_sum + basis.dropped, rel=1e-6)


def test_a_limited_rank_leaves_little_more_than_the_best_functions():
    """The best r functions of all are the first r eigenvectors of the kernel matrix."""
    x = np.random.default_rng(2).normal(size=(600, 5))
    left = np.linalg.eigvalsh(matern52(x, x, 2.0))[::-1][100:].sum()
    with pytest.warns(DataWarning, match="stopped at rank 100"):
        basis = build_basis(x, 2.0, max_rank=100)
    assert left < basis.residual_sum < 2.5 * left


def test_memory_is_that_of_a_block_of_cells(monkeypatch):
    monkeypatch.setattr("statediff.basis.SAMPLE", 500)
    monkeypatch.setattr("statediff.basis.CHUNK", 500)
    monkeypatch.setattr("statediff.device.BLOCK", 512)
    x = np.random.default_rng(3).normal(size=(30_000, 2))
    build_basis(x, 6.0, tol=1e-4, max_rank=500)  # compiles, which takes memory of its own
    tracemalloc.start()
    try:
        basis = build_basis(x, 6.0, tol=1e-4, max_rank=500)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    values = 8 * len(x) * len(basis.pivots)  # of all functions at all cells
    assert len(basis.pivots) > 50
    assert peak < values / 2


def test_few_pivots_more_than_one_by_one():
    x = np.random.default_rng(5).normal(size=(800, 3))
    kernel, rows = matern52(x, x, 3.0), []
    left = np.ones(len(x))
    while left.max() >= 1e-6:
        pivot = left.argmax()
        row = kernel[pivot] - sum((r[pivot] * r for r in rows), np.zeros(len(x)))
        rows.append(row / np.sqrt(left[pivot]))
        left = np.maximum(left - rows[-1] ** 2, 0.0)
        left[pivot] = 0.0
    assert len(build_basis(x, 3.0).pivots) < 1.05 * len(rows)


def test_functions_are_eigenvectors_of_the_kernel():
    x = np.random.default_rng(2).normal(size=(120, 4))
    basis = build_basis(x, 6.0)
    gram = basis(x).T @ basis(x)
    np.testing.assert_allclose(gram, np.diag(basis.eigenvalues), atol=1e-9)
    dense = np.linalg.eigvalsh(matern52(x, x, 6.0))[::-1]
    np.testing.assert_allclose(basis.eigenvalues[:40], dense[:40], rtol=1e-5, atol=1e-7)
    assert basis.eigenvalues.min() >= 1e-8


def test_larger_noise_needs_fewer_functions():
    x = np.random.default_rng(2).normal(size=(120, 4))
    assert build_basis(x, 6.0, noise=100.0).rank < build_basis(x, 6.0, noise=1.0).rank


def test_new_cells_are_covered_where_there_is_data():
    rng = np.random.default_rng(3)
    x, new = rng.uniform(size=(180, 2)), rng.uniform(0.1, 0.9, size=(50, 2))
    basis = build_basis(x, 2.0)
    np.testing.assert_allclose(basis(new) @ basis(x).T, matern52(new, x, 2.0), atol=1e-5)


def test_triangular_factor_over_several_blocks(monkeypatch):
    monkeypatch.setattr("statediff.expression.BLOCK", 16)
    phi = np.random.default_rng(4).normal(size=(100, 7))
    factor = triangular_factor(phi)
    assert factor.shape == (7, 7)
    np.testing.assert_allclose(np.tril(factor, -1), 0)
    np.testing.assert_allclose(factor.T @ factor, phi.T @ phi)
