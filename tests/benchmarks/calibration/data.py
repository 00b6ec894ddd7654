"""A simulated data set, with its cell states and its truth."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.decomposition import PCA
from statediff.matching import SEPARATED, sample_separation
from statediff.preprocess import log_normalise
from statediff.simulate import Simulation
from statediff.store import read_arrays, write_arrays

__all__ = ["COMPONENTS", "Dataset", "diffusion_map", "load", "make", "save"]

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
        Principal components, integrated over the samples where these separate.
    states : ndarray, shape (cells, 20)
        Eigenvectors of Palantir's diffusion map of the components.
    eigenvalues : ndarray, shape (20,)
    separation : float
        Share of a cell's 30 nearest neighbours of its own condition that are of its own sample,
        by the share expected of samples that mix; before integration.
    integrated : bool
    kinds : ndarray of str, shape (genes,)
        none, global, lineage or opposed.
    true_lfc : ndarray, shape (cells,)
        Natural-log fold change of the abundance of a cell's state.
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
    integrated: bool
    kinds: np.ndarray
    true_lfc: np.ndarray


def make(simulated, components=20):
    """Simulate, and find the cell states as the workflow does.

    Parameters
    ----------
    simulated : dict
        Fields of `statediff.simulate.Simulation`; young and old cells only.
    components : int
        Of the diffusion map.
    """
    simulation = Simulation(**simulated)
    counts = sparse.vstack(list(simulation.counts()), format="csr")
    pca = PCA(n_components=COMPONENTS, svd_solver="arpack", random_state=simulation.seed)
    pcs = pca.fit_transform(log_normalise(counts)).astype(np.float64)
    labels, samples = _groups(simulation.obs)
    conditions = np.array([labels[samples == code][0] for code in np.unique(samples)], dtype=int)
    separation = sample_separation(pcs, samples, conditions)
    integrated = separation > SEPARATED
    if integrated:
        pcs = _integrate(pcs, samples)
    states, eigenvalues = diffusion_map(pcs, components)
    return _assemble(simulation, counts, pcs, states, eigenvalues, separation, integrated)


def save(dataset, path):
    """Write what takes long to make; the rest follows from the simulation's fields."""
    counts = dataset.counts
    # Counts and genes are below 65,536: half the size of the data.
    arrays = {name: getattr(counts, name).astype(np.uint16) for name in ("data", "indices")}
    arrays["indptr"] = counts.indptr
    arrays |= {name: getattr(dataset, name) for name in ("pcs", "states", "eigenvalues")}
    write_arrays(path, arrays, separation=dataset.separation, integrated=dataset.integrated)


def load(path, simulated):
    """Read a data set made of these fields of the simulation."""
    simulation = Simulation(**simulated)
    arrays, attributes = read_arrays(path)
    data, indices = arrays.pop("data").astype(np.float32), arrays.pop("indices").astype(np.int32)
    csr = (data, indices, arrays.pop("indptr"))
    counts = sparse.csr_matrix(csr, shape=(simulation.cells, simulation.genes))
    return _assemble(simulation, counts, **arrays, **attributes)


def _assemble(simulation, counts, pcs, states, eigenvalues, separation, integrated):
    labels, samples = _groups(simulation.obs)
    return Dataset(
        counts=counts,
        expression=log_normalise(counts),
        labels=labels,
        samples=samples,
        cell_types=simulation.obs["cell_type"].cat.codes.to_numpy(),
        pcs=pcs,
        states=states,
        eigenvalues=eigenvalues,
        separation=float(separation),
        integrated=bool(integrated),
        kinds=simulation.var["true_change"].astype(str).to_numpy(),
        true_lfc=simulation.obs["true_abundance_lfc"].to_numpy(),
    )


def _groups(obs):
    return (obs["Age"] == "Old").to_numpy(), obs["sample"].cat.codes.to_numpy()


def _integrate(pcs, samples):
    import pandas as pd
    from harmonypy import run_harmony

    obs = pd.DataFrame({"sample": [f"s{code}" for code in samples]})
    integrated = run_harmony(pcs, obs, "sample", verbose=False, random_state=0, ncores=1).Z_corr
    return np.asarray(integrated, dtype=np.float64)


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
