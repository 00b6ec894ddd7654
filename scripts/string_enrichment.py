"""Terms and associations of the called genes from STRING."""

import pandas as pd
from _enrichment import enough, genome, write
from _job import run
from statediff.enrichment import gene_sets
from statediff.string_db import StringClient, ask_string


def main(job):
    genes = pd.read_parquet(job.input.genes)
    settings = job.params.enrichment
    client = StringClient(
        settings["api_url"], settings["species"], job.params.answers, job.params.turn
    )
    n_genome = genome(job, len(genes))
    asked = gene_sets(genes), list(genes["gene"]), n_genome
    tables, unknown, info = ask_string(client, *asked, enough)
    query = {"provider": "string", "api_url": client.url, "species": client.species}
    write(job, tables, genes, unknown, query | {"background": settings["background"]} | info)


if __name__ == "__main__":
    run(main, snakemake)
