"""Simulate the data set of the demo: counts, log expression, PCA and the truth."""

from _job import run
from anndata.io import write_elem
from scipy import sparse
from sklearn.decomposition import PCA
from statediff.preprocess import log_normalise
from statediff.simulate import Simulation
from statediff.store import create_h5ad, row_blocks, write_csr


def main(job):
    simulation = Simulation(**job.params.simulation)
    with create_h5ad(job.output[0]) as file:
        write_elem(file, "obs", simulation.obs)
        write_elem(file, "var", simulation.var)
        write_elem(file, "layers", {})
        write_csr(file.create_group("X"), simulation.counts(), simulation.genes)
        logged = (log_normalise(block) for _, block in row_blocks(file["X"]))
        layer = file["layers"].create_group("logged_counts")
        write_csr(layer, logged, simulation.genes)
        expression = sparse.vstack([block for _, block in row_blocks(layer)], format="csr")
        pca = PCA(n_components=30, svd_solver="arpack", random_state=simulation.seed)
        write_elem(file, "obsm", {"X_pca": pca.fit_transform(expression).astype("float32")})


if __name__ == "__main__":
    run(main, snakemake)
