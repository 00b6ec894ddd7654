"""Find the cells and genes of an entry of smooth."""

import difflib

import numpy as np
from _cells import select
from _job import run
from anndata.io import read_elem
from statediff import InputError
from statediff.store import open_h5ad, write_arrays

MIN_CELLS = 10


def main(job):
    option, smooth = f"smooth.{job.wildcards.population}", job.params.smooth
    with open_h5ad(job.input[0]) as store:
        obs, names = read_elem(store["obs"]), read_elem(store["var"]).index
    genes = names.get_indexer(smooth["genes"])
    unknown = [gene for gene, at in zip(smooth["genes"], genes, strict=True) if at < 0]
    if unknown:
        told = "; ".join(f"{gene!r}{close_matches(gene, names)}" for gene in unknown[:5])
        rest = f"; and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise InputError(f"{option}.genes: not among the {len(names)} genes: {told}{rest}")
    population = select(obs, smooth["cells"] or {}, f"{option}.cells")
    if (n := int(population.sum())) < MIN_CELLS:
        raise InputError(f"{option}.cells: {n} cells are left, expected at least {MIN_CELLS}")
    write_arrays(job.output[0], {"population": population, "genes": np.asarray(genes)})


def close_matches(gene, names):
    """Genes of a similar name, whatever their case, for a message."""
    folded = {name.lower(): name for name in reversed(names.astype(str))}
    close = difflib.get_close_matches(gene.lower(), folded, n=3)
    return f" (did you mean {', '.join(folded[name] for name in close)}?)" if close else ""


run(main, snakemake)
