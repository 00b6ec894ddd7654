"""From a stored matrix to what tests read of it."""

import anndata
import h5py
import numpy as np
import pytest
from scipy import sparse
from statediff import normalisation
from statediff.linear import infer_transform
from statediff.normalisation import (
    Normalisation,
    agrees,
    expression_blocks,
    normalise,
    of_counts,
    sample_rows,
)
from statediff.preprocess import log_normalise
from statediff.store import read_arrays, write_arrays

N, GENES = 120, 200


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(0)
    rates, depth = rng.dirichlet(np.full(GENES, 0.4)), 500 * np.exp(0.5 * rng.normal(size=(N, 1)))
    found = rng.poisson(depth * rates).astype(np.float64)
    found[7] = 0
    return sparse.csr_matrix(found)


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Write a matrix as a store does, and open it; read in blocks of few rows."""
    monkeypatch.setattr(normalisation, "AT_ONCE", 900)
    opened = []

    def write(matrix):
        path = tmp_path / f"{len(opened)}.h5ad"
        anndata.AnnData(sparse.csr_matrix(matrix, dtype=np.float32)).write_h5ad(path)
        opened.append(h5py.File(path))
        return opened[-1]["X"]

    yield write
    for file in opened:
        file.close()


def inferred(matrix):
    return normalise(matrix, infer_transform(sample_rows(matrix)[1]))


def per_10_000(counts):
    totals = np.asarray(counts.sum(axis=1))
    return counts.toarray() / np.maximum(totals, 1) * 1e4


def joined(blocks):
    return sparse.vstack([block for _, block in blocks]).toarray()


def test_rows_at_random(stored, counts):
    rows, part = sample_rows(stored(counts), 30)
    assert len(np.unique(rows)) == 30
    np.testing.assert_array_equal(part.toarray(), counts[rows].toarray())


@pytest.mark.parametrize("layer", ["counts", "log of counts", "log_normalise"])
def test_depth_and_counts_per_10_000(stored, counts, layer):
    made = {
        "counts": counts,
        "log_normalise": log_normalise(counts),
        "log of counts": counts.copy(),
    }
    made["log of counts"].data = np.log1p(counts.data)
    matrix, totals = stored(made[layer]), np.asarray(counts.sum(axis=1)).ravel()
    found = inferred(matrix)
    known = totals > 0
    np.testing.assert_allclose(found.depth[known], totals[known], rtol=1e-5)
    everyone = np.zeros(N, dtype=int)
    blocks, factors = expression_blocks(matrix, found, everyone, everyone)
    np.testing.assert_allclose(joined(blocks), per_10_000(counts), rtol=1e-4, atol=1e-3)
    assert factors.tolist() == [1.0]


def test_genes_left_out_after_scaling_change_no_other(stored, counts):
    kept = np.arange(GENES) % 4 > 0
    matrix = stored(log_normalise(counts)[:, kept])
    found = inferred(matrix)
    assert np.ptp(found.factors) == 0
    everyone = np.zeros(N, dtype=int)
    blocks, _ = expression_blocks(matrix, found, everyone, everyone)
    found, expected = joined(blocks), per_10_000(counts)[:, kept]
    np.testing.assert_allclose(found, expected * found.sum() / expected.sum(), rtol=1e-4)
    # Where the counts are known, of all genes.
    totals = [np.asarray(x.sum(axis=1)).ravel() for x in (counts[:, kept], counts)]
    known = normalise(matrix, infer_transform(sample_rows(matrix)[1]), totals)
    blocks, _ = expression_blocks(matrix, known, everyone, everyone)
    np.testing.assert_allclose(joined(blocks), per_10_000(counts)[:, kept], rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(known.depth, totals[1])


def test_what_is_unknown_stays_as_it_is(stored, counts):
    values = np.sqrt(counts)
    matrix = stored(values)
    found = inferred(matrix)
    assert found.transform is None
    assert np.isnan(found.depth).all()
    samples = np.arange(N) % 3
    blocks, factors = expression_blocks(matrix, found, samples, samples)
    np.testing.assert_array_equal(joined(blocks), values.toarray().astype(np.float32))
    assert factors.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("layer", ["counts", "log_normalise", "unknown"])
def test_it_returns_from_a_file(stored, counts, layer, tmp_path):
    matrix = {"counts": counts, "log_normalise": log_normalise(counts), "unknown": np.sqrt(counts)}
    found = inferred(stored(matrix[layer]))
    arrays = {"factors": found.factors, "depth": found.depth}
    write_arrays(tmp_path / "linear.h5", arrays, **found.attributes)
    with h5py.File(tmp_path / "linear.h5") as file:
        again = Normalisation.read(file)
    assert again.transform == found.transform
    np.testing.assert_array_equal(again.factors, found.factors)
    np.testing.assert_array_equal(again.depth, found.depth)
    assert read_arrays(tmp_path / "linear.h5")[1]["transform"] == found.attributes["transform"]


def test_whether_counts_are_those_of_the_layer(counts):
    layer = log_normalise(counts)
    transform = infer_transform(layer)
    assert agrees(layer, transform, counts)
    assert not agrees(layer, transform, counts[:, ::-1])
    other = counts.copy()
    other.data[other.data == 2] = 3
    assert not agrees(layer, transform, other)


def test_counts_alone(counts):
    totals = np.asarray(counts.sum(axis=1)).ravel()
    found = of_counts(totals)
    np.testing.assert_array_equal(found.depth, totals)
    assert found.factors[7] == 0.0
    np.testing.assert_allclose(found.factors[totals > 0] * totals[totals > 0], 1e4)


def test_samples_are_divided_by_their_factors(stored):
    """A gene that doubles its share in one of two samples leaves the others alone."""
    rng = np.random.default_rng(1)
    share = rng.dirichlet(np.full(GENES, 3.0))
    samples, codes = np.arange(N) % 2, np.where(np.arange(N) < 10, -1, np.arange(N) // 40)
    rates = np.tile(share, (N, 1))
    rates[:, 0] = np.where(samples == 1, 0.4, 0.2)
    rates[:, 1:] *= (1 - rates[:, :1]) / rates[:, 1:].sum(axis=1, keepdims=True)
    matrix = stored(log_normalise(sparse.csr_matrix(rng.poisson(4000 * rates).astype(float))))
    blocks, factors = expression_blocks(matrix, inferred(matrix), codes, samples)
    assert factors[1] / factors[0] == pytest.approx(0.75, rel=0.02)
    values = joined(blocks)[codes >= 0]
    means = np.array([values[samples[codes >= 0] == sample].mean(axis=0) for sample in (0, 1)])
    ratio = means[1] / means[0]
    assert ratio[0] == pytest.approx(2.67, rel=0.03)
    assert np.median(ratio[1:]) == pytest.approx(1.0, abs=0.02)
