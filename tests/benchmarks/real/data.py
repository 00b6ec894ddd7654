"""The real data sets: what is known of them, and mock conditions with known truth."""

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from calibration.data import COMPONENTS, diffusion_map
from scipy import sparse
from sklearn.decomposition import PCA
from statediff.preprocess import log_normalise

__all__ = ["SETS", "Cells", "RealSet", "folder", "halve", "plant_bump", "plant_type", "thin"]

ROOT = Path(__file__).resolve().parents[3]
STATES = 20
# Share of the cells in a planted bump, and the odds at its centre.
BUMP, ODDS = 0.15, 9.0
LEVELS = ("reference", "compared")


def folder():
    """Where the real data are: `$STATEDIFF_SHARED`, or `shared` beside the project."""
    return Path(os.environ.get("STATEDIFF_SHARED", ROOT.parent / "shared")) / "data/real"


@dataclass(frozen=True)
class RealSet:
    """A data set and what its publication reports.

    Attributes
    ----------
    name : str
        Of the file, without .h5ad.
    title : str
    reference, compared : str
        Levels of the obs column `condition`. Mock conditions are made of cells of `control`.
    control : str
    known : dict of str to list of str
        Genes that are known to differ, by what they are.
    pairs : str, optional
        obs column of donors that are in both conditions.
    """

    name: str
    title: str
    reference: str
    compared: str
    control: str
    known: dict
    pairs: str | None = None

    @cached_property
    def adata(self):
        adata = anndata.read_h5ad(folder() / f"{self.name}.h5ad")
        adata.X = sparse.csr_matrix(adata.X)
        return adata

    @cached_property
    def controls(self):
        """Cells of one condition, for nulls."""
        adata = self.adata[self.adata.obs["condition"] == self.control].copy()
        return without_unused_levels(adata)


SETS = {
    real.name: real
    for real in (
        RealSet(
            "kang_donors",
            "Blood cells with and without interferon-β, two donors in both conditions",
            reference="ctrl", compared="stim", control="ctrl", pairs="donor",
            known={
                "interferon-stimulated": [
                    "ISG15", "IFI6", "IFIT1", "IFIT2", "IFIT3", "MX1", "LY6E", "ISG20",
                ],
                "most in monocytes": ["CCL8", "CXCL10", "CXCL11"],
            },
        ),
        RealSet(
            "embryo_tal1",
            "Mouse embryos with cells of a Tal1 knock-out, two samples a condition",
            reference="WT", compared="KO", control="WT",
            known={
                "haemoglobins": ["Hbb-bh1", "Hba-x", "Hbb-y", "Hba-a1", "Hba-a2"],
                "sex": ["Xist", "Ddx3y"],
            },
        ),
        RealSet(
            "airway_cftr",
            "Airways of newborn pigs with and without CFTR, three and four animals",
            reference="WT", compared="CFTRKO", control="WT",
            known={"knocked out": ["CFTR"]},
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Cells:
    """What the competitors see of a contrast; attributes as those of `calibration.data.Dataset`."""

    counts: sparse.csr_matrix
    labels: np.ndarray
    samples: np.ndarray
    cell_types: np.ndarray
    pairs: np.ndarray | None = None

    @classmethod
    def of(cls, adata, column, reference, compared, sample=None, pairs=None):
        """Cells of a contrast of a file, as the workflow would take them."""
        taken = adata[adata.obs[column].isin([reference, compared])]
        labels = (taken.obs[column] == compared).to_numpy()
        samples = labels if sample is None else pd.factorize(taken.obs[sample])[0]
        return cls(
            counts=sparse.csr_matrix(taken.X),
            labels=labels,
            samples=np.asarray(samples, dtype=int),
            cell_types=pd.factorize(taken.obs["cell_type"])[0],
            pairs=None if pairs is None else pd.factorize(taken.obs[pairs])[0],
        )

    def relabelled(self, labels, samples):
        """The same cells with other conditions; coordinates do not depend on these."""
        cells = replace(self, labels=labels, samples=samples)
        # Where a cached property keeps its value.
        vars(cells).update(pcs=self.pcs, states=self.states)
        return cells

    @cached_property
    def expression(self):
        return log_normalise(self.counts)

    @cached_property
    def pcs(self):
        pca = PCA(n_components=COMPONENTS, svd_solver="arpack", random_state=0)
        return pca.fit_transform(self.expression).astype(np.float64)

    @cached_property
    def states(self):
        return diffusion_map(self.pcs, STATES)[0]


def without_unused_levels(adata):
    for column in adata.obs.select_dtypes("category"):
        adata.obs[column] = adata.obs[column].cat.remove_unused_categories()
    return adata


def level(compared):
    """Names of mock conditions, from which cells (or samples) are of the compared one."""
    return np.where(compared, LEVELS[1], LEVELS[0])


def halve(groups, generator):
    """A random half of the cells of each group; in groups of odd size one fewer or more.

    Parameters
    ----------
    groups : array_like, shape (cells,)

    Returns
    -------
    ndarray of bool, shape (cells,)
    """
    half = np.zeros(len(groups), dtype=bool)
    for group in np.unique(groups):
        cells = generator.permutation(np.flatnonzero(np.asarray(groups) == group))
        half[cells[: (len(cells) + generator.integers(2)) // 2]] = True
    return half


def thin(counts, cells, share, generator):
    """Keep each count of some cells with a probability.

    Parameters
    ----------
    counts : scipy.sparse.csr_matrix, shape (cells, genes)
    cells : ndarray of bool, shape (cells,)
    share : float

    Returns
    -------
    scipy.sparse.csr_matrix
    """
    thinned = sparse.csr_matrix(counts, copy=True)
    values = np.repeat(cells, np.diff(thinned.indptr))
    thinned.data[values] = generator.binomial(thinned.data[values].astype(int), share)
    thinned.eliminate_zeros()
    return thinned


def plant_bump(coordinates, generator):
    """Log odds with a smooth bump around a random cell.

    With u the rank of a cell's distance from the centre over the number of cells in the bump, the
    log odds are log(9) cos²(πu/2) within the bump and 0 elsewhere.

    Parameters
    ----------
    coordinates : ndarray, shape (cells, components)

    Returns
    -------
    ndarray, shape (cells,)
    """
    centre = generator.integers(len(coordinates))
    distance = np.linalg.norm(coordinates - coordinates[centre], axis=1)
    u = np.minimum(distance.argsort(kind="stable").argsort() / (BUMP * len(coordinates)), 1.0)
    sign = generator.choice([-1.0, 1.0])
    return np.where(u < 1, sign * np.log(ODDS) * np.cos(np.pi / 2 * u) ** 2, 0.0)


def plant_type(cell_types, name, ratio):
    """Log odds of a cell type whose odds are changed by a ratio."""
    return np.where(np.asarray(cell_types) == name, np.log(ratio), 0.0)


def true_lfc(log_odds):
    """Log ratio of the densities of cells at each cell's state.

    A cell is of the compared condition with probability π(x), the logistic function of its log
    odds. With p(x) the density of all cells, the conditions' densities are p(x)π(x)/π̄ and
    p(x)(1 − π(x))/(1 − π̄), where π̄ is the mean of π over the cells; so the log ratio is
    log(π/(1 − π)) − log(π̄/(1 − π̄)).
    """
    mean = (1 / (1 + np.exp(-log_odds))).mean()
    return log_odds - np.log(mean / (1 - mean))


def draw_labels(log_odds, generator):
    """Whether each cell is of the compared condition."""
    return generator.random(len(log_odds)) < 1 / (1 + np.exp(-log_odds))
