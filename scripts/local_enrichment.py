"""Terms of GMT files that are enriched among the called genes and at the ends of the ranking."""

import json

import pandas as pd
from _enrichment import enough, genome, write
from _job import run
from statediff.enrichment import local_enrichment, signed_distance


def main(job):
    genes = pd.read_parquet(job.input.genes)
    with open(job.input.sets, encoding="utf-8") as file:
        found = json.load(file)
    categories, tested = found["sets"], list(genes["gene"])
    known = {g for sets in categories.values() for entry in sets.values() for g in entry["genes"]}
    n_genome = genome(job, len(tested))
    settings = {"seed": job.params.seed, "threads": job.threads}
    tables, queries = local_enrichment(genes, categories, n_genome, **settings)
    for name, query in queries.items():
        enough(name, query)
    info = {
        "provider": "local",
        "files": found["files"],
        "background": job.params.enrichment["background"],
        "background_genes": n_genome or len(tested),
        "gene_sets": {
            name: {"genes": len(query), "mapped": len(known.intersection(query))}
            for name, query in queries.items()
        },
        "ranked_by": signed_distance(genes).name,
    }
    write(job, tables, genes, set(tested) - known, info)


if __name__ == "__main__":
    run(main, snakemake)
