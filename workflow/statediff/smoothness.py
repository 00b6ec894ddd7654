r"""How smoothly expression varies along the cell states, learnt from the data.

A gene g, centred, is modelled as :math:`y_g \sim N(0, \sigma_g^2 (I + \rho_g K))` with K the kernel
of the cell states: :math:`\rho_g` is its signal-to-noise ratio. The evidence (marginal likelihood)
chooses the length scale of K, one for all genes and without regard to the conditions, and then
:math:`\rho_g` and :math:`\sigma_g` of every gene, so that results depend neither on the number of
components nor on the units of expression.

K is the mean of Matérn-5/2 kernels with half the chosen length scale, the scale itself, and
twice it: it explains expression as well as the best single scale does, and a change of abundance
in a small region better.

References
----------
Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, section 5.4.1.
"""

import warnings
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.special import logsumexp

from statediff import DataWarning, InputError
from statediff.kernels import Kernel
from statediff.search import climb

__all__ = [
    "LEVELS",
    "SignalToNoise",
    "Smoothness",
    "extent",
    "fraction",
    "learn_scale",
    "learn_signal_to_noise",
    "length_scales",
    "warn_of_few",
]

#: Signal-to-noise ratios ρ that a gene may have, two per decade.
LEVELS = np.geomspace(10.0**-2.5, 10.0, 8)
#: Length scales that are compared, relative to the extent of the states, and the first one.
MULTIPLES = tuple(2.0**power for power in range(-6, 5))
START = 0.5
# Cells and genes from which the length scale is learnt; cells in which a gene has to be found.
CELLS, GENES, FOUND = 1000, 400, 10
# Length scales of the kernel, relative to the chosen one.
MIXTURE = (0.5, 1.0, 2.0)
# Evidence (nats) over a constant from which on a gene is said to follow the states.
FOLLOWS = 3.0
# Fewer effective degrees of freedom than these are hardly more than a constant.
FEW = 3.0
# What a basis may leave out (see `Smoothness.tolerance`), and the largest tolerance.
LEFT_OUT, LARGEST_TOLERANCE = 3e-2, 1e-2
# Of expectation maximisation.
ITERATIONS = 100
GENES_AT_ONCE = 2048


def extent(states):
    """Root mean squared distance of cells from their centroid, for states of shape (n, D)."""
    return float(np.sqrt(((states - states.mean(axis=0)) ** 2).sum(axis=1).mean()))


def fraction(multiple):
    """Text of a multiple of the extent: 2, 1, ½, 1/16."""
    if multiple >= 1.0:
        return f"{multiple:g}"
    return {0.5: "½", 0.25: "¼", 0.125: "⅛"}.get(multiple, f"1/{1.0 / multiple:g}")


def length_scales(ls):
    """Length scales of the kernel around a chosen one (`statediff.kernels.Kernel`)."""
    return tuple(ls * factor for factor in MIXTURE)


@dataclass(frozen=True)
class Smoothness:
    """Evidence of the length scale.

    Attributes
    ----------
    ls : float
        The chosen length scale, in the units of the states.
    extent : float
        Root mean squared distance of the cells from their centroid.
    multiples : ndarray, shape (m,)
        Length scales that were compared, relative to the extent, increasing.
    evidence : ndarray, shape (m,)
        Their log evidence over a constant (nats), summed over the genes looked at.
    cells, genes : int
        How many were looked at.
    at_end : bool
        Whether the best of the length scales is the largest or smallest that is allowed, or none
        explains expression better than a constant, which leaves the first that was compared.
    rho : float
        Median signal-to-noise ratio of the genes that follow the states; the smallest of `LEVELS`
        if none does.
    eigenvalues : ndarray, shape (n,)
        Of the kernel between the cells looked at.
    """

    ls: float
    extent: float
    multiples: np.ndarray
    evidence: np.ndarray
    cells: int
    genes: int
    at_end: bool
    rho: float
    eigenvalues: np.ndarray

    def tolerance(self, cells):
        r"""Prior variance that a basis may leave unexplained at each of a number of cells.

        What is left out changes fold changes and distances, relative to the functions that the
        data determine, by a fraction of :math:`p = \rho \sum \mathrm{left\ out} / \mathrm{edf}`,
        with the effective degrees of freedom
        :math:`\mathrm{edf} = \sum_j \rho\lambda_j / (1 + \rho\lambda_j)`. The eigenvalues λ of
        more cells are taken to be larger in proportion.
        """
        scaled = self.rho * self.eigenvalues * cells / max(self.cells, 1)
        freedom = max((scaled / (1.0 + scaled)).sum(), 1.0)
        return float(min(LEFT_OUT * freedom / (self.rho * cells), LARGEST_TOLERANCE))


def learn_scale(states, expression, seed=0, kernel="matern52"):
    """Choose the length scale by the evidence of some genes in some cells.

    The search proceeds by factors of two from half the extent of the states to the nearest maximum.

    Parameters
    ----------
    states : array, shape (n, D)
        States of some cells of all conditions (`choose_cells`).
    expression : scipy.sparse matrix or array, shape (n, genes)
        Expression of the same cells.
    seed : int
        Of the choice of genes among those found in at least ten of the cells.
    kernel : str
        Name in `statediff.kernels.KERNELS`.

    Returns
    -------
    Smoothness

    Raises
    ------
    InputError
        If the states coincide.
    """
    counts = np.asarray((expression != 0).sum(axis=0)).ravel()
    found = np.flatnonzero(counts >= min(FOUND, len(states) / 2))
    genes = np.sort(np.random.default_rng(seed).permutation(found)[:GENES])
    values = expression[:, genes]
    values = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    values = values.astype(np.float64)
    values -= values.mean(axis=0)
    values = values[:, (values**2).sum(axis=0) > 0]
    size, known = extent(states), {}
    if size == 0:
        raise InputError(
            f"all {len(states)} cells looked at share one state; expected states that differ "
            "(dataset.cell_states)"
        )

    def evidence(multiple):
        if multiple not in known:
            scales = length_scales(multiple * size)
            known[multiple] = _evidence(Kernel.of(scales, kernel)(states, states), values)
        return known[multiple][0].sum()

    best, searched = START, values.shape[1] > 0
    if searched:
        best, most = climb(evidence, MULTIPLES, START)
        searched = most >= FOLLOWS
        best = best if searched else START
    multiples = np.array(sorted(known))
    of_genes, rho, eigenvalues = known.get(best, (np.zeros(0), np.zeros(0), np.zeros(1)))
    follows = of_genes >= FOLLOWS
    return Smoothness(
        ls=best * size,
        extent=size,
        multiples=multiples,
        evidence=np.array([known[multiple][0].sum() for multiple in multiples]),
        cells=len(states),
        genes=values.shape[1],
        at_end=not searched or best in (MULTIPLES[0], MULTIPLES[-1]),
        rho=float(np.median(rho[follows])) if follows.any() else float(LEVELS[0]),
        eigenvalues=eigenvalues,
    )


def choose_cells(mask, seed=0):
    """Indices, increasing, of up to 1,000 of the cells in a mask, drawn at random."""
    cells = np.flatnonzero(mask)
    return np.sort(np.random.default_rng(seed).permutation(cells)[:CELLS])


def kernel_evidence(kernel, values):
    r"""Log evidence of a kernel over a constant, summed over genes.

    That of a gene is averaged over `LEVELS` and a constant, with their shares among the genes as
    weights (empirical Bayes): the largest would be above 0 for noise too, and more so the shorter
    the length scale. For each ρ its logarithm is

    .. math:: -\tfrac{1}{2} \sum_j \log(1 + \rho\lambda_j)
              - \tfrac{n}{2} \log\frac{\hat\sigma^2(\rho)}{\hat\sigma^2(0)}, \qquad
              n \hat\sigma^2(\rho) = \sum_j \frac{c_j^2}{1 + \rho\lambda_j}

    with :math:`K = V\Lambda V^T` and :math:`c = V^T y`.

    Parameters
    ----------
    kernel : ndarray, shape (n, n)
    values : ndarray, shape (n, genes)
        Centred expression of genes that vary.

    Returns
    -------
    float
    """
    return float(_evidence(kernel, values)[0].sum())


def _evidence(kernel, values):
    """Log evidence of each gene over a constant, its best ρ, and the kernel's eigenvalues."""
    eigenvalues, vectors = np.linalg.eigh(kernel)
    eigenvalues, squares = np.maximum(eigenvalues, 0.0), (vectors.T @ values) ** 2
    total = (values**2).sum(axis=0)
    found = np.zeros((len(LEVELS) + 1, values.shape[1]))
    for index, rho in enumerate(LEVELS):
        scale = 1.0 + rho * eigenvalues
        noise = (1.0 / scale) @ squares
        found[index] = -0.5 * np.log(scale).sum() - 0.5 * len(values) * np.log(noise / total)
    evidence = logsumexp(found, axis=0, b=_shares(found.T)[:, None])
    return evidence, LEVELS[found[:-1].argmax(axis=0)], eigenvalues


@dataclass(frozen=True)
class SignalToNoise:
    """Signal-to-noise ratio and noise of every gene.

    Attributes
    ----------
    levels : ndarray, shape (L,)
        Ratios ρ of prior to noise variance.
    level : ndarray of int, shape (genes,)
        Index of each gene's.
    noise : ndarray, shape (genes,)
        Standard deviation σ of the noise, in the units of expression.
    mean : ndarray, shape (genes,)
        Prior mean of expression.
    evidence : ndarray, shape (genes,)
        Log evidence over a constant (nats); NaN where the noise was given.
    """

    levels: np.ndarray
    level: np.ndarray
    noise: np.ndarray
    mean: np.ndarray
    evidence: np.ndarray

    @classmethod
    def given(cls, sigma, genes):
        """The same noise, and a prior with variance 1 and mean 0, for a number of genes."""
        filled = (np.full(genes, value) for value in (sigma, 0.0, np.nan))
        return cls(np.array([sigma**-2.0]), np.zeros(genes, dtype=int), *filled)

    def arrays(self):
        """Arrays by name, as files have them."""
        return {f"signal_{field.name}": getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of_arrays(cls, arrays):
        """From the arrays of a file, which may hold others too."""
        return cls(*(arrays[f"signal_{field.name}"] for field in fields(cls)))

    def of_genes(self, genes):
        """The same of some genes only, every level kept."""
        names = ("level", "noise", "mean", "evidence")
        return replace(self, **{name: getattr(self, name)[genes] for name in names})

    def used(self):
        """The same without the levels that no gene has."""
        kept, level = np.unique(self.level, return_inverse=True)
        return replace(self, levels=self.levels[kept], level=level)

    def slices(self):
        """Level by level, where it has genes: its ρ, its index and the indices of its genes."""
        for index in np.unique(self.level):
            yield self.levels[index], index, np.flatnonzero(self.level == index)

    @property
    def follows(self):
        """Whether the expression of a gene follows the states; true where the noise was given."""
        return ~(self.evidence < FOLLOWS)

    def typical(self):
        """Median ρ of the genes that follow the states; 0 if none does."""
        follows = self.follows
        return float(np.median(self.levels[self.level[follows]])) if follows.any() else 0.0

    def freedom(self, posteriors):
        """Effective degrees of freedom of a typical gene in each condition."""
        rho = self.typical()
        return [posterior.freedom(rho) for posterior in posteriors]


def learn_signal_to_noise(posteriors, crosses, sums, squares, counts, feature_sums, known=None):
    r"""Choose ρ and σ of every gene by the evidence of both conditions together.

    Each condition c has its own curve around the gene's common mean μ, so that a difference of the
    conditions is no noise. With :math:`b_c = M_c^T \Phi_c^T (y_c - \mu)` and λ of
    `statediff.expression.Posterior`,

    .. math:: n \hat\sigma^2(\rho) = \sum_c \Bigl[ \lVert y_c - \mu \rVert^2
              - \sum_j \frac{b_{cj}^2}{\lambda_{cj} + 1/\rho} \Bigr]

    The log evidence is :math:`-\tfrac{1}{2} \sum_{cj} \log(1 + \rho\lambda_{cj}) - \tfrac{n}{2}
    \log\hat\sigma^2(\rho)`. How often each ρ occurs among the genes is the prior of all (empirical
    Bayes); a gene takes its most probable one.

    Parameters
    ----------
    posteriors : sequence of statediff.expression.Posterior
        Of the conditions.
    crosses : sequence of ndarray, shape (r, genes)
        Φ'Y of each.
    sums, squares : sequence of ndarray, shape (genes,)
        Summed expression and summed squares of each.
    counts : sequence of int
        Their cells.
    feature_sums : sequence of ndarray, shape (r,)
        Φ'1 of each.
    known : ndarray, shape (genes,), optional
        The ρ of every gene, one of `LEVELS`, where only σ is to be learnt.

    Returns
    -------
    SignalToNoise
    """
    n = sum(counts)
    mean = sum(sums) / n
    genes = len(mean)
    log_evidence, residual = np.empty((2, len(LEVELS), genes))
    total = np.zeros(genes)
    for own, square, count in zip(sums, squares, counts, strict=True):
        total += np.maximum(square - 2.0 * mean * own + count * mean**2, 0.0)
    # Sums of squares of a constant differ by rounding only.
    varies = total > 1e-10 * np.maximum(sum(squares), 1e-300)
    total = np.where(varies, total, 1.0)
    for start in range(0, genes, GENES_AT_ONCE):
        some = slice(start, start + GENES_AT_ONCE)
        projected = [
            (p.modes.T @ (cross[:, some] - np.outer(feature_sum, mean[some]))) ** 2
            for p, cross, feature_sum in zip(posteriors, crosses, feature_sums, strict=True)
        ]
        for index, rho in enumerate(LEVELS):
            explained = sum(
                (1.0 / (p.eigenvalues + 1.0 / rho)) @ b
                for p, b in zip(posteriors, projected, strict=True)
            )
            residual[index, some] = np.maximum(total[some] - explained, 1e-12 * total[some])
    for index, rho in enumerate(LEVELS):
        complexity = 0.5 * sum(np.log1p(rho * p.eigenvalues).sum() for p in posteriors)
        log_evidence[index] = -complexity - 0.5 * n * np.log(residual[index] / total)
    if known is None:
        level = _most_probable(log_evidence.T)
    else:
        level = np.abs(np.subtract.outer(known, LEVELS)).argmin(axis=1)
    at = level, np.arange(genes)
    return SignalToNoise(
        levels=LEVELS,
        level=level,
        noise=np.where(varies, np.sqrt(residual[at] / n), 1.0),
        mean=mean,
        evidence=np.where(varies, log_evidence[at], 0.0),
    )


def _most_probable(log_likelihood):
    """Most probable class of each row, with the shares of the classes as the prior."""
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    return (likelihood * _shares(log_likelihood)).argmax(axis=1)


def _shares(log_likelihood):
    """Shares of the classes among the rows, by expectation maximisation."""
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    shares = np.full(likelihood.shape[1], 1.0 / likelihood.shape[1])
    for _ in range(ITERATIONS):
        posterior = likelihood * shares
        shares = (posterior / posterior.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares


def warn_of_few(freedom, conditions):
    """Warn where a model can follow hardly more than a constant."""
    few = [f"{value:.1f} in {name!r}" for value, name in zip(freedom, conditions, strict=True)
           if value < FEW]  # fmt: skip
    if few:
        warnings.warn(
            f"the model of expression has few effective degrees of freedom ({', '.join(few)}; "
            f"expected {FEW:g} or more): fold changes will hardly differ between cell states; "
            "expected cell states along which expression varies (dataset.cell_states; gp.ls, "
            "gp.ls_factor or gp.sigma where one is given; docs/warnings.md#few-degrees-of-freedom)",
            DataWarning,
            stacklevel=2,
        )
