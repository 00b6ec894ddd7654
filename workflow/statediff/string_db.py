"""A client of STRING, the database of protein associations (protocol of version 12).

Requests are POSTs, sent one at a time and at least a second apart by all processes that share a
lock. A valid answer is never requested again.
"""

import fcntl
import hashlib
import json
import math
import re
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import pandas as pd
import requests

from statediff import InputError, web
from statediff.disk import atomic
from statediff.enrichment import FEWEST, with_strength
from statediff.urls import url_fault

__all__ = [
    "MOST_DRAWN",
    "StringClient",
    "ask_string",
    "clean_svg",
    "direction_of",
    "page_address",
]

CALLER = "statediff"
# Seconds between two requests, as STRING asks of its users.
PAUSE = 1.0
TIMEOUT = (10, 180)
RETRIES = 3
# Names in a request for their identifiers.
BATCH = 2000
# Genes of which some are known, if their species is the right one.
TELLING = 20
#: Genes of a network that can still be read.
MOST_DRAWN = 400
# Characters of an address that browsers and servers agree on.
LONGEST_ADDRESS = 8000

# Columns of the answers that are used, and what they hold.
NAMES = {"queryItem": str, "stringId": str, "preferredName": str}
ENRICHMENT = {
    "category": str, "term": str, "number_of_genes": int, "number_of_genes_in_background": int,
    "ncbiTaxonId": int, "inputGenes": str, "preferredNames": str, "p_value": float, "fdr": float,
    "description": str,
}  # fmt: skip
NETWORK = {"preferredName_A": str, "preferredName_B": str, "score": float}
PPI = {"number_of_edges": float, "expected_number_of_edges": float, "p_value": float}
SVG = "{http://www.w3.org/2000/svg}"
ElementTree.register_namespace("", SVG[1:-1])
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
# What a drawing consists of: no scripts, no pages within it, no animations.
DRAWING = {
    "svg", "g", "defs", "symbol", "use", "marker", "path", "rect", "circle", "ellipse", "line",
    "polyline", "polygon", "text", "tspan", "textPath", "title", "desc", "style", "image",
    "linearGradient", "radialGradient", "stop", "pattern", "clipPath", "mask", "filter",
    "feGaussianBlur", "feOffset", "feMerge", "feMergeNode", "feBlend", "feFlood", "feComposite",
    "feColorMatrix", "feDropShadow",
}  # fmt: skip
# What loads, in a style: any address outside the drawing, functions that take one as text, and
# escapes that could spell either.
LOADING = re.compile(
    r"@import|\\|url\(\s*['\"]?\s*[^#'\"\s]|\b(image|image-set|cross-fade|src)\(", re.IGNORECASE
)
# STRING's error where it knows none of the names.
NONE_KNOWN = re.compile(
    rb"Error\t[^\n]*\n(not found\t|(?=[^\n]*\b(protein|identifier|name)s?\b)"
    rb"[^\n]*\bnot (be )?f(ou|i)nd\b)",
    re.IGNORECASE,
)


class StringClient:
    """STRING's answers about the genes of one species.

    Parameters
    ----------
    api_url : str
        Address of the API of one version.
    species : int
        NCBI taxon.
    cache : path
        Folder of the answers, by a hash of the query.
    turn : path
        File of the lock for requests to STRING, one for all data sets.

    Notes
    -----
    Genes are sent in the order of their names, so that the same genes give the same query, whatever
    their rank. All methods raise `InputError` if STRING cannot be reached or gives an invalid
    answer.
    """

    def __init__(self, api_url, species, cache, turn):
        if fault := url_fault(api_url):
            raise InputError(f"enrichment.api_url: {api_url!r} {fault}")
        self.url, self.species = api_url.rstrip("/"), species
        self.cache, self.turn = Path(cache), Path(turn)

    def map_genes(self, genes):
        """STRING's identifier and name of each gene that it knows.

        Returns
        -------
        dict of str to tuple of str
            Names with control characters, which separate names, are left out of requests.
        """
        asked = sorted({gene for gene in genes if gene and gene.isprintable()})
        found = {}
        for start in range(0, len(asked), BATCH):
            names = "\r".join(asked[start : start + BATCH])
            query = {"identifiers": names, "echo_query": 1, "limit": 1}
            table = self._answer("tsv", "get_string_ids", _parse_names, query)
            for item, *entry in zip(table["queryItem"], table["stringId"], table["preferredName"]):
                found.setdefault(item, tuple(entry))
        return {gene: found[gene] for gene in genes if gene in found}

    def enrichment(self, identifiers, background=None):
        """Terms enriched among proteins, with STRING's columns.

        Parameters
        ----------
        identifiers : sequence of str
            STRING's own.
        background : sequence of str, optional
            Identifiers they are compared with; the whole genome without it.
        """
        return self._table("enrichment", ENRICHMENT, **_query(identifiers, background))

    def ppi_enrichment(self, identifiers, background=None):
        """Number of associations among proteins, its expectation, and the p-value, as a dict."""
        table = self._table("ppi_enrichment", PPI, **_query(identifiers, background))
        return {name: table[name].iloc[0] for name in PPI} if len(table) else {}

    def network(self, identifiers):
        """Associations among proteins: `preferredName_A`, `preferredName_B`, `score` (0 to 1)."""
        return self._table("network", NETWORK, **_query(identifiers))

    def network_svg(self, identifiers):
        """STRING's drawing of the associations, as SVG without anything active (bytes)."""
        return self._answer("svg", "network", clean_svg, _query(identifiers))

    def _table(self, method, columns, **query):
        return self._answer("tsv", method, lambda content: _parse(content, columns), query)

    def _answer(self, form, method, understand, query):
        """Content of an answer, from the cache or STRING; an invalid answer is not kept."""
        query = query | {"species": self.species, "caller_identity": CALLER}
        asked = json.dumps([self.url, form, method, query], sort_keys=True)
        path = self.cache / f"{hashlib.sha256(asked.encode()).hexdigest()}.{form}"
        if (answer := _kept(path, understand)) is None:
            with self._turn() as turn:
                # Somebody else may have asked the same meanwhile.
                if (answer := _kept(path, understand)) is None:
                    content = self._ask(f"{self.url}/{form}/{method}", method, query, turn)
                    try:
                        answer = understand(content)
                    except ValueError as error:
                        raise self._fault(method, error) from error
                    with atomic(path) as part:
                        part.write_bytes(content)
        return answer

    def _ask(self, url, method, query, turn):
        # A redirect would send the names to an address that the user did not configure.
        session = web.Session(retries=RETRIES, least=PAUSE, redirected=False)
        with _apart(turn), session:
            try:
                answer = session.ask("POST", url, whole=True, timeout=TIMEOUT, data=query)
            except requests.RequestException as error:
                raise self._fault(method, error) from error
        if answer.status_code != requests.codes.ok:
            status = f"{answer.status_code} {answer.reason} {answer.headers.get('Location', '')}"
            raise self._fault(method, f"status {status.strip()}: {_excerpt(answer.content)}")
        return answer.content

    @contextmanager
    def _turn(self):
        """Wait until no other process sends a request; gives the file with the time of the last."""
        self.turn.parent.mkdir(parents=True, exist_ok=True)
        with open(self.turn, "a+", encoding="utf-8") as turn:
            try:
                fcntl.flock(turn, fcntl.LOCK_EX)
            except OSError as error:
                raise InputError(
                    f"enrichment: {self.turn} cannot be locked ({error.strerror}), and STRING asks "
                    "for one request at a time; expected results/ on a file system with locks"
                ) from error
            yield turn

    def _fault(self, method, what):
        return InputError(
            f"enrichment: STRING's {method} at {self.url} gave no result: {what}. Other jobs do "
            "not need it: --keep-going finishes them. Answers so far are kept; run again later, "
            "or check enrichment.api_url and enrichment.species"
        )


@contextmanager
def _apart(turn):
    """Do something long enough after the last time, which is noted in a file."""
    since = time.time() - _noted(turn)
    # Clocks of two machines may differ.
    time.sleep(min(max(PAUSE - since, 0), PAUSE))
    try:
        yield
    finally:
        turn.truncate(0)
        turn.write(repr(time.time()))


def _noted(turn):
    """The time noted in a file; 0 if there is none, or none that can be read."""
    turn.seek(0)
    try:
        noted = float(turn.read())
    except ValueError:
        return 0.0
    return noted if math.isfinite(noted) else 0.0


def _kept(path, understand):
    """Content of an answer in the cache; None if there is none, or it is invalid."""
    try:
        return understand(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _query(identifiers, background=None):
    query = {"identifiers": "\r".join(sorted(identifiers))}
    if background is not None:
        query["background_string_identifiers"] = "\r".join(sorted(background))
    return query


def _parse(content, columns):
    """Some columns of a TSV answer, by their types; an answer without a line has no rows."""
    text = content.decode("utf-8").replace("\r\n", "\n").strip("\n")
    if text.lstrip().startswith("<"):
        raise ValueError(f"a web page, expected a table: {_excerpt(content)}")
    header, *rows = (line.split("\t") for line in text.split("\n"))
    if header == [""]:
        header = list(columns)
    if header[0] == "Error" or not set(columns) <= set(header):
        raise ValueError(f"{_excerpt(content)} (expected the columns {', '.join(columns)})")
    if any(len(row) != len(header) for row in rows):
        raise ValueError("rows of different length")
    return pd.DataFrame(rows, columns=header, dtype=str)[list(columns)].astype(columns)


def _parse_names(content):
    """Names that STRING knows; that it knows none it may also call an error."""
    return _parse(b"" if NONE_KNOWN.match(content) else content, NAMES)


def _excerpt(content, most=200):
    """The beginning of an answer, for a message on one line."""
    text = re.sub(r"<[^>]*>", " ", content[:4000].decode("utf-8", errors="replace"))
    text = re.sub(r"[^ -~]+|\s+", " ", text).strip()
    return text[:most] or "nothing"


def clean_svg(content):
    """A drawing without anything that acts or loads from elsewhere.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        If it is no SVG.
    """
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise ValueError(f"no SVG ({error}): {_excerpt(content)}") from None
    if root.tag != f"{SVG}svg":
        raise ValueError(f"no SVG: {_excerpt(content)}")
    for parent in list(root.iter()):
        for child in list(parent):
            kind = str(child.tag).removeprefix(SVG)
            loads = kind == "style" and LOADING.search("".join(child.itertext()))
            if kind not in DRAWING or loads:
                parent.remove(child)
        for name, value in list(parent.attrib.items()):
            local = name.rpartition("}")[2].lower()
            elsewhere = local == "href" and not re.match(r"#|data:image/(png|jpeg);", value)
            if local.startswith("on") or local == "base" or elsewhere or LOADING.search(value):
                del parent.attrib[name]
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def page_address(api_url, names, species):
    """Address of STRING's page of the same proteins, and how many of them it holds.

    Parameters
    ----------
    api_url : str
    names : sequence of str
        STRING's names; as many, from the first on, as an address may have.
    species : int

    Returns
    -------
    address : str
    n_names : int
    """
    start = f"{api_url.rstrip('/').removesuffix('/api')}/cgi/network?species={species}&identifiers="
    room, held = LONGEST_ADDRESS - len(start), []
    for name in (quote(name, safe="") for name in names):
        room -= len(name) + 3
        if room < 0:
            break
        held.append(name)
    return start + "%0d".join(held), len(held)


def ask_string(client, queries, genes, n_genome, enough):
    """Ask STRING for the terms and associations of sets of genes.

    Parameters
    ----------
    client : StringClient
    queries : dict of list of str
        Sets of genes, from `statediff.enrichment.gene_sets`.
    genes : list of str
        All tested genes.
    n_genome : int or None
        Number of genes of the genome; None if the tested genes are the background.
    enough : callable
        Whether a set, by its name, has enough genes to be asked about.

    Returns
    -------
    tables : list of pandas.DataFrame
        Terms of each set.
    unknown : set of str
        Genes that STRING does not know.
    info : dict
        What was sent, the associations, and links.

    Raises
    ------
    InputError
        If STRING knows none of many genes.
    """
    # Against the genome, only the called genes need to leave this machine; without a question none.
    asked = queries["all"] if n_genome else genes
    if len(queries["all"]) < FEWEST:
        asked = []
    known = client.map_genes(asked)
    if len(asked) >= TELLING and not known:
        raise InputError(
            f"enrichment.species: STRING knows none of {len(asked):,} genes (such as "
            f"{asked[0][:40]!r}) as genes of species {client.species}; expected its NCBI taxon"
        )
    background = None if n_genome else list(_proteins_of(known, asked))
    n_background = n_genome or len(background)
    tables, sets = [], {}
    for name, query in queries.items():
        proteins = _proteins_of(known, query)
        sets[name] = {"genes": len(query), "mapped": len(proteins), "proteins": proteins}
        if enough(name, query) and enough(f"{name}, known to STRING", proteins):
            table = client.enrichment(proteins, background)
            tables.append(with_strength(table, len(proteins), n_background).assign(gene_set=name))
            link, linked = page_address(client.url, proteins.values(), client.species)
            ppi = client.ppi_enrichment(proteins, background)
            sets[name] |= {"ppi_enrichment": ppi, "link": link, "linked": linked}
    info = {"background_genes": n_background, "sent_genes": len(asked), "gene_sets": sets}
    return tables, set(asked) - set(known), info


def direction_of(sets, protein):
    """Direction of a protein's genes; neutral if they change in opposite ways.

    Parameters
    ----------
    sets : dict
        ``gene_sets`` of `ask_string`.
    protein : str
        Its identifier.

    Returns
    -------
    str
    """
    found = [name for name in ("up", "down") if protein in sets[name]["proteins"]]
    return found[0] if len(found) == 1 else "neutral"


def _proteins_of(known, genes):
    """STRING's identifiers of genes, each once since some share a protein, with their names."""
    return dict(known[gene] for gene in genes if gene in known)
