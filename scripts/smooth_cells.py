"""Find the cells and genes of an entry of smooth."""

from _job import run
from statediff import InputError
from statediff.inputs import find_genes
from statediff.observations import StoredObservations, select_cells
from statediff.store import open_h5ad, read_labels, read_names, write_arrays

MIN_CELLS = 10


def main(job):
    option, smooth = f"smooth.{job.wildcards.population}", job.params.smooth
    with open_h5ad(job.input[0]) as store:
        obs = StoredObservations(store)
        labels = read_labels(store["var"])
        genes = find_genes(read_names(store["var"]), smooth["genes"], f"{option}.genes", labels)
        population = select_cells(obs, smooth["cells"], f"{option}.cells")
    if (n := int(population.sum())) < MIN_CELLS:
        raise InputError(f"{option}.cells: {n} cells are left, expected at least {MIN_CELLS}")
    write_arrays(job.output[0], {"population": population, "genes": genes})


if __name__ == "__main__":
    run(main, snakemake)
