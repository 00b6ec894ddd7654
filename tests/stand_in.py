"""A stand-in for the file of the published tutorial: the same slots, simulated."""

import numpy as np
import pandas as pd
from anndata.io import write_elem
from statediff.preprocess import log_normalise
from statediff.store import create_h5ad, row_blocks, write_csr

# Cells of each age in the published file.
SHARES = (2917, 2057, 3116)
# Values of a dense layer at a time.
VALUES = 1 << 21


def write_stand_in(path, simulation, named=()):
    """Write the file block by block.

    What the tutorial reads follows the simulation; the rest has the right form and no meaning.

    Parameters
    ----------
    path : path
    simulation : statediff.simulate.Simulation
    named : sequence of str
        Names of the first genes.
    """
    obs = simulation.obs.rename(columns={"cell_type": "highres_celltype", "sample": "Sample"})
    genes = [*named, *simulation.var.index[len(named) :]]
    with create_h5ad(path) as file:
        write_elem(file, "obs", obs[["Age", "Sample", "highres_celltype"]])
        write_elem(file, "var", pd.DataFrame(index=genes))
        write_elem(file, "obsm", coordinates(simulation))
        colors = np.array(["#1b9e77", "#7570b3", "#d95f02"], dtype=object)
        write_elem(file, "uns", {"Age_colors": colors})
        write_elem(file, "layers", {})
        layers, shape = file["layers"], (simulation.cells, simulation.genes)
        write_csr(layers.create_group("raw_counts"), simulation.counts(), simulation.genes)
        logged = (log_normalise(block) for _, block in row_blocks(layers["raw_counts"]))
        write_csr(layers.create_group("logged_counts"), logged, simulation.genes)
        in_double_precision(layers["logged_counts"])
        layers.copy("logged_counts", "normalized_counts")
        layers.copy("logged_counts", file, "X")
        dense = layers.create_dataset("MAGIC_imputed_data", shape, np.float64)
        dense.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        for start, block in row_blocks(layers["logged_counts"], VALUES):
            dense[start : start + block.shape[0]] = 0.9 * block.toarray() + 0.05


def coordinates(simulation):
    """All of obsm; principal components are the true states, turned, with noise."""
    rng, cells = np.random.default_rng(simulation.seed), simulation.obs.index
    programs = simulation.programs()
    harmony = programs @ rng.normal(size=(programs.shape[1], 50))
    harmony += rng.normal(0.0, 0.3, harmony.shape)
    unread = {"DM_EigenVectors": 40, "X_draw_graph_fa": 2, "X_pca": 50, "X_pca_noregression": 50}
    return {name: np.zeros((len(cells), n)) for name, n in unread.items()} | {
        "AbCapture": pd.DataFrame(1.0, cells, ["CD4", "CD8a", "CD19"]),
        "HTO": pd.DataFrame(1.0, cells, ["HTO1", "HTO2"]),
        "X_pca_harmony": harmony,
        "X_umap": harmony[:, :2],
    }


def in_double_precision(matrix):
    """Store the values of a CSR matrix as 64 bits, which the size of the published file tells."""
    values = matrix["data"][:].astype(np.float64)
    del matrix["data"]
    matrix["data"] = values
