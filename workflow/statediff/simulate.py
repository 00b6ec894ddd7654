r"""Simulated bone marrow with known changes of abundance and expression.

Stem cells mature along a pseudotime t in [0, 1] and, past a shared trunk, along one of several
lineages. The log rate of every gene is a smooth function of this state; ages differ in the density
of cells along the states and in the rates of some genes:

* `global` genes change by one log fold change in all states,
* `lineage` genes in one lineage only,
* `opposed` genes by opposite log fold changes in two lineages, with mean zero over the cells.

Counts are negative binomial. The library size of a cell varies around that of its sample, and the
rate of a gene by random effects of the sample and of the sample on each cell type. These effects
are independent of age and have mean zero on the scale of log rates; the recorded truth is the
change from young to old without them. Cells are drawn in blocks with their own seeds, so that a
block can be made without the others.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse

__all__ = ["Simulation", "compare_with_truth", "simulated_adata"]

LINEAGES = ("Erythroid", "Monocyte", "Neutrophil", "B cell", "Dendritic")
MATURE = ("Erythroblast", "Monocyte", "Neutrophil", "B cell", "Dendritic cell")
SHARES = (0.3, 0.22, 0.22, 0.16, 0.10)
# Where on the pseudotime stem cells become multipotent progenitors, then commit, then mature.
MULTIPOTENT, COMMITTED, MATURED = 0.2, 0.35, 0.7
AGES = {"Young": 0.0, "Mid": 0.5, "Old": 1.0}
GRID = 200
DISPERSION = 0.2
# Log-standard deviation of the library sizes of a sample's cells.
CELL_DEPTH_SD = 0.25
# Values in a block of cells, which limits the memory.
BLOCK_VALUES = 25_000_000


@dataclass(frozen=True)
class Simulation:
    """A simulated data set, which is determined by the fields.

    Attributes
    ----------
    seed : int
    cells : int
        Cells over all ages.
    shares : sequence of float
        Relative numbers of young, mid and old cells; 0 is allowed.
    genes : int
    samples : int
        Animals per age.
    sample_ratio : int
        Number of cells of the last animal of an age relative to the first; the numbers of the
        animals between them increase in equal steps.
    changed : float
        Share of genes that change with age, a third of each kind.
    expression_lfc : float
        Natural-log fold change of a changed gene's rate from young to old.
    abundance_lfc : float
        Natural-log change of the odds of stem cells (increase) and B cells (decrease) from young to
        old.
    sample_sd : float
        Standard deviation of the natural-log effect of a sample on a gene, the same in all cells.
    sample_type_sd : float
        Standard deviation of the natural-log effect of a sample on a gene in one cell type, in
        addition to the former.
    donor_sd : float
        Standard deviation of the natural-log effect of a donor on a gene, the same in all cells.
        The first animals of all ages are samples of one donor, as are the second, and so on; with
        0 every sample is a donor of its own.
    concentration : float or None
        Concentration of the Dirichlet distribution from which the cell type shares of each sample
        are drawn; None for the same shares in all samples of an age.
    depth_sd : float
        Standard deviation of the natural log of a sample's mean library size. Cells vary within
        their sample with a log-standard deviation of 0.25.
    counts_per_cell : int
        Median library size of a cell in a sample of median depth.
    """

    seed: int
    cells: int = 4400
    shares: tuple = (0.4, 0.2, 0.4)
    genes: int = 3000
    samples: int = 4
    sample_ratio: int = 1
    changed: float = 0.1
    expression_lfc: float = 1.0
    abundance_lfc: float = 2.0
    sample_sd: float = 0.05
    sample_type_sd: float = 0.1
    donor_sd: float = 0.0
    concentration: float | None = None
    depth_sd: float = 0.3
    counts_per_cell: int = 2000

    def _generator(self, *stream):
        return np.random.default_rng([self.seed, *stream])

    @cached_property
    def _states(self):
        """Lineage and pseudotime of the grid of states, and the density of each age on it."""
        t = (np.arange(GRID) + 0.5) / GRID
        lineage = np.repeat(np.arange(len(LINEAGES)), GRID)
        t = np.tile(t, len(LINEAGES))
        base = np.repeat(SHARES, GRID) * (0.55 + 0.9 * t * (1 - t) + 0.6 * (t > 0.8) * (t - 0.8))
        shift = self.abundance_lfc * (_stemness(t) - _maturity(t) * (lineage == 3))
        densities = {age: base * np.exp(a * shift) for age, a in AGES.items()}
        return lineage, t, {age: d / d.sum() for age, d in densities.items()}

    @cached_property
    def obs(self):
        """Cells: age, sample, age in months, cell type, pseudotime, lineage, true log fold change.

        `true_abundance_lfc` is the natural-log fold change of the density from young to old,
        without what samples add to it by chance.
        """
        rng = self._generator(0)
        lineage, t, densities = self._states
        true_lfc = np.log(densities["Old"] / densities["Young"])
        age = rng.permutation(
            np.repeat(list(AGES), _partition(self.cells, self.shares)).astype(object)
        )
        state = np.empty(self.cells, dtype=int)
        animal, sample = np.empty(self.cells, dtype=int), np.empty(self.cells, dtype=object)
        for name, density in densities.items():
            members = np.flatnonzero(age == name)
            animal[members] = self._animals(members.size)
            sample[members] = [f"{name}_{i}" for i in animal[members]]
            if self.concentration is None:
                state[members] = rng.choice(len(density), size=members.size, p=density)
                continue
            for number in np.unique(animal[members]):
                own = members[animal[members] == number]
                drawn = self._composed(density, list(AGES).index(name), number)
                state[own] = rng.choice(len(density), size=own.size, p=drawn)
        time = t[state] + rng.uniform(-0.5, 0.5, self.cells) / GRID
        width = len(str(self.cells))
        donors = {"donor": pd.Categorical([f"D{i}" for i in animal])} if self.donor_sd else {}
        return pd.DataFrame(
            {
                "Age": pd.Categorical(age, categories=list(AGES)),
                "sample": pd.Categorical(sample),
                "months": np.where(age == "Young", 2.0 + animal, 20.0 + 2.0 * animal),
                **donors,
                "cell_type": pd.Categorical(
                    _cell_types(lineage[state], time), categories=_cell_type_names()
                ),
                "pseudotime": time,
                "lineage": pd.Categorical.from_codes(lineage[state], LINEAGES),
                "true_abundance_lfc": true_lfc[state],
            },
            index=[f"cell_{i:0{width}d}" for i in range(self.cells)],
        )

    def _composed(self, density, age, animal):
        """Density of the states of one animal, whose shares of cell types are drawn."""
        lineage, t, _ = self._states
        types = pd.Categorical(_cell_types(lineage, t), categories=_cell_type_names()).codes
        shares = np.bincount(types, density)
        drawn = self._generator(7, age, animal).gamma(self.concentration * shares)
        found = density * (drawn / np.maximum(shares, 1e-300))[types]
        return found / found.sum()

    def _animals(self, n):
        """Animal, from 1 on, of each of n cells: assigned in turns by the sizes of the animals."""
        sizes = np.linspace(1, self.sample_ratio, self.samples)
        turns = np.repeat(np.arange(self.samples) + 1, np.round(sizes).astype(int))
        return turns[np.arange(n) % len(turns)]

    @cached_property
    def _model(self):
        """Gene parameters: base rates, loadings on the programs, effects per lineage."""
        rng = self._generator(1)
        n_programs = _programs(np.zeros(1), np.zeros(1, dtype=int)).shape[1]
        base = rng.normal(0.0, 1.2, self.genes)
        loaded = rng.random((n_programs, self.genes)) < 0.15
        loadings = loaded * rng.normal(0.0, 1.6, (n_programs, self.genes))

        kinds = np.full(self.genes, "none", dtype=object)
        # Genes of middling to high rates: a change in a gene without counts can't be seen.
        candidates = rng.permutation(np.argsort(base)[self.genes // 3 :])
        n = round(self.changed * self.genes / 3)
        for i, kind in enumerate(("global", "lineage", "opposed")):
            kinds[candidates[i * n : (i + 1) * n]] = kind

        lineage, t, densities = self._states
        pooled = 0.5 * (densities["Young"] + densities["Old"])
        weight = np.bincount(lineage, pooled * _commitment(t))
        effects = np.zeros((len(LINEAGES), self.genes))
        everywhere = np.zeros(self.genes)
        for gene in np.flatnonzero(kinds != "none"):
            sign = rng.choice([-1.0, 1.0])
            first, second = rng.choice(4, size=2, replace=False)
            if kinds[gene] == "global":
                everywhere[gene] = sign * self.expression_lfc
            elif kinds[gene] == "lineage":
                effects[first, gene] = sign * 1.5 * self.expression_lfc
            else:
                # Weighted so that the mean over young and old cells is zero.
                ratio = np.sqrt(weight[second] / weight[first])
                effects[first, gene] = sign * 1.5 * self.expression_lfc * ratio
                effects[second, gene] = -sign * 1.5 * self.expression_lfc / ratio
        return base, loadings, kinds, everywhere, effects

    @cached_property
    def var(self):
        """Genes: kind of change, and its true log fold changes (natural log, young to old).

        `true_change` is none, global, lineage or opposed; `true_lfc_<lineage>` the log fold
        change of the rate in that lineage's mature cells, relative to unchanged genes. It leaves
        out the effects of samples: the mean of those drawn differs between ages by chance, also
        in genes that do not change.
        """
        _, _, kinds, everywhere, effects = self._model
        width = len(str(self.genes))
        table = pd.DataFrame(
            {"true_change": pd.Categorical(kinds)},
            index=[f"Gene{i:0{width}d}" for i in range(self.genes)],
        )
        for i, name in enumerate(LINEAGES):
            table[f"true_lfc_{name}"] = everywhere + effects[i]
        return table

    def _sample_effects(self):
        """Effects of the samples, in the order of the categories of obs.

        Returns
        -------
        effect : ndarray, shape (samples, cell types, genes)
            Natural-log effect on the rate of a gene.
        depth : ndarray, shape (samples,)
            Median library size of a sample's cells.
        """
        samples = self.obs["sample"].cat.categories.size
        types = self.obs["cell_type"].cat.categories.size
        effect = self.sample_type_sd * self._generator(4).normal(size=(samples, types, self.genes))
        effect += self.sample_sd * self._generator(2).normal(size=(samples, 1, self.genes))
        if self.donor_sd:
            drawn = self._generator(6).normal(size=(self.samples, 1, self.genes))
            names = self.obs["sample"].cat.categories
            effect += self.donor_sd * drawn[[int(name.rpartition("_")[2]) - 1 for name in names]]
        depth = np.exp(self.depth_sd * self._generator(5).normal(size=samples))
        return effect, self.counts_per_cell * depth

    def programs(self):
        """Activity of the expression programs in each cell: the cells' true states.

        Returns
        -------
        ndarray, shape (cells, programs)
        """
        obs = self.obs
        return _programs(obs["pseudotime"].to_numpy(), obs["lineage"].cat.codes.to_numpy())

    def counts(self):
        """Raw counts, block by block.

        Yields
        ------
        scipy.sparse.csr_matrix
            Rows of consecutive cells, float32.
        """
        base, loadings, _, everywhere, effects = self._model
        obs = self.obs
        lineage = obs["lineage"].cat.codes.to_numpy()
        age = obs["Age"].map(AGES).to_numpy(dtype=float)
        sample = obs["sample"].cat.codes.to_numpy()
        cell_type = obs["cell_type"].cat.codes.to_numpy()
        sample_effect, depth = self._sample_effects()
        step = max(1, BLOCK_VALUES // self.genes)
        for number, start in enumerate(range(0, self.cells, step)):
            rows = slice(start, min(start + step, self.cells))
            rng = self._generator(3, number)
            t, line = obs["pseudotime"].to_numpy()[rows], lineage[rows]
            # In place: the arrays are what takes the memory.
            rate = _programs(t, line) @ loadings
            rate += base
            rate += sample_effect[sample[rows], cell_type[rows]]
            np.exp(rate, out=rate)
            # Libraries are scaled before the change: other genes' rates stay as they are.
            size = depth[sample[rows]] * np.exp(rng.normal(0.0, CELL_DEPTH_SD, len(t)))
            change = _commitment(t)[:, None] * effects[line]
            change += everywhere
            change *= age[rows, None]
            np.exp(change, out=change)
            change *= (size / rate.sum(axis=1))[:, None]
            rate *= change
            del change
            rate *= rng.gamma(1.0 / DISPERSION, DISPERSION, rate.shape)
            yield sparse.csr_matrix(rng.poisson(rate).astype(np.float32))


def simulated_adata(seed, n_components=30, **settings):
    """A simulated data set as an AnnData in memory, as a file of a user would be.

    Parameters
    ----------
    seed : int
    n_components : int
        Principal components.
    **settings
        Other attributes of `Simulation`.

    Returns
    -------
    anndata.AnnData
        Counts in X, log expression in ``layers["logged_counts"]``, principal components in
        ``obsm["X_pca"]``; in var how each gene was changed.

    Examples
    --------
    >>> adata = simulated_adata(seed=1, cells=1600, genes=600)
    """
    from anndata import AnnData
    from sklearn.decomposition import PCA

    from statediff.preprocess import log_normalise

    simulation = Simulation(seed=seed, **settings)
    counts = sparse.vstack(list(simulation.counts()), format="csr")
    logged = log_normalise(counts)
    pca = PCA(n_components=n_components, svd_solver="arpack", random_state=seed)
    return AnnData(
        counts,
        obs=simulation.obs,
        var=simulation.var,
        layers={"logged_counts": logged},
        obsm={"X_pca": pca.fit_transform(logged).astype("float32")},
    )


def _stemness(t):
    """One in stem cells, falling smoothly to zero at commitment."""
    return 1.0 / (1.0 + np.exp((t - MULTIPOTENT) / 0.03))


def _maturity(t):
    """Zero before, one in mature cells."""
    return 1.0 / (1.0 + np.exp(-(t - 0.6) / 0.05))


def _commitment(t):
    """How far a cell has entered its lineage: zero on the trunk, one past commitment."""
    return 1.0 / (1.0 + np.exp(-(t - COMMITTED) / 0.03))


def _programs(t, lineage):
    """Expression programs of cell states, shape (cells, programs): smooth in t, per lineage."""
    progress = np.maximum(t - COMMITTED, 0.0) / (1.0 - COMMITTED)
    trunk = np.minimum(t / COMMITTED, 1.0)
    shared = [np.cos(np.pi * trunk), np.sin(np.pi * trunk)]
    branches = []
    for i in range(len(LINEAGES)):
        here = progress * (lineage == i)
        branches += [here, np.sin(np.pi * here), np.sin(2 * np.pi * here)]
    return np.stack(shared + branches, axis=1)


def _cell_type_names():
    names = ["HSC", "MPP"]
    for progenitor, mature in zip(LINEAGES, MATURE, strict=True):
        names += [f"{progenitor} progenitor", mature]
    return names


def _cell_types(lineage, t):
    stage = np.searchsorted([MULTIPOTENT, COMMITTED, MATURED], t)
    names = np.array(_cell_type_names(), dtype=object)
    return names[np.where(stage < 2, stage, 2 * lineage + stage)]


def _partition(total, shares):
    """Whole numbers in the given proportions that add up to the total."""
    ends = np.round(np.cumsum(shares) / np.sum(shares) * total).astype(int)
    return np.diff(ends, prepend=0)


def compare_with_truth(change, true_lfc, lfc, ranked, called, lfc_threshold):
    """Compare the results of a contrast with the simulated truth.

    Parameters
    ----------
    change : ndarray of str, shape (genes,)
        Kind of each gene's change; "none" for unchanged genes.
    true_lfc, lfc : ndarray, shape (cells,)
        Simulated and estimated natural-log fold change of abundance.
    ranked : ndarray of int, shape (genes,)
        From `statediff.significance.rank_genes`.
    called : ndarray of bool, shape (genes,)
    lfc_threshold : float
        Natural-log fold change from which on a cell counts as changed.

    Returns
    -------
    dict
        Precision, recall and areas under curves; None where the truth allows none.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    def score(metric, truth, values):
        return float(metric(truth, values)) if 0 < truth.sum() < len(truth) else None

    place = np.empty(len(change))
    place[ranked] = np.arange(len(change))
    changed = change != "none"
    recall = {kind: float(called[change == kind].mean()) for kind in np.unique(change[changed])}
    return {
        "genes_changed": int(changed.sum()),
        "precision": float(changed[called].mean()) if called.any() else None,
        "recall": float(called[changed].mean()) if changed.any() else None,
        "recall_by_kind": recall,
        "average_precision": score(average_precision_score, changed, -place),
        "auc_up": score(roc_auc_score, true_lfc > lfc_threshold, lfc),
        "auc_down": score(roc_auc_score, true_lfc < -lfc_threshold, -lfc),
        "lfc_slope": float(np.polyfit(true_lfc, lfc, 1)[0]) if np.ptp(true_lfc) > 0 else None,
    }
