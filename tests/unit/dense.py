"""The textbook n × n computations that the low-rank library is checked against."""

import numpy as np
from scipy.optimize import minimize


def matern52(x, y, ls):
    out = np.empty((len(x), len(y)))
    for i, a in enumerate(x):
        for j, b in enumerate(y):
            r = np.sqrt(5) * np.linalg.norm(a - b) / ls
            out[i, j] = (1 + r + r**2 / 3) * np.exp(-r)
    return out


class GaussianProcess:
    """Posterior of one condition at states x: mean (n, genes) and covariance (n, n)."""

    def __init__(self, trained, expression, noise, ls, linear=False, condition=None):
        self.trained, self.ls, self.linear = trained, ls, linear
        condition = trained if condition is None else condition
        self.centre = condition.mean(axis=0)
        self.scale = np.mean(np.linalg.norm(condition - self.centre, axis=1) ** 2)
        gram = self.kernel(trained, trained) + noise**2 * np.eye(len(trained))
        self.solve = np.linalg.inv(gram)
        self.weights = self.solve @ expression

    def kernel(self, x, y):
        k = matern52(x, y, self.ls)
        if self.linear:
            k = k + (x - self.centre) @ (y - self.centre).T / self.scale
        return k

    def mean(self, x):
        return self.kernel(x, self.trained) @ self.weights

    def covariance(self, x):
        cross = self.kernel(x, self.trained)
        return self.kernel(x, x) - cross @ self.solve @ cross.T


def mahalanobis(a, b, x, eps, halved=False):
    """Distance of every gene's fold change at x under the summed posterior covariances."""
    spread = (a.covariance(x) + b.covariance(x)) / (1 + halved) + eps * np.eye(len(x))
    change = b.mean(x) - a.mean(x)
    return np.sqrt(np.einsum("ng,ng->g", change, np.linalg.solve(spread, change)))


def density_mode(states, volumes, mean, ls, jitter=1e-9):
    """Log density (not normalised) at the cells, by optimising over all n values."""
    kernel = matern52(states, states, ls) + jitter * np.eye(len(states))
    lower = np.linalg.cholesky(kernel)

    def negative_log_posterior(z):
        f = mean + lower @ z + volumes
        rates = np.exp(f)
        gradient = -(lower.T @ (1 - rates)) + z
        return -(f - rates).sum() + 0.5 * z @ z, gradient

    start = np.linalg.solve(lower, -volumes - mean)
    start *= min(1.0, 10 / np.linalg.norm(start))
    found = minimize(
        negative_log_posterior, start, jac=True, method="L-BFGS-B",
        options={"maxiter": 20000, "maxfun": 200000, "ftol": 1e-15, "gtol": 1e-9},
    )  # fmt: skip
    return mean + lower @ found.x


def density_variance(states, x, rates, ls):
    """Laplace variance at x: k** − k* (K + E⁻¹)⁻¹ k*'."""
    gram = matern52(states, states, ls) + np.diag(1 / rates)
    cross = matern52(x, states, ls)
    return 1.0 - np.einsum("ij,ij->i", cross @ np.linalg.inv(gram), cross)


def density_variance_diagonal(states, x, rates, ls, jitter=1e-6):
    """Mellon's: the Hessian's diagonal in the basis of the unpivoted Cholesky factor."""
    lower = np.linalg.cholesky(matern52(states, states, ls) + jitter * np.eye(len(states)))
    at_cells = np.linalg.solve(lower, matern52(states, states, ls)).T
    variances = 1 / (1 + (at_cells**2 * rates[:, None]).sum(axis=0))
    return (np.linalg.solve(lower, matern52(states, x, ls)).T ** 2) @ variances


def antitonic(values):
    """Least-squares non-increasing fit, by pooling neighbours that rise."""
    pools = []
    for value in values:
        pools.append([value])
        while len(pools) > 1 and np.mean(pools[-1]) > np.mean(pools[-2]):
            last = pools.pop()
            pools[-1] = pools[-1] + last
    return np.concatenate([np.full(len(pool), np.mean(pool)) for pool in pools])


def noise_variance(gp, noise, expression, x, eps):
    """Squared residuals of cells predicted without them (refitted each time), smoothed to x."""
    squares = np.empty_like(expression)
    for i in range(len(expression)):
        others = np.arange(len(expression)) != i
        left = GaussianProcess(
            gp.trained[others], expression[others], noise, gp.ls, gp.linear, gp.trained
        )
        squares[i] = (expression[i] - left.mean(gp.trained[i : i + 1])[0]) ** 2
    return np.maximum(gp.kernel(x, gp.trained) @ gp.solve @ squares, eps)
