"""What enrichment writes beside its table, whoever provides it."""

import json

from _table import save
from statediff.enrichment import FEWEST, finished
from statediff.store import atomic


def write(job, tables, genes, unmapped, info):
    """The table of terms, the genes that the provider does not know, and what was asked."""
    save(job, finished(tables, job.params.enrichment["categories"]))
    unknown = genes.loc[genes["gene"].isin(unmapped), ["gene", "is_de"]]
    with atomic(job.output.unmapped) as part:
        unknown.to_csv(part, sep="\t", index=False)
    print(f"{len(unknown):,} genes are not known to the provider: {job.output.unmapped}")
    with atomic(job.output.info) as part:
        part.write_text(json.dumps(info | {"unmapped_genes": len(unknown)}, indent=1))


def genome(job):
    """Number of genes of the genome, where it is the background."""
    settings = job.params.enrichment
    return settings["genome_genes"] if settings["background"] == "genome" else None


def enough(name, members):
    """Whether genes are enough to have something in common; the log says if not."""
    if len(members) < FEWEST:
        print(f"{name}: {len(members)} genes, at least {FEWEST} are needed: no terms")
    return len(members) >= FEWEST
