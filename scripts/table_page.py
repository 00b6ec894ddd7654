"""Write a table as a page with sorting and search that works offline."""

import json
import math

import itables
import jinja2
import pandas as pd
import yaml
from _job import run
from itables.javascript import generate_init_offline_itables_html
from statediff.disk import atomic

# Of numbers, where the rule asks for no others.
DIGITS = 4
# Column of links, whose cells the browser fills: names stay text, whatever they hold.
LINKS = "links"
FINISH = itables.JavascriptFunction("function(row) { finish(row); }")


def main(job):
    with open(job.input.columns, encoding="utf-8") as file:
        columns = yaml.safe_load(file)[job.params.table]
    table, links = pd.read_parquet(job.input.table), gene_links(job)
    if links:
        table.insert(1, LINKS, "")
    if unexplained := set(table) - set(columns):
        raise KeyError(f"{job.input.columns} does not explain {unexplained}")
    table = table[[name for name in columns if name in table]]
    explained = {name: columns[name] for name in table}
    below = [name for name in table if columns[name].get("diagnostic")]
    shown = readable(table, job.params.get("digits", DIGITS))
    with open(job.input.template, encoding="utf-8") as file:
        template = jinja2.Template(file.read(), autoescape=True)
    page = template.render(
        title=": ".join([job.params.table.capitalize().replace("_", " "), *job.wildcards]),
        columns=explained,
        links=links,
        diagnostics=shown[below].to_dict("list"),
        names=list(table.iloc[:, 0]),
        info=enrichment_info(job),
        library=generate_init_offline_itables_html(itables.options.dt_bundle),
        table=as_html(
            shown.drop(columns=below).rename(columns={k: v["name"] for k, v in explained.items()}),
            createdRow=FINISH,
        ),
    )
    with atomic(job.output[0]) as part:
        part.write_text(page, encoding="utf-8")


def gene_links(job):
    """Names and addresses of the databases of the species, if the configuration names it."""
    species = job.params.get("species")
    if species is None:
        return []
    with open(job.input.links, encoding="utf-8") as file:
        links = yaml.safe_load(file)
    return [
        {"name": link["name"], "address": link["address"].replace("{species}", str(species))}
        for link in links
        if species in link.get("species", [species]) and species not in link.get("except", [])
    ]


def enrichment_info(job):
    """What was asked about the gene sets of a table of terms."""
    if not job.input.get("info"):
        return None
    with open(job.input.info, encoding="utf-8") as file:
        return json.load(file)


def readable(table, digits):
    """Few digits, words for yes and no, and nothing where nothing is."""
    return table.apply(readable_column, digits=digits)


def readable_column(column, digits):
    match column.dtype.kind:
        case "f":
            rounded = column.map(lambda number: float(f"{number:.{digits}g}"))
            if not column.hasnans:
                return rounded
            shown = [int(x) if x.is_integer() else "" if math.isnan(x) else x for x in rounded]
            return pd.Series(shown, column.index, dtype=object)
        case "b":
            return column.map({True: "yes", False: "no"})
        case "O":
            return column.where(column.notna(), "")
    return column


def as_html(table, **options):
    return itables.to_html_datatable(
        table,
        connected=False,
        # Names are text, whatever they hold.
        allow_html=False,
        showIndex=False,
        # All rows, of which the page at hand is drawn.
        maxBytes=0,
        maxRows=0,
        maxColumns=0,
        deferRender=True,
        pageLength=25,
        format_floats_in_python=False,
        text_in_header_can_be_selected=False,
        display_logo_when_loading=False,
        layout={"topStart": "pageLength", "topEnd": "search", "top2Start": "buttons"},
        buttons=["copyHtml5", "csvHtml5"],
        table_id="table",
        classes="display compact",
        style="width:100%",
        **options,
    )


if __name__ == "__main__":
    run(main, snakemake)
