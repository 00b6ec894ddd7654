"""Simulate the embedded demo data set: counts, log expression, PCA and the planted truth."""

from _job import run
from anndata.io import write_elem
from scipy import sparse
from sklearn.decomposition import PCA
from statediff.simulate import Simulation, log_normalise
from statediff.store import create_h5ad, write_csr


def main(job):
    simulation = Simulation(**job.params.simulation)
    counts = list(simulation.counts())
    logged = [log_normalise(block) for block in counts]
    pca = PCA(n_components=30, svd_solver="arpack", random_state=simulation.seed)
    scores = pca.fit_transform(sparse.vstack(logged, format="csr"))
    with create_h5ad(job.output[0]) as file:
        write_elem(file, "obs", simulation.obs)
        write_elem(file, "var", simulation.var)
        write_elem(file, "obsm", {"X_pca": scores.astype("float32")})
        write_elem(file, "layers", {})
        write_csr(file.create_group("X"), counts, simulation.genes)
        write_csr(file["layers"].create_group("logged_counts"), logged, simulation.genes)


run(main, snakemake)
