"""From statistics to p-values and false discovery rates.

Null genes and their local false discovery rate: Otto et al. (2025), the Kompot preprint, and
Efron (2001). The other functions name their sources.
"""

import numpy as np
from scipy import sparse

__all__ = [
    "called_genes",
    "cauchy_combination",
    "choose_null_genes",
    "false_discovery_rates",
    "omnibus_test",
    "permutation_test",
    "permute_null_genes",
    "rank_genes",
    "ranks_of_genes",
]

GRID_POINTS = 500
# Below this share of its peak the density of the real distances has no data behind it.
EMPTY = 1e-10
# P-values above this count as this in a combination.
LARGE = 0.95


def choose_null_genes(n_genes, n_null, seed):
    """Columns whose shuffled values make the null, and one seed for each.

    Parameters
    ----------
    n_genes : int
    n_null : int
        Drawn without replacement, or with it when there are fewer genes.
    seed : int

    Returns
    -------
    columns : ndarray of int, shape (n_null,)
    seeds : ndarray of int, shape (n_null,)
    """
    columns = np.random.RandomState(seed).choice(n_genes, n_null, replace=n_genes < n_null)
    seeds = np.random.RandomState(seed).randint(0, 2**31 - 1, size=n_null)
    return columns, seeds


def permute_null_genes(values, seeds):
    """Shuffle each gene's values over the cells, independently and reproducibly.

    Parameters
    ----------
    values : scipy.sparse.csc_matrix, shape (n_cells, n_null)
        Expression of the null genes, cells of a first, then those of b.
    seeds : array of int, shape (n_null,)

    Returns
    -------
    scipy.sparse.csc_matrix, shape (n_cells, n_null)
        As sparse as the input.
    """
    values = sparse.csc_matrix(values, copy=True)
    values.sum_duplicates()
    rows = np.empty_like(values.indices)
    for column, seed in enumerate(seeds):
        entries = slice(values.indptr[column], values.indptr[column + 1])
        order = np.random.RandomState(seed).permutation(values.shape[0])
        moved_to = np.empty_like(order)
        moved_to[order] = np.arange(len(order))
        rows[entries] = moved_to[values.indices[entries]]
    return sparse.csc_matrix((values.data, rows, values.indptr), shape=values.shape)


def false_discovery_rates(distances, null_distances, threshold=0.05, gaps="skip"):
    r"""P-values, local and tail false discovery rate of real distances against null ones.

    Densities are Gaussian kernel estimates (Scott) of the samples reflected at 0, on 500 points
    of [0, 1.05 max], made non-increasing and normalised. With f₀ of the null, f of the real:
    local FDR = min(1, f₀/f), made non-increasing; tail FDR the same for the tail areas.

    Parameters
    ----------
    distances : array, shape (genes,)
    null_distances : array, shape (n_null,)
    threshold : float
        Genes with a local FDR below it are called.
    gaps : {"skip", "one"}
        What happens to grid points around outlying genes where f ≈ 0: `skip` leaves them out
        of the monotone fit; `one` sets them to 1, the published way, by which they are pooled
        with the genes before them and raise the FDR of all that are called.

    Returns
    -------
    dict of ndarray, shape (genes,)
        `pvalue`, `local_fdr`, `tail_fdr` and `is_de`.

    Raises
    ------
    ValueError
        For an unknown `gaps`, or distances that are not finite or all zero.
    """
    if gaps not in ("skip", "one"):
        raise ValueError(f"gaps must be 'skip' or 'one', found {gaps!r}")
    real, null = (np.asarray(x, dtype=np.float64) for x in (distances, null_distances))
    if not (np.isfinite(real).all() and np.isfinite(null).all()):
        raise ValueError("distances must be finite")
    if real.max() == 0 or null.max() == 0:
        raise ValueError("all distances are zero: no gene varies between the conditions")
    grid = np.linspace(0.0, 1.05 * max(real.max(), null.max()), GRID_POINTS)
    f0, f = _reflected_density(null, grid), _reflected_density(real, grid)
    filled = f > EMPTY * f.max()
    ratio = np.clip(np.divide(f0, f, out=np.ones_like(f), where=filled), 0.0, 1.0)
    kept = filled if gaps == "skip" else np.ones_like(filled)
    local = np.interp(real, grid[kept], _antitonic(ratio[kept]))
    survival0, survival = (np.cumsum(x[::-1])[::-1] for x in (f0, f))
    has_tail = survival > 0
    tail_ratio = np.divide(survival0, survival, out=np.ones_like(f), where=has_tail)
    tail = np.interp(real, grid, _antitonic(np.clip(tail_ratio, 0.0, 1.0)))
    return {
        "pvalue": _empirical_pvalues(real, null),
        "local_fdr": local,
        "tail_fdr": tail,
        "is_de": local < threshold,
    }


def _empirical_pvalues(real, null):
    """Share of null distances at least as large; zeros become the smallest positive one."""
    above = len(null) - np.searchsorted(np.sort(null), real, side="left")
    pvalues = above / len(null)
    positive = pvalues[pvalues > 0]
    return np.where(pvalues > 0, pvalues, positive.min() if positive.size else 1 / len(null))


def _reflected_density(sample, grid):
    """Non-increasing density on [0, ∞), from the sample mirrored at 0."""
    from scipy.stats import gaussian_kde  # takes a second, which the other functions save

    density = 2.0 * gaussian_kde(np.concatenate([-sample, sample]))(grid)
    density = _antitonic(density)
    return density / np.trapezoid(density, grid)


def _antitonic(values):
    from scipy.optimize import isotonic_regression  # as above

    return isotonic_regression(values, increasing=False).x


def called_genes(found, threshold):
    """Add q-values (Benjamini-Hochberg, over all tests together) and calls to p-values.

    Parameters
    ----------
    found : dict of ndarray
        With ``pvalue``, of any shape.
    threshold : float
        False discovery rate.

    Returns
    -------
    dict of ndarray
        Also ``qvalue`` and ``is_de``, of the same shape.

    References
    ----------
    Benjamini & Hochberg (1995), Journal of the Royal Statistical Society B 57.
    """
    from scipy.stats import false_discovery_control  # takes a second

    pvalue = found["pvalue"]
    qvalue = false_discovery_control(pvalue.ravel()).reshape(pvalue.shape)
    return found | {"qvalue": qvalue, "is_de": qvalue < threshold}


def cauchy_combination(pvalues):
    """One p-value of several tests of the same hypothesis, whatever their dependence.

    Parameters
    ----------
    pvalues : array, shape (tests, genes)
        Above 0.

    Returns
    -------
    ndarray, shape (genes,)

    References
    ----------
    Liu & Xie (2020), Journal of the American Statistical Association 115.
    """
    # Those near 1 would outweigh small ones of other tests.
    quantiles = 1.0 / np.tan(np.pi * np.minimum(pvalues, LARGE))
    return np.arctan2(1.0, quantiles.mean(axis=0)) / np.pi


def omnibus_test(pvalues, threshold=0.05):
    """Whether anything differs in several contrasts, and if so in which of them.

    The p-values of a gene (or cell) are combined, and genes are called at the false discovery rate
    `threshold`. Within R called ones of m the Benjamini-Hochberg procedure selects contrasts at the
    level threshold · R / m, which holds the expected share of false contrasts, averaged over the
    called genes, at `threshold`.

    Parameters
    ----------
    pvalues : ndarray, shape (contrasts, genes)
    threshold : float

    Returns
    -------
    dict of ndarray
        `pvalue`, `qvalue` and `called`, shape (genes,); `differs`, shape (contrasts, genes).

    References
    ----------
    Benjamini & Bogomolov (2014), Journal of the Royal Statistical Society B 76.
    """
    from scipy.stats import false_discovery_control  # takes a second

    pvalues = np.maximum(pvalues, np.finfo(float).tiny)
    pvalue = np.where((pvalues < 1.0).any(axis=0), cauchy_combination(pvalues), 1.0)
    qvalue = false_discovery_control(pvalue)
    called = qvalue < threshold
    level = threshold * called.mean()
    differs = called & (false_discovery_control(pvalues, axis=0) <= level)
    return {"pvalue": pvalue, "qvalue": qvalue, "called": called, "differs": differs}


def permutation_test(distances, permuted):
    r"""Standardised distances and their p-values, from distances under permuted labels.

    .. math:: T_g = D_g / \sqrt{\mathrm{mean}_r D_{g,r}^2}

    The null of T are the :math:`D_{g,r}`, each by the other permutations of its gene, of all genes
    together.

    Parameters
    ----------
    distances : array, shape (genes,)
    permuted : array, shape (permutations, genes)

    Returns
    -------
    dict of ndarray, shape (genes,)
        `standardised` and `pvalue`; 0 and 1 for genes without expression, which are left out of
        the null.

    Raises
    ------
    ValueError
        For fewer than two permutations.
    """
    count = len(permuted)
    if count < 2:
        raise ValueError(f"expected two permutations or more, found {count}")
    squares = np.asarray(permuted) ** 2
    varies = (squares > 0).all(axis=0)
    total = np.where(varies, squares.sum(axis=0), 1.0)
    standardised = np.where(varies, distances / np.sqrt(total / count), 0.0)
    null = np.sort(np.sqrt(squares / ((total - squares) / (count - 1)))[:, varies], axis=None)
    above = len(null) - np.searchsorted(null, standardised, side="left")
    return {
        "standardised": standardised,
        "pvalue": np.where(varies, (above + 1.0) / (len(null) + 1.0), 1.0),
    }


def ranks_of_genes(statistics, ranking):
    """Rank of each gene, 0 for the one that changed most clearly: see `rank_genes`.

    Returns
    -------
    ndarray of int, shape (genes,)
    """
    return np.argsort(rank_genes(statistics, ranking), kind="stable")


def rank_genes(statistics, ranking):
    """Order of the genes, those that changed most clearly first.

    Parameters
    ----------
    statistics : dict of array, shape (genes,)
    ranking : {"pvalue", "standardised", "mahalanobis"}
        The statistic that ranks; among equal p-values it is the standardised distance.

    Returns
    -------
    ndarray of int, shape (genes,)
    """
    if ranking == "pvalue":
        return np.lexsort((-statistics["standardised"], statistics["pvalue"]))
    return np.argsort(-statistics[ranking], kind="stable")
