"""Reduce the source file to what the workflow reads, and check it on the way."""

from pathlib import Path

from _job import run
from statediff.disk import create_h5
from statediff.inputs import check_space, coordinates, find_matrix, read_obsm, recorded
from statediff.store import create_h5ad
from statediff.storing import store_expression, store_normalisation


def main(job):
    config = job.params
    opened = recorded(job.input[0], config.modality)
    with opened as (source, record), create_h5ad(job.output.data) as store:
        # Not parameters: a change of what later jobs read or write must not rerun the store.
        for option, key in coordinates(job.config).items():
            read_obsm(source, key, option)
        matrix = find_matrix(source, config.layer, "dataset.layer")
        check_space(Path(job.output.data).parents[1], matrix, job.config)
        values = store_expression(source, store, config.layer, config.obsm)
        # Not a slot of an AnnData: results of the store record it themselves.
        made = source.record if config.preprocessed else None
        store.attrs["source"] = made or record()
        with create_h5(job.output.linear) as linear:
            how = config.counts, source.var.index, config.preprocessed
            transform, origin = store_normalisation(source, linear, store["X"], *how)
            values.warn(transform == "unknown")
    print(f"counts per 10,000 from {origin}: {transform}")


if __name__ == "__main__":
    run(main, snakemake)
