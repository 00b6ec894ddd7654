"""A simulated data set, with its cell states and its truth."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from sklearn.decomposition import PCA
from statediff.matching import mix_samples, sample_separation
from statediff.preprocess import common_depth, expected_logarithm, log_normalise
from statediff.simulate import Simulation
from statediff.store import read_arrays, write_arrays

from calibration import nuisances

__all__ = [
    "COMPONENTS",
    "Dataset",
    "Recipe",
    "diffusion_map",
    "load",
    "make",
    "principal_components",
    "save",
]

COMPONENTS = 30
NEIGHBORS = 30


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a method may see, and what it should find.

    Attributes
    ----------
    counts : scipy.sparse.csr_matrix, shape (cells, genes)
    expression : scipy.sparse.csr_matrix, shape (cells, genes)
        Log-normalised, zero where there is no count.
    labels : ndarray of bool, shape (cells,)
        Whether a cell is of the compared condition.
    samples, cell_types : ndarray of int, shape (cells,)
    pcs : ndarray, shape (cells, 30)
        Principal components at a common depth, integrated over the samples.
    states : ndarray, shape (cells, 20)
        Eigenvectors of Palantir's diffusion map of the components.
    eigenvalues : ndarray, shape (20,)
    separation : float
        Share of a cell's 30 nearest neighbours of its own condition that are of its own sample,
        by the share expected of samples that mix; before integration.
    kinds : ndarray of str, shape (genes,)
        none, global, lineage or opposed; unscored where a nuisance changes the gene itself.
    true_lfc : ndarray, shape (cells,)
        Natural-log fold change of the abundance of a cell's state.
    pairs : ndarray of int, shape (cells,), optional
        Donor of each cell, in a paired design.
    covariates : ndarray, shape (cells, q), optional
        Covariates of each cell's sample.
    """

    counts: sparse.csr_matrix
    expression: sparse.csr_matrix
    labels: np.ndarray
    samples: np.ndarray
    cell_types: np.ndarray
    pcs: np.ndarray
    states: np.ndarray
    eigenvalues: np.ndarray
    separation: float
    kinds: np.ndarray
    true_lfc: np.ndarray
    pairs: np.ndarray | None = None
    covariates: np.ndarray | None = None


@dataclass(frozen=True)
class Recipe:
    """Simulation, nuisance and design of a data set; everything follows from the fields.

    Attributes
    ----------
    simulation : statediff.simulate.Simulation
    nuisance : str, optional
        Of `calibration.nuisances.NUISANCES`.
    fewer : (str, float), optional
        Cell type, and the share of its cells that the reference keeps.
    sizes : tuple of float, optional
        Relative sizes of the samples of either condition; cells are removed to obtain them.
    paired : bool
        Whether donors are pairs of the design.
    """

    simulation: Simulation
    nuisance: str | None = None
    fewer: tuple | None = None
    sizes: tuple | None = None
    paired: bool = False

    @classmethod
    def of(cls, fields):
        """Recipe of an entry of the grid, which holds fields of both classes."""
        own = {key: fields[key] for key in cls.__dataclass_fields__ if key in fields}
        return cls(Simulation(**{key: fields[key] for key in fields if key not in own}), **own)

    def generator(self, stream):
        """Random generator of the removal of cells (0) or of the nuisance (1)."""
        return np.random.default_rng([self.simulation.seed, 1000, stream])

    @cached_property
    def kept(self):
        """Whether each simulated cell is in the data set."""
        obs, share = self.simulation.obs, np.ones(self.simulation.cells)
        if self.fewer:
            name, of_type = self.fewer
            share[(obs["cell_type"] == name) & (obs["Age"] == "Young")] = of_type
        if self.sizes:
            share *= np.array(self.sizes)[nuisances.animal_of(obs) - 1] / max(self.sizes)
        return self.generator(0).random(len(obs)) < share

    @cached_property
    def obs(self):
        """The cells, with the true changes of their abundance."""
        obs = self.simulation.obs[self.kept].copy()
        if self.fewer:
            name, share = self.fewer
            reduced = self.simulation.obs["cell_type"] == name
            left = 1.0 - reduced.mean() * (1.0 - share)
            obs["true_abundance_lfc"] += np.log(left) - np.log(share) * reduced[self.kept]
        if self.nuisance == "cell_cycle":
            active = nuisances.cycling(obs, self.generator(1))
            young, old = nuisances.CYCLING
            change = np.log(old / young), np.log((1 - old) / (1 - young))
            obs["true_abundance_lfc"] += np.where(active, *change)
        return obs

    def counts(self):
        """Counts of the cells (CSR), with the nuisance."""
        counts = sparse.vstack(list(self.simulation.counts()), format="csr")[self.kept]
        if self.nuisance is None:
            return counts
        return nuisances.NUISANCES[self.nuisance](counts, self.obs, self.generator(1))


def make(simulated, components=20):
    """Simulate, and find the cell states as the workflow does.

    Parameters
    ----------
    simulated : dict
        Fields of `statediff.simulate.Simulation` (young and old cells only), and of `Recipe`.
    components : int
        Of the diffusion map.
    """
    recipe = Recipe.of(simulated)
    counts = recipe.counts()
    pcs = principal_components(counts)
    labels, samples = _groups(recipe.obs)
    conditions = np.array([labels[samples == code][0] for code in np.unique(samples)], dtype=int)
    separation = sample_separation(pcs, samples, conditions)
    pcs = mix_samples(pcs, samples)
    states, eigenvalues = diffusion_map(pcs, components)
    return _assemble(recipe, counts, pcs, states, eigenvalues, separation)


def principal_components(counts):
    """Components that do not carry the depth of the cells, as dataset.preprocess finds them."""
    totals = np.asarray(counts.sum(axis=1)).ravel()
    logged = expected_logarithm(counts, totals, common_depth(totals))
    pca = PCA(n_components=COMPONENTS, svd_solver="arpack", random_state=0)
    return pca.fit_transform(logged).astype(np.float64)


def save(dataset, path):
    """Write what takes long to make; the rest follows from the simulation's fields."""
    counts = dataset.counts
    # Counts and genes are below 65,536: half the size of the data.
    arrays = {name: getattr(counts, name).astype(np.uint16) for name in ("data", "indices")}
    arrays["indptr"] = counts.indptr
    arrays |= {name: getattr(dataset, name) for name in ("pcs", "states", "eigenvalues")}
    write_arrays(path, arrays, separation=dataset.separation)


def load(path, simulated):
    """Read a data set made of these fields of the simulation."""
    recipe = Recipe.of(simulated)
    arrays, attributes = read_arrays(path)
    data, indices = arrays.pop("data").astype(np.float32), arrays.pop("indices").astype(np.int32)
    csr = (data, indices, arrays.pop("indptr"))
    counts = sparse.csr_matrix(csr, shape=(len(recipe.obs), recipe.simulation.genes))
    return _assemble(recipe, counts, **arrays, **attributes)


def _assemble(recipe, counts, pcs, states, eigenvalues, separation):
    obs = recipe.obs
    labels, samples = _groups(obs)
    kinds = recipe.simulation.var["true_change"].astype(object).to_numpy()
    kinds[nuisances.unscored(recipe.nuisance, len(kinds))] = "unscored"
    batched = recipe.nuisance == "batches"
    return Dataset(
        counts=counts,
        expression=log_normalise(counts),
        labels=labels,
        samples=samples,
        cell_types=obs["cell_type"].cat.codes.to_numpy(),
        pcs=pcs,
        states=states,
        eigenvalues=eigenvalues,
        separation=float(separation),
        kinds=kinds.astype(str),
        true_lfc=obs["true_abundance_lfc"].to_numpy(),
        pairs=nuisances.animal_of(obs) if recipe.paired else None,
        covariates=nuisances.batch_of(obs)[:, None].astype(float) if batched else None,
    )


def _groups(obs):
    return (obs["Age"] == "Old").to_numpy(), obs["sample"].cat.codes.to_numpy()


def diffusion_map(pcs, components):
    """Palantir's eigenvectors (cells × components) and eigenvalues of principal components."""
    from anndata import AnnData
    from palantir.utils import run_diffusion_maps

    adata = AnnData(obsm={"pcs": pcs}, shape=(len(pcs), 0))
    run_diffusion_maps(
        adata, pca_key="pcs", n_components=components, knn=NEIGHBORS, alpha=0, seed=0
    )
    states = np.asarray(adata.obsm["DM_EigenVectors"], dtype=np.float64)
    return states, np.asarray(adata.uns["DM_EigenValues"], dtype=np.float64)
