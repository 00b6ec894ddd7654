"""STRING's drawing of the associations among the called genes, or one from its table."""

import io
import json

from _figure import conditions
from _job import run
from statediff import InputError
from statediff.disk import atomic
from statediff.enrichment import FEWEST
from statediff.plots import gene_network
from statediff.plots.style import style
from statediff.string_db import MOST_DRAWN, StringClient


def main(job):
    with open(job.input[0], encoding="utf-8") as file:
        sets = json.load(file)["gene_sets"]
    proteins = list(sets["all"]["proteins"])
    if len(proteins) > MOST_DRAWN:
        print(f"Drawn: the first {MOST_DRAWN} of {len(proteins):,} proteins by their rank")
    with atomic(job.output[0]) as part:
        part.write_bytes(picture(job, sets, proteins[:MOST_DRAWN]))


def picture(job, sets, proteins):
    """The network as SVG (bytes)."""
    settings, edges = job.params.enrichment, []
    client = StringClient(
        settings["api_url"], settings["species"], job.params.answers, job.params.turn
    )
    if len(proteins) >= FEWEST:
        try:
            return client.network_svg(proteins)
        except InputError as error:
            print(f"{error}\nThe network is drawn from STRING's table of it instead.")
        edges = client.network(proteins).itertuples(index=False)
    directions = {
        sets["all"]["proteins"][protein]: direction(sets, protein) for protein in proteins
    }
    return as_svg(gene_network(edges, directions, conditions=conditions(job)))


def direction(sets, protein):
    """Of genes that share a protein and change in opposite ways there is none."""
    found = [name for name in ("up", "down") if protein in sets[name]["proteins"]]
    return found[0] if len(found) == 1 else "neutral"


def as_svg(figure):
    file = io.BytesIO()
    with style():
        figure.savefig(file, format="svg")
    return file.getvalue()


if __name__ == "__main__":
    run(main, snakemake)
