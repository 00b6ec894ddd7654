"""STRING's drawing of the associations among the called genes, or one from its table."""

import json

from _figure import conditions
from _job import run
from statediff import InputError
from statediff.disk import atomic
from statediff.enrichment import FEWEST
from statediff.plots import gene_network
from statediff.plots.style import as_svg
from statediff.string_db import MOST_DRAWN, StringClient, direction_of


def main(job):
    with open(job.input[0], encoding="utf-8") as file:
        sets = json.load(file)["gene_sets"]
    names, settings = sets["all"]["proteins"], job.params.enrichment
    proteins, edges, picture = list(names)[:MOST_DRAWN], [], None
    if len(names) > MOST_DRAWN:
        print(f"Drawn: the first {MOST_DRAWN} of {len(names):,} proteins by their rank")
    client = settings["api_url"], settings["species"], job.params.answers, job.params.turn
    client = StringClient(*client)
    if len(proteins) >= FEWEST:
        try:
            picture = client.network_svg(proteins)
        except InputError as error:
            print(f"{error}\nThe network is drawn from STRING's table of it instead.")
            edges = client.network(proteins).itertuples(index=False)
    if picture is None:
        directions = {names[protein]: direction_of(sets, protein) for protein in proteins}
        picture = as_svg(gene_network(edges, directions, conditions=conditions(job)))
    with atomic(job.output[0]) as part:
        part.write_bytes(picture)


if __name__ == "__main__":
    run(main, snakemake)
