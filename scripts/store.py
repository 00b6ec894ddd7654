"""Reduce the source file to what the workflow reads, and check it on the way."""

import json
import warnings

import h5py
import numpy as np
from _inputs import check_names, find_counts, find_genes, find_matrix, read_obsm
from _job import run
from anndata.io import write_elem
from scipy import sparse
from statediff import DataWarning, InputError
from statediff.linear import infer_transform
from statediff.normalisation import agrees, normalise, of_counts, sample_rows
from statediff.preprocess import EXPRESSION
from statediff.source import open_source
from statediff.store import atomic, create_h5ad, described, write_csr

# No logarithm of counts is larger, whatever its base and what the counts were scaled to.
LARGEST_LOGARITHM = 30.0


def main(job):
    config = job.params
    opened = open_source(job.input[0], config.modality)
    with opened as source, create_h5ad(job.output.data) as store:
        obs, var = source.obs, source.var
        check_names(obs, var)
        arrays = {key: read_obsm(source, key, option) for key, option in config.obsm.items()}
        matrix = find_matrix(source, config.layer, "dataset.layer")
        write_elem(store, "obs", with_categories(obs))
        write_elem(store, "var", with_categories(var))
        write_elem(store, "obsm", arrays)
        unread = [key for key in source.keys("uns") if not kept(key)]
        write_elem(store, "uns", source.readable("uns", unread))
        values = Values(config.layer or "X")
        blocks = values.checked(matrix.blocks(), var.index)
        write_csr(store.create_group("X"), blocks, len(var))
        # No slot of an AnnData: what is made from the store says it in a record of its own.
        made = source.record if config.preprocessed else None
        store.attrs["source"] = made or json.dumps(described(job.input[0]))
        with atomic(job.output.linear) as part, h5py.File(part, "w") as linear:
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
    rows, part = sample_rows(matrix)
    origin = "dataset.layer"
    if config.preprocessed:
        found, origin = normalise(matrix, EXPRESSION), "dataset.preprocess"
    elif config.counts is None:
        found = normalise(matrix, infer_transform(part))
    else:
        origin = "dataset.counts"
        counts, annotation = find_counts(source, config.counts, origin)
        columns = find_genes(annotation.index, list(genes), f"{origin} ({config.counts})")
        totals, sampled = count_totals(counts, columns, rows)
        transform = infer_transform(part)
        if transform is not None and agrees(part, transform, sampled):
            found = normalise(matrix, transform, totals)
        else:
            found = of_counts(totals[1])
            blocks = (block[:, columns] for _, block in non_negative(counts))
            write_csr(file.create_group("counts"), blocks, len(genes))
    file["factors"], file["depth"] = found.factors, found.depth
    file.attrs.update(found.attributes | {"origin": origin})


def count_totals(counts, columns, rows):
    """Counts of each cell among the genes of the layer and among all, and those of some cells."""
    here, everywhere, sampled = [], [], []
    for start, block in non_negative(counts):
        part = block[:, columns]
        here.append(np.asarray(part.sum(axis=1, dtype=np.float64)).ravel())
        everywhere.append(np.asarray(block.sum(axis=1, dtype=np.float64)).ravel())
        inside = rows[(rows >= start) & (rows < start + block.shape[0])]
        sampled.append(part[inside - start])
    totals = np.concatenate(here), np.concatenate(everywhere)
    return totals, sparse.vstack(sampled, format="csr")


def non_negative(counts):
    """Row blocks of counts, which may be estimates but not negative."""
    for start, block in counts.blocks():
        bad = ~(np.isfinite(block.data) & (block.data >= 0))
        if bad.any():
            raise InputError(
                f"dataset.counts: found {block.data[bad][0]:g} in cell row "
                f"{start + block.tocoo().row[bad][0]}; expected raw counts, none negative"
            )
        yield start, block


class Values:
    """What the values of a layer look like, seen on their way into the store."""

    def __init__(self, name):
        self.name, self.whole, self.least, self.largest = name, True, 0.0, 0.0

    def checked(self, blocks, genes):
        """Row blocks as they come, refusing non-finite values."""
        for start, block in blocks:
            block = block.astype(np.float32)
            bad = ~np.isfinite(block.data)
            if bad.any():
                row, column = (axis[bad][0] for axis in block.tocoo().coords)
                raise InputError(
                    f"dataset.layer: expression ({self.name}) is NaN or infinite in cell row "
                    f"{start + row}, gene {genes[column]!r}; expected finite values of float32"
                )
            self.whole = self.whole and bool((block.data == np.round(block.data)).all())
            self.least = min(self.least, block.data.min(initial=0.0))
            self.largest = max(self.largest, block.data.max(initial=0.0))
            yield block

    def warn(self, unknown):
        """Warn of what is no log-normalised expression, or cannot be brought to a linear scale."""
        if self.whole:
            fault = (
                f"the expression ({self.name}) holds whole numbers only, like raw counts; "
                "log-normalised expression is expected (dataset.layer; dataset.preprocess makes it)"
            )
        elif self.largest > LARGEST_LOGARITHM:
            fault = (
                f"the expression ({self.name}) has values up to {self.largest:.4g}, which no "
                "logarithm of counts has; log-normalised expression is expected (dataset.layer; "
                "dataset.preprocess makes it from raw counts)"
            )
        elif self.least < 0 and unknown:
            fault = (
                f"the expression ({self.name}) has negative values, down to {self.least:.3g}, like "
                "expression scaled to unit variance; log-normalised expression from before the "
                "scaling is expected (dataset.layer; dataset.preprocess makes it from raw counts)"
            )
        else:
            fault = None
        if fault:
            warn(f"{fault}: see docs/warnings.md#layer")
        if unknown:
            warn(
                f"the expression ({self.name}) is no known function of counts, so that genes are "
                "tested on it as it is, and a difference in sequencing depth can look like one in "
                "expression; expected log1p or log2(x + c) of counts scaled in each cell "
                "(dataset.layer), or raw counts beside it (dataset.counts): see "
                "docs/warnings.md#transform"
            )


def warn(message):
    warnings.warn(message, DataWarning, stacklevel=1)


run(main, snakemake)
