"""Find the cells of a contrast: those that pass its filter, and those of each condition."""

from _job import run
from statediff.contrast import describe_depth, find_cells
from statediff.elements import paths
from statediff.observations import StoredObservations
from statediff.store import open_h5ad, read_arrays, write_arrays


def main(job):
    contrast, option = job.params.contrast, f"contrasts.{job.wildcards.contrast}"
    with open_h5ad(job.input.store) as store:

        def coordinates():
            return store["obsm"][next(paths(store["obsm"]))][:]

        arrays, attributes = find_cells(StoredObservations(store), contrast, option, coordinates)
    linear, described = read_arrays(job.input.linear, "depth")
    preprocessed = described["origin"] == "dataset.preprocess"
    attributes |= describe_depth(contrast, linear["depth"], arrays, preprocessed)
    write_arrays(job.output[0], arrays, **attributes)


if __name__ == "__main__":
    run(main, snakemake)
