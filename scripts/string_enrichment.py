"""Terms and associations of the called genes from STRING."""

import pandas as pd
from _enrichment import enough, genome, write
from _job import run
from statediff import InputError
from statediff.enrichment import FEWEST, gene_sets, with_strength
from statediff.string_db import StringClient, page_address

# Genes of which some are known, if their species is the right one.
TELLING = 20


def main(job):
    genes = pd.read_parquet(job.input.genes)
    settings = job.params.enrichment
    client = StringClient(
        settings["api_url"], settings["species"], job.params.answers, job.params.turn
    )
    queries = gene_sets(genes)
    n_genome = genome(job, len(genes))
    # Against the genome, only the called genes need to leave this machine; without a question none.
    asked = queries["all"] if n_genome else list(genes["gene"])
    if len(queries["all"]) < FEWEST:
        asked = []
    known = client.map_genes(asked)
    if len(asked) >= TELLING and not known:
        raise InputError(
            f"enrichment.species: STRING knows none of {len(asked):,} genes (such as "
            f"{asked[0][:40]!r}) as genes of species {settings['species']}; expected its NCBI taxon"
        )
    background = None if n_genome else list(proteins_of(known, asked))
    n_background = n_genome or len(background)
    tables, info = [], {}
    for name, query in queries.items():
        proteins = proteins_of(known, query)
        info[name] = {"genes": len(query), "mapped": len(proteins), "proteins": proteins}
        if enough(name, query) and enough(f"{name}, known to STRING", proteins):
            table = client.enrichment(proteins, background)
            tables.append(with_strength(table, len(proteins), n_background).assign(gene_set=name))
            link, linked = page_address(client.url, proteins.values(), client.species)
            ppi = client.ppi_enrichment(proteins, background)
            info[name] |= {"ppi_enrichment": ppi, "link": link, "linked": linked}
    info = {
        "provider": "string",
        "api_url": client.url,
        "species": client.species,
        "background": settings["background"],
        "background_genes": n_background,
        "sent_genes": len(asked),
        "gene_sets": info,
    }
    write(job, tables, genes, set(asked) - set(known), info)


def proteins_of(known, genes):
    """STRING's identifiers of genes, each once since some share a protein, with their names."""
    return dict(known[gene] for gene in genes if gene in known)


if __name__ == "__main__":
    run(main, snakemake)
