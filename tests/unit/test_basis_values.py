"""A basis at cells, block by block, against whole arrays."""

import numpy as np
import pytest
from statediff import basis_values
from statediff.abundance_fit import fit_abundance
from statediff.basis import build_basis
from statediff.basis_values import (
    Evaluated,
    Part,
    Stored,
    gram,
    grams,
    phi_means,
    quadratic,
    sums,
    triangular_factors,
    values_at,
    weighted_gram,
)

CELLS = 130


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Three blocks, of which the last is smaller."""
    monkeypatch.setattr(basis_values, "BLOCK", 50)


@pytest.fixture(scope="module")
def states():
    return np.random.default_rng(0).normal(size=(CELLS, 2))


@pytest.fixture(scope="module")
def basis(states):
    return build_basis(states, 2.0, tol=1e-4)


@pytest.fixture(params=["array", "evaluated", "stored", "part"])
def phi(request, states, basis, tmp_path):
    """The same values in each form, with a constant."""
    values = Evaluated(basis, states, constant=True)
    match request.param:
        case "array":
            return values[:]
        case "evaluated":
            return values
        case "stored":
            return Stored(values, tmp_path)
    # Every second row of an array with others between them.
    whole = np.repeat(values[:], 2, axis=0)
    whole[1::2] = np.nan
    wide = np.hstack([whole, np.full((len(whole), 1), np.nan)])
    return Part(2.0 * wide, np.arange(0, len(whole), 2), values.shape[1], 0.5)


@pytest.fixture
def dense(states, basis):
    return np.hstack([basis(states), np.ones((CELLS, 1))])


def test_products_and_sums(phi, dense):
    rng = np.random.default_rng(1)
    assert phi.shape == dense.shape
    assert len(phi) == CELLS
    np.testing.assert_allclose(phi[60:110], dense[60:110])
    weights, coefficients = rng.uniform(size=(CELLS, 3)), rng.normal(size=(dense.shape[1], 2))
    close = {"rtol": 1e-10, "atol": 1e-10}
    np.testing.assert_allclose(values_at(phi, coefficients), dense @ coefficients, **close)
    np.testing.assert_allclose(sums(phi, weights), weights.T @ dense, **close)
    np.testing.assert_allclose(gram(phi), dense.T @ dense, **close)
    for found, own in zip(weighted_gram(phi, weights), weights.T, strict=True):
        np.testing.assert_allclose(found, (dense.T * own) @ dense, **close)
    matrix = gram(phi) / 100
    np.testing.assert_allclose(
        quadratic(phi, matrix), np.einsum("nr,rs,ns->n", dense, matrix, dense), **close
    )


def test_groups_of_cells(phi, dense):
    masks = [np.arange(CELLS) < 20, np.arange(CELLS) % 3 == 0]  # one within the first block
    of_cells, totals = grams(phi, masks)
    factors, means = triangular_factors(phi, masks), phi_means(phi, masks)
    for i, mask in enumerate(masks):
        own = dense[mask]
        np.testing.assert_allclose(of_cells[i], own.T @ own, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(totals[i], own.sum(axis=0), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(means[i], own.mean(axis=0), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(factors[i].T @ factors[i], own.T @ own, rtol=1e-8, atol=1e-8)


def test_no_cells(basis, tmp_path):
    nothing = Part(np.ones((5, 3)), np.array([], dtype=int))
    assert values_at(nothing, np.ones((3, 2))).shape == (0, 2)
    assert not gram(nothing).any()
    stored = Stored(np.ones((0, 3)), tmp_path)
    assert stored[0:10].shape == (0, 3)


def test_the_file_of_a_copy_has_no_name(tmp_path):
    stored = Stored(np.arange(12.0).reshape(4, 3), tmp_path)
    assert not [*tmp_path.iterdir()]
    np.testing.assert_array_equal(stored[1:3], [[3, 4, 5], [6, 7, 8]])


@pytest.mark.parametrize("samples", [False, True])
def test_abundance_is_the_same_in_blocks_and_at_once(monkeypatch, tmp_path, states, basis, samples):
    rng = np.random.default_rng(2)
    role = rng.choice(3, p=[0.45, 0.45, 0.1], size=CELLS)
    members = {"reference": role == 0, "compared": role == 1}
    if samples:
        members |= {"sample": 2 * role + rng.integers(2, size=CELLS)}
        members |= {"samples_reference": np.array([0, 1]), "samples_compared": np.array([2, 3])}
    fit = states, members, {}, basis, {"ls_factor": None}
    blocks, described = fit_abundance(*fit, folder=tmp_path)
    monkeypatch.setattr(basis_values, "BLOCK", 1000)
    at_once, known = fit_abundance(*fit)
    assert set(blocks) == set(at_once)
    for name, values in at_once.items():
        np.testing.assert_allclose(blocks[name], values, rtol=1e-6, atol=1e-8, err_msg=name)
    assert described["amplitude"] == known["amplitude"]
