import dense
import numpy as np
import pytest
from scipy import sparse
from statediff import EPS
from statediff.basis import build_basis
from statediff.basis_values import grams
from statediff.expression import Posterior, replicate_deviations
from statediff.noise import mahalanobis_noise, noise_weights
from statediff.smoothness import SignalToNoise


@pytest.fixture(
    scope="module",
    params=[(1.0, False), (0.4, False), (1.0, True)],
    ids=["sigma 1", "sigma 0.4", "linear"],
)
def case(request):
    """Two conditions whose noise grows along a state; dense posteriors and noise, and the basis."""
    (sigma, linear), ls = request.param, 5.0
    rng = np.random.default_rng(0)
    x = rng.normal(size=(130, 3))
    condition = rng.choice(3, size=130, p=[0.4, 0.45, 0.15])
    members = [condition == 0, condition == 1]
    y = np.sin(x @ rng.normal(size=(3, 7))) + members[1][:, None] * np.cos(x[:, :1])
    y += 0.3 * np.exp(x[:, 1:2]) * rng.normal(size=y.shape)
    y[:, 5:] *= rng.random((130, 2)) < 0.05
    exact = [dense.GaussianProcess(x[m], y[m], sigma, ls, linear) for m in members]
    variances = [
        dense.noise_variance(gp, sigma, y[m], x, EPS) for gp, m in zip(exact, members, strict=True)
    ]
    basis = build_basis(x[members[0] | members[1]], ls, tol=1e-13, noise=sigma, linear=linear)
    phi = basis(x)
    priors = [basis.prior(x[m]) for m in members]
    fits = [
        Posterior.fit(phi[m].T @ phi[m], prior) for m, prior in zip(members, priors, strict=True)
    ]
    weights = [
        fit.weights(phi[m].T @ y[m], sigma**-2) for fit, m in zip(fits, members, strict=True)
    ]
    y = sparse.csr_matrix(y)
    blocks = [(0, y[:50]), (50, y[50:51]), (51, y[51:])]
    noise = noise_weights(blocks, phi, members, fits, weights, sigma)
    y = y.toarray()
    return x, y, members, exact, variances, phi, priors, fits, weights, noise, sigma


def test_noise_is_that_of_cells_left_out(case):
    *_, variances, phi, _, _, _, noise, _ = case
    for wanted, weights in zip(variances, noise, strict=True):
        found = np.maximum(phi @ weights, EPS)
        np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-8)
        # Both what the data say and the floor occur.
        assert (wanted > EPS).any()
    assert any((wanted == EPS).any() for wanted in variances)


@pytest.mark.parametrize("few", [False, True], ids=["all cells", "6 cells"])
@pytest.mark.parametrize("pooled", ["sum", "mean"])
def test_distance_under_noise_is_the_dense_one(case, few, pooled):
    x, _, members, exact, variances, phi, _, fits, weights, noise, sigma = case
    where = np.flatnonzero(members[0] | members[1])[: 6 if few else None]
    found = mahalanobis_noise(
        phi[where], fits, noise, weights[1] - weights[0], sigma, pooled=pooled
    )
    spread = sum(gp.covariance(x[where]) for gp in exact)
    change = exact[1].mean(x[where]) - exact[0].mean(x[where])
    for gene, distance in enumerate(found):
        covariance = spread + np.diag(sum(variances)[where, gene])
        covariance /= 2.0 if pooled == "mean" else 1.0
        d = change[:, gene]
        wanted = np.sqrt(d @ np.linalg.solve(covariance, d))
        assert distance == pytest.approx(wanted, rel=1e-7)


def test_covariance_between_replicates_adds(case):
    x, y, members, exact, variances, phi, priors, fits, weights, noise, sigma = case
    groups = np.random.default_rng(4).integers(0, 3, len(x))
    masks = [[m & (groups == i) for i in range(3)] for m in members]
    crosses = [[phi[m].T @ y[m] for m in group] for group in masks]
    signal = SignalToNoise.given(sigma, y.shape[1])
    between = replicate_deviations([grams(phi, own)[0] for own in masks], crosses, priors, signal)
    where = members[0] | members[1]
    found = mahalanobis_noise(phi[where], fits, noise, weights[1] - weights[0], sigma, between)
    change = exact[1].mean(x[where]) - exact[0].mean(x[where])
    for gene, distance in enumerate(found):
        covariance = sum(gp.covariance(x[where]) for gp in exact)
        covariance += np.diag(sum(variances)[where, gene])
        for gp, group in zip(exact, masks, strict=True):
            means = [
                dense.GaussianProcess(x[m], y[m], sigma, gp.ls, gp.linear, gp.trained).mean(
                    x[where]
                )[:, gene]
                for m in group
            ]
            covariance += np.cov(np.transpose(means))
        d = change[:, gene]
        wanted = np.sqrt(d @ np.linalg.solve(covariance, d))
        assert distance == pytest.approx(wanted, rel=1e-7)


def test_no_difference_is_distance_zero(case):
    *_, phi, _, fits, weights, noise, sigma = case
    assert mahalanobis_noise(phi, fits, noise, np.zeros_like(weights[0]), sigma).tolist() == [0] * 7


def test_unknown_pooling_is_refused(case):
    *_, phi, _, fits, weights, noise, sigma = case
    with pytest.raises(ValueError, match="'max'"):
        mahalanobis_noise(phi, fits, noise, weights[0], sigma, pooled="max")


def test_working_in_parts_changes_nothing(case, monkeypatch):
    _, y, members, *_, phi, _, fits, weights, noise, sigma = case
    whole = mahalanobis_noise(phi, fits, noise, weights[1] - weights[0], sigma)
    # Parts of 57 cells and 3 genes, or so.
    monkeypatch.setattr("statediff.noise.VALUES", 400)
    again = noise_weights([(0, sparse.csr_matrix(y))], phi, members, fits, weights, sigma)
    np.testing.assert_allclose(again, noise, rtol=1e-9, atol=1e-12)
    parts = mahalanobis_noise(phi, fits, noise, weights[1] - weights[0], sigma)
    np.testing.assert_allclose(parts, whole, rtol=1e-7)
