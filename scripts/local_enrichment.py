"""Terms of GMT files that the called genes, and the ends of the ranking, have in common."""

import json

import pandas as pd
from _enrichment import enough, genome, write
from _job import run
from statediff.enrichment import (
    gene_sets,
    over_representation,
    ranked_enrichment,
    signed_distance,
)


def main(job):
    genes = pd.read_parquet(job.input.genes)
    with open(job.input.sets, encoding="utf-8") as file:
        found = json.load(file)
    categories = found["sets"]
    tested, ranking = list(genes["gene"]), signed_distance(genes)
    known = {g for sets in categories.values() for entry in sets.values() for g in entry["genes"]}
    queries, n_genome = gene_sets(genes), genome(job, len(tested))
    tables = []
    for name, query in queries.items():
        if enough(name, query):
            tables += [
                over_representation(query, tested, sets, n_genome).assign(
                    gene_set=name, category=category
                )
                for category, sets in categories.items()
            ]
    for category, sets in categories.items():
        ranked = ranked_enrichment(ranking, sets, seed=job.params.seed, threads=job.threads)
        tables.append(ranked.assign(category=category))
    info = {
        "provider": "local",
        "files": found["files"],
        "background": job.params.enrichment["background"],
        "background_genes": n_genome or len(tested),
        "gene_sets": {
            name: {"genes": len(query), "mapped": len(known.intersection(query))}
            for name, query in queries.items()
        },
        "ranked_by": ranking.name,
    }
    write(job, tables, genes, set(tested) - known, info)


run(main, snakemake)
