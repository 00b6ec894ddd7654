import numpy as np
import pytest
import yaml
from dense import matern52 as dense_matern52
from scipy.spatial import KDTree
from statediff import DataWarning, InputError
from statediff.basis import build_basis
from statediff.kernels import KERNELS, Kernel
from statediff.neighbours import (
    length_scale,
    nearest_distances,
    nearest_of,
    positive_distances,
    sampled_distances,
)
from statediff.settings import checked
from statediff.smoothness import learn_scale
from support import ROOT


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_matern52_equals_the_formula_also_far_from_the_origin(offset):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 5)) + offset, rng.normal(size=(20, 5)) + offset
    np.testing.assert_allclose(Kernel.of(1.7)(x, y), dense_matern52(x, y, 1.7), atol=1e-9)


@pytest.mark.parametrize("scales", [(1.7,), (0.5, 1.0, 2.0), (3.0, 0.1)])
def test_of_several_length_scales_it_is_the_mean(scales):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 5)), rng.normal(size=(20, 5))
    wanted = np.mean([dense_matern52(x, y, scale) for scale in scales], axis=0)
    np.testing.assert_allclose(Kernel.of(scales)(x, y), wanted, atol=1e-9)
    kernel = Kernel.of(scales)(x, x)
    np.testing.assert_allclose(np.diag(kernel), 1)
    assert np.linalg.eigvalsh(kernel).min() > 0


def test_the_basis_is_of_the_mean_kernel_too():
    """NumPy finds its pivots, JAX evaluates it."""
    rng = np.random.default_rng(0)
    x, new = rng.normal(size=(60, 2)), rng.normal(size=(10, 2))
    basis = build_basis(x, (0.5, 1.0, 2.0), tol=1e-12, noise=1e-9)
    wanted = np.mean([dense_matern52(new, x, scale) for scale in (0.5, 1.0, 2.0)], axis=0)
    np.testing.assert_allclose(basis(new) @ basis(x).T, wanted, atol=1e-6)


def test_another_kernel_is_a_function_and_a_line(monkeypatch):
    """NumPy finds its pivots, JAX evaluates it, and the evidence chooses its length scale."""
    monkeypatch.setitem(KERNELS, "exponential", lambda distance, xp=np: xp.exp(-distance))
    rng = np.random.default_rng(0)
    x, new = rng.normal(size=(60, 2)), rng.normal(size=(10, 2))
    apart = np.linalg.norm(new[:, None] - x[None], axis=2)
    basis = build_basis(x, 1.5, tol=1e-12, noise=1e-9, kernel="exponential")
    np.testing.assert_allclose(basis(new) @ basis(x).T, np.exp(-apart / 1.5), atol=1e-6)
    values = np.sin(2.0 * x[:, :1]) + 0.3 * rng.normal(size=(60, 20))
    found = [learn_scale(x, values, kernel=name) for name in ("matern52", "exponential")]
    assert found[0].evidence.max() != found[1].evidence.max()
    config = {"dataset": {"name": "x", "source": {"simulate": {"seed": 1}},
                          "cell_states": {"compute": {"from": "X_pca"}}, "embedding": {}},
              "contrasts": {"a": {"column": "Age", "reference": "Young", "compared": "Old"}},
              "gp": {"kernel": "exponential+linear"}}  # fmt: skip
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    assert checked(config, schema)["gp"]["kernel"] == "exponential+linear"
    config["gp"]["kernel"] = "exponent"
    with pytest.raises(InputError, match=r"gp\.kernel: found 'exponent', expected one of matern52"):
        checked(config, schema)


def test_nearest_distances_by_brute_force():
    x = np.random.default_rng(1).normal(size=(150, 8))
    every = np.linalg.norm(x[:, None] - x[None], axis=2)
    np.fill_diagonal(every, np.inf)
    np.testing.assert_allclose(nearest_distances(x), every.min(axis=1))


@pytest.mark.parametrize("count", [40, 500])
def test_distances_of_a_sample_are_those_of_its_cells(count):
    x = np.random.default_rng(1).normal(size=(150, 8)) + 30.0
    x[7] = x[3]
    every = nearest_of(x, np.arange(150), 2)
    np.testing.assert_array_equal(every[[3, 7]].max(axis=1), 7)
    found = sampled_distances(x, count, seed=5)
    chosen = np.random.default_rng(5).permutation(150)[:count]
    apart = np.linalg.norm(x[chosen, None] - x[None], axis=2)
    np.testing.assert_allclose(found, np.sort(apart, axis=1)[:, 1], rtol=1e-12)
    assert (found == 0.0).sum() == np.isin([3, 7], chosen).sum()


def test_coinciding_cells_get_the_smallest_positive_distance():
    x = np.array([[0.0], [0.0], [1.0], [1.5]])
    with pytest.warns(DataWarning, match="2 of 4 cells share"):
        np.testing.assert_allclose(nearest_distances(x), [0.5, 0.5, 0.5, 0.5])


def test_cells_that_all_have_a_twin_are_named():
    x = np.random.default_rng(2).normal(size=(30, 2))
    with pytest.raises(InputError, match="every cell shares its state with another"):
        nearest_distances(np.vstack([x, x]))


def test_neighbours_of_many_cells_give_the_same_length_scale(monkeypatch):
    """Cells on a curved sheet in five dimensions, far from the origin."""
    monkeypatch.setattr("statediff.neighbours.EXACT", 10_000)
    rng = np.random.default_rng(3)
    sheet = rng.normal(size=(11_000, 2))
    x = np.hstack([sheet, np.sin(sheet), sheet[:, :1] * sheet[:, 1:]]) + 1e4
    exact = KDTree(x).query(x, k=2)[0][:, 1]
    found = nearest_distances(x)
    assert length_scale(found) == pytest.approx(length_scale(exact), rel=0.01)
    # Distances of candidates are never below the exact ones.
    assert (found >= exact * (1 - 1e-12)).all()


def test_approximate_neighbours_of_coinciding_cells(monkeypatch):
    monkeypatch.setattr("statediff.neighbours.EXACT", 100)
    x = np.random.default_rng(4).normal(size=(300, 3))
    x[:30] = x[0]
    with pytest.warns(DataWarning, match="30 of 300 cells share"):
        found = nearest_distances(x)
    exact = KDTree(x).query(x, k=2)[0][:, 1]
    np.testing.assert_allclose(found[30:], exact[30:])
    np.testing.assert_allclose(found[:30], exact[30:].min())
    np.testing.assert_array_equal(nearest_distances(x[30:]), nearest_distances(x[30:]))


def test_hopeless_distances_are_refused():
    with pytest.raises(ValueError, match="shares its state"):
        nearest_distances(np.zeros((5, 2)))
    with pytest.raises(ValueError, match="at least 2"):
        nearest_distances(np.zeros((1, 2)))
    with pytest.raises(ValueError, match="shares its state"):
        positive_distances([np.nan, 0.0])


def test_length_scale_is_the_published_rule():
    distances = np.array([0.1, 0.2, 0.4])
    assert length_scale(distances, 10) == pytest.approx(10 * np.exp(3) * 0.2)
    assert length_scale(3 * distances, 10) == pytest.approx(3 * length_scale(distances, 10))
