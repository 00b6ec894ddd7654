"""Reduce the source file to what the workflow reads, and check it on the way."""

from pathlib import Path

from _inputs import (
    check_names,
    check_space,
    coordinates,
    find_counts,
    find_genes,
    find_matrix,
    read_obsm,
    recorded,
)
from _job import run
from anndata.io import write_elem
from statediff.disk import create_h5
from statediff.expression_layer import LayerCheck, find_normalisation, non_negative
from statediff.normalisation import normalise
from statediff.preprocess import EXPRESSION
from statediff.store import create_h5ad, write_csr


def main(job):
    config = job.params
    opened = recorded(job.input[0], config.modality)
    with opened as (source, record), create_h5ad(job.output.data) as store:
        obs, var = source.obs, source.var
        check_names(obs, var)
        arrays = {key: read_obsm(source, key, option) for key, option in config.obsm.items()}
        matrix = find_matrix(source, config.layer, "dataset.layer")
        # Not parameters: a change of what later jobs read or write must not rerun the store.
        for option, key in coordinates(job.config).items():
            read_obsm(source, key, option)
        check_space(Path(job.output.data).parents[1], matrix, job.config)
        write_elem(store, "obs", with_categories(obs))
        write_elem(store, "var", with_categories(var))
        write_elem(store, "obsm", arrays)
        unread = [key for key in source.keys("uns") if not kept(key)]
        write_elem(store, "uns", source.readable("uns", unread))
        values = LayerCheck(config.layer or "X")
        blocks = values.checked(matrix.blocks(), var.index)
        write_csr(store.create_group("X"), blocks, len(var))
        # Not a slot of an AnnData: results of the store record it themselves.
        made = source.record if config.preprocessed else None
        store.attrs["source"] = made or record()
        with create_h5(job.output.linear) as linear:
            write_normalisation(linear, source, store["X"], config, var.index)
            transform, origin = linear.attrs["transform"], linear.attrs["origin"]
            values.warn(transform == "unknown")
    print(f"counts per 10,000 from {origin}: {transform}")


def kept(key):
    """Whether an element of uns is read later: colours, and eigenvalues of diffusion maps."""
    return key.endswith("_colors") or key == "DM_EigenValues"


def with_categories(table):
    """Table with its text as categories: scanpy draws by them, cellxgene takes nothing else."""
    text = table.select_dtypes(["object", "string"]).astype(object)
    return table.assign(**{name: text[name].astype("category") for name in text})


def write_normalisation(file, source, matrix, config, genes):
    """How the stored layer becomes counts per 10,000, or the counts where it does not."""
    origin, counts = "dataset.layer", None
    if config.preprocessed:
        found, of_counts, origin = normalise(matrix, EXPRESSION), False, "dataset.preprocess"
    else:
        if config.counts is not None:
            origin = "dataset.counts"
            values, annotation = find_counts(source, config.counts, origin)
            columns = find_genes(annotation.index, list(genes), f"{origin} ({config.counts})")

            def counts():
                return non_negative(values.blocks(), columns)

        found, of_counts = find_normalisation(matrix, counts)
    if of_counts:
        write_csr(file.create_group("counts"), (part for _, part, _ in counts()), len(genes))
    file["factors"], file["depth"] = found.factors, found.depth
    file.attrs.update(found.attributes | {"origin": origin})


if __name__ == "__main__":
    run(main, snakemake)
