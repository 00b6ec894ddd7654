"""Output files of enrichment, for all providers."""

import json
import warnings

from _table import save
from statediff import DataWarning, InputError
from statediff.disk import atomic
from statediff.enrichment import FEWEST, finished
from statediff.text import safe_cells


def write(job, tables, genes, unmapped, info):
    """Write the table of terms, the genes that the provider does not know, and the query."""
    chosen = job.params.enrichment["categories"]
    table = finished(tables, chosen)
    if not len(table) and len(every := finished(tables)):
        warnings.warn(
            f"enrichment.categories: none of {len(every):,} terms belongs to {', '.join(chosen)}; "
            f"expected some of: {', '.join(sorted(every['category'].unique()))}",
            DataWarning,
            stacklevel=1,
        )
    save(job, table)
    unknown = genes.loc[genes["gene"].isin(unmapped), ["gene", "is_de"]]
    with atomic(job.output.unmapped) as part:
        safe_cells(unknown).to_csv(part, sep="\t", index=False)
    print(f"{len(unknown):,} genes are not known to the provider: {job.output.unmapped}")
    with atomic(job.output.info) as part:
        part.write_text(
            json.dumps(info | {"unmapped_genes": len(unknown)}, indent=1), encoding="utf-8"
        )


def genome(job, n_tested):
    """Number of genes of the genome, if it is the background."""
    settings = job.params.enrichment
    if settings["background"] != "genome":
        return None
    if settings["genome_genes"] < n_tested:
        raise InputError(
            f"enrichment.genome_genes: found {settings['genome_genes']:,}, expected the number of "
            f"genes of the whole genome; {n_tested:,} genes were tested"
        )
    return settings["genome_genes"]


def enough(name, members):
    """Whether there are enough genes for a test; if not, the log says so."""
    if len(members) < FEWEST:
        print(f"{name}: {len(members)} genes, at least {FEWEST} are needed: no terms")
    return len(members) >= FEWEST
