"""Tables as pages with sorting and search that work offline."""

import math

import itables
import jinja2
import pandas as pd
from itables.javascript import generate_init_offline_itables_html

__all__ = ["gene_links", "render_table"]

# Of numbers, unless others are asked for.
DIGITS = 4
# Column of links, whose cells the browser fills: names stay text, whatever they hold.
LINKS = "links"
FINISH = itables.JavascriptFunction("function(row) { finish(row); }")


def render_table(template, table, columns, title, digits=None, links=(), info=None):
    """Page of a table.

    Parameters
    ----------
    template : str
        Of Jinja (report/table.html).
    table : pandas.DataFrame
        The first column has the names of the rows.
    columns : dict of dict
        For each column, in the order of the page, its `name` and its meaning (`text`); those with
        `diagnostic` are shown below the table only.
    title : str
    digits : int, optional
        Significant digits of numbers; 4 by default.
    links : sequence of dict
        From `gene_links`.
    info : dict, optional
        What was asked about the gene sets of a table of terms.

    Returns
    -------
    str
        HTML.
    """
    if links:
        table = table.copy()
        table.insert(1, LINKS, "")
    if unexplained := set(table) - set(columns):
        raise KeyError(f"no meaning is given for the columns {unexplained}")
    table = table[[name for name in columns if name in table]]
    explained = {name: columns[name] for name in table}
    below = [name for name in table if columns[name].get("diagnostic")]
    shown = _readable(table, digits or DIGITS)
    above = shown.drop(columns=below).rename(columns={k: v["name"] for k, v in explained.items()})
    return jinja2.Template(template, autoescape=True).render(
        title=title,
        columns=explained,
        links=links,
        diagnostics=shown[below].to_dict("list"),
        names=list(table.iloc[:, 0]),
        info=info,
        library=generate_init_offline_itables_html(itables.options.dt_bundle),
        table=_as_html(above, createdRow=FINISH),
    )


def gene_links(databases, species):
    """Names and addresses of the databases that know a species.

    Parameters
    ----------
    databases : list of dict
        `name`, `address` and, if it does not know all of them, `species` or `except`.
    species : int or None
        NCBI taxon; without one there are no links.

    Returns
    -------
    list of dict
    """
    if species is None:
        return []
    return [
        {"name": link["name"], "address": link["address"].replace("{species}", str(species))}
        for link in databases
        if species in link.get("species", [species]) and species not in link.get("except", [])
    ]


def _readable(table, digits):
    """Few digits, words for yes and no, and nothing where nothing is."""
    return table.apply(_readable_column, digits=digits)


def _readable_column(column, digits):
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


def _as_html(table, **options):
    """The table as HTML that a browser sorts and searches; `options` are those of itables."""
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
