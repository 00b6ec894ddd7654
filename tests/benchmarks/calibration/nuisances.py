"""Technical and biological nuisances that the simulator lacks, as transformations of counts.

Each function takes counts (cells × genes, CSR), the table of the cells and a random generator, and
returns counts of the same shape. A rate falls by binomial thinning, which is exact for Poisson
counts; a factor that differs between cells is therefore relative to its largest value.
"""

import numpy as np
from scipy import sparse

__all__ = ["CYCLING", "NUISANCES", "animal_of", "batch_of", "cycling", "thinned", "unscored"]

# Share of the genes of the cell-cycle programme, its fold change, and its share of active cells.
PROGRAMME, ACTIVATION, CYCLING = 0.05, 3.0, (0.1, 0.4)


def thinned(counts, kept, rng):
    """Counts of which each molecule is kept with a probability.

    Parameters
    ----------
    counts : scipy.sparse.csr_matrix, shape (cells, genes)
    kept : callable
        Probabilities of the entries of these rows and columns.
    rng : numpy.random.Generator

    Returns
    -------
    scipy.sparse.csr_matrix
    """
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    drawn = rng.binomial(counts.data.astype(int), kept(rows, counts.indices))
    found = counts.copy()
    found.data = drawn.astype(np.float32)
    found.eliminate_zeros()
    return found


def compared(obs):
    """Whether a cell is of the compared condition."""
    return (obs["Age"] == "Old").to_numpy()


def depth_by_condition(counts, obs, rng):
    """Half the depth in the reference."""
    return _depth(counts, obs, rng, 2.0)


def global_shift(counts, obs, rng):
    """All genes of the compared condition × 1.3."""
    return _depth(counts, obs, rng, 1.3)


def ambient_by_sample(counts, obs, rng):
    """Share of ambient RNA of each sample between 0 and 20 %."""
    samples = obs["sample"].cat.codes.to_numpy()
    return _ambient(counts, samples, rng.uniform(0.0, 0.2, samples.max() + 1)[samples], rng)


def ambient_by_condition(counts, obs, rng):
    """Share of ambient RNA of 10 % in the compared condition, none in the other."""
    return _ambient(counts, obs["sample"].cat.codes.to_numpy(), 0.1 * compared(obs), rng)


def doublets(counts, obs, rng):
    """5 % of all cells are sums of two random cells of their sample."""
    return _doublets(counts, obs, rng, np.ones(len(obs), dtype=bool))


def doublets_by_condition(counts, obs, rng):
    """5 % of the cells of the compared condition are sums of two random cells of their sample."""
    return _doublets(counts, obs, rng, compared(obs))


def heavy_tails(counts, obs, rng):
    """Gene-specific extra dispersion; one in 1,000 of the counts is 20-fold."""
    shape = 1.0 / rng.lognormal(np.log(0.3), 0.8, counts.shape[1])[counts.indices]
    found = counts.copy()
    rate = counts.data * rng.gamma(shape, 1.0 / shape)
    rate[rng.random(len(rate)) < 1e-3] *= 20.0
    found.data = rng.poisson(rate).astype(np.float32)
    found.eliminate_zeros()
    return found


def shared_factor(counts, obs, rng):
    """One normal factor per sample acts on 10 % of the genes, with a log-sd of 0.3 each."""
    samples = obs["sample"].cat.codes.to_numpy()
    loadings = 0.3 * rng.choice([-1.0, 1.0], counts.shape[1])
    loadings *= rng.random(counts.shape[1]) < 0.1
    return _by_group(counts, samples, np.outer(rng.normal(size=samples.max() + 1), loadings), rng)


def dominant_gene(counts, obs, rng):
    """The first gene takes 20 % of the counts of the cells of the compared condition."""
    cells, total = compared(obs), np.asarray(counts.sum(axis=1)).ravel().astype(int)
    found = thinned(counts, lambda rows, columns: np.where(cells[rows], 0.8, 1.0), rng)
    taken = (rng.binomial(total, 0.2) * cells).astype(np.float32)
    first = sparse.csr_matrix((taken, (np.arange(len(obs)), np.zeros(len(obs), int))), counts.shape)
    return (found + first).tocsr()


def cell_cycle(counts, obs, rng):
    """A programme of genes is 3-fold in active cells: 10 % of the reference, 40 % of the others."""
    active = cycling(obs, rng)
    of_programme = np.arange(counts.shape[1]) < PROGRAMME * counts.shape[1]
    return thinned(
        counts,
        lambda rows, columns: np.where(of_programme[columns] & ~active[rows], 1 / ACTIVATION, 1.0),
        rng,
    )


def batches(counts, obs, rng):
    """Two batches, each with half of the samples of either condition; log-sd 0.2 a gene."""
    codes, effects = batch_of(obs), 0.2 * rng.normal(size=(2, counts.shape[1]))
    return _by_group(counts, codes, effects, rng)


def batch_of(obs):
    """Batch of each cell, 0 or 1: the first half of the animals of either age, or the others."""
    animal = animal_of(obs)
    return (animal > animal.max() / 2).astype(int)


def animal_of(obs):
    """Number of a cell's animal within its age, from 1."""
    return obs["sample"].astype(str).str.rpartition("_")[2].astype(int).to_numpy()


def cycling(obs, rng):
    """Whether each cell is active in the cell cycle: the first draw of `cell_cycle`."""
    return rng.random(len(obs)) < np.where(compared(obs), *CYCLING[::-1])


def unscored(name, genes):
    """Genes whose change the nuisance itself makes, which are not scored.

    Returns
    -------
    slice
    """
    return slice({"dominant_gene": 1, "cell_cycle": round(PROGRAMME * genes)}.get(name, 0))


def _depth(counts, obs, rng, ratio):
    cells = compared(obs)
    return thinned(counts, lambda rows, columns: np.where(cells[rows], 1.0, 1.0 / ratio), rng)


def _ambient(counts, samples, share, rng):
    """Replace a share of each cell's counts by draws from the mean profile of its sample."""
    total = np.asarray(counts.sum(axis=1)).ravel().astype(int)
    found = thinned(counts, lambda rows, columns: 1.0 - share[rows], rng)
    added = rng.binomial(total, share)
    soup = []
    for code in range(samples.max() + 1):
        cells = np.flatnonzero(samples == code)
        profile = np.asarray(counts[cells].sum(axis=0)).ravel()
        cell = np.repeat(cells, added[cells])
        soup.append((cell, rng.choice(len(profile), cell.size, p=profile / profile.sum())))
    cell, gene = (np.concatenate(parts) for parts in zip(*soup))
    drawn = sparse.coo_matrix((np.ones(cell.size, np.float32), (cell, gene)), counts.shape)
    return (found + drawn.tocsr()).tocsr()


def _doublets(counts, obs, rng, cells):
    """Add the counts of another cell of the sample to 5 % of some cells."""
    partners = np.empty(len(obs), dtype=int)
    for name in obs["sample"].cat.categories:
        # A cyclic shift of a random order: no cell is its own partner.
        order = rng.permutation(np.flatnonzero(obs["sample"] == name))
        partners[order] = np.roll(order, 1)
    doubled = cells & (rng.random(len(obs)) < 0.05)
    return (counts + sparse.diags(doubled.astype(np.float32)) @ counts[partners]).tocsr()


def _by_group(counts, codes, effects, rng):
    """Multiply the rates of each group of cells by log effects (groups, genes)."""
    kept = np.exp(effects - effects.max(axis=0))
    return thinned(counts, lambda rows, columns: kept[codes[rows], columns], rng)


NUISANCES = {
    function.__name__: function
    for function in (
        depth_by_condition,
        global_shift,
        ambient_by_sample,
        ambient_by_condition,
        doublets,
        doublets_by_condition,
        heavy_tails,
        shared_factor,
        dominant_gene,
        cell_cycle,
        batches,
    )
}
