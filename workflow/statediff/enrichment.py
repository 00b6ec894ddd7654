"""Enrichment of gene sets among the called genes."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from statediff import InputError

__all__ = [
    "COLUMNS",
    "FEWEST",
    "empty_table",
    "finished",
    "gene_sets",
    "local_enrichment",
    "over_representation",
    "parse_gmt",
    "ranked_enrichment",
    "read_gene_sets",
    "signed_distance",
    "with_strength",
]

#: Columns of STRING, after the gene set and before the columns computed here.
COLUMNS = [
    "gene_set",
    "category",
    "term",
    "number_of_genes",
    "number_of_genes_in_background",
    "ncbiTaxonId",
    "inputGenes",
    "preferredNames",
    "p_value",
    "fdr",
    "description",
    "expected",
    "strength",
    "nes",
]
NUMBERS = ["p_value", "fdr", "expected", "strength", "nes"]
COUNTS = ["number_of_genes", "number_of_genes_in_background"]
#: Smallest number of genes for a test.
FEWEST = 2
# Sizes of sets in the rank-based test, and its permutations: the defaults of GSEA.
SMALLEST, LARGEST, PERMUTATIONS = 15, 500, 1000


def gene_sets(genes):
    """Called genes: all, those higher and those lower in the compared condition.

    Parameters
    ----------
    genes : pandas.DataFrame
        `gene`, `mean_lfc` and `is_de`, in the order of their rank.

    Returns
    -------
    dict of str to list of str
        Of `all`, `up` and `down`, in the same order. A mean fold change of exactly 0 has no sign.
    """
    called = genes[genes["is_de"].to_numpy(dtype=bool)]
    chosen = {"all": called, "up": called[called["mean_lfc"] > 0]}
    chosen["down"] = called[called["mean_lfc"] < 0]
    return {name: list(table["gene"]) for name, table in chosen.items()}


def signed_distance(genes):
    """Distance of each gene with the sign of its mean fold change.

    Parameters
    ----------
    genes : pandas.DataFrame
        `gene`, `mean_lfc`, and `standardised` or, from nulls that give none, `mahalanobis`.

    Returns
    -------
    pandas.Series, shape (genes,)
        By the names of the genes; named after the distance.
    """
    distance = genes["standardised" if "standardised" in genes else "mahalanobis"]
    return pd.Series(
        (np.sign(genes["mean_lfc"]) * distance).to_numpy(dtype=float),
        index=genes["gene"],
        name=distance.name,
    )


def local_enrichment(genes, categories, n_genome=None, seed=42, threads=1):
    """Terms enriched among the called genes and at the ends of the ranking.

    Parameters
    ----------
    genes : pandas.DataFrame
        `gene`, `mean_lfc`, `is_de` and a distance, in the order of their rank.
    categories : dict of dict
        Gene sets of each category, from `parse_gmt`.
    n_genome : int, optional
        Number of genes of the genome, if the genome is the background instead of the tested genes.
    seed : int
        Of the permutations of the rank-based test.
    threads : int

    Returns
    -------
    tables : list of pandas.DataFrame
        For `finished`; one for each set of called genes and category, and the ranking.
    queries : dict of list of str
        The called genes: `gene_sets`.
    """
    tested, ranking, queries = list(genes["gene"]), signed_distance(genes), gene_sets(genes)
    tables = [
        over_representation(query, tested, sets, n_genome).assign(gene_set=name, category=category)
        for name, query in queries.items()
        if len(query) >= FEWEST
        for category, sets in categories.items()
    ]
    tables += [
        ranked_enrichment(ranking, sets, seed=seed, threads=threads).assign(category=category)
        for category, sets in categories.items()
    ]
    return tables, queries


def read_gene_sets(paths, genes):
    """Gene sets of GMT files.

    Parameters
    ----------
    paths : sequence of path
    genes : set of str
        Of the data.

    Returns
    -------
    dict of dict
        By the names of the files without ``.gmt``: what `parse_gmt` returns.

    Raises
    ------
    InputError
        If a file has another format, or other gene names.
    """
    sets = {}
    for path in map(Path, paths):
        try:
            found = parse_gmt(path.read_text(encoding="utf-8"), path)
        except UnicodeDecodeError as error:
            raise InputError(f"enrichment.gmt: {path} is not a text file ({error})") from error
        named = {gene for entry in found.values() for gene in entry["genes"]}
        print(f"{path}: {len(named):,} genes, {len(named & genes):,} of them in the data")
        if not named & genes:
            raise InputError(
                f"enrichment.gmt: {path}: none of its {len(named):,} genes (such as "
                f"{min(named)[:40]!r}) is in the data, which has {min(genes)[:40]!r}; expected the "
                "same kind of names, and the same species"
            )
        sets[path.stem] = found
    return sets


def with_strength(table, n_query, n_background):
    r"""Add the number of genes of each term expected by chance, and the strength of enrichment.

    expected = query · K / background, strength = log₁₀(observed / expected), where K genes of
    the background have the term (the definitions of STRING).

    Parameters
    ----------
    table : pandas.DataFrame
        `number_of_genes` and `number_of_genes_in_background` of each term.
    n_query, n_background : int or array of int
        Genes asked about, and genes they are compared with.

    Returns
    -------
    pandas.DataFrame
        The table with `expected` and `strength`; −∞ for a term without any of the genes.
    """
    expected = n_query * table["number_of_genes_in_background"] / n_background
    with np.errstate(divide="ignore"):
        return table.assign(
            expected=expected, strength=np.log10(table["number_of_genes"] / expected)
        )


def finished(tables, categories=()):
    """One table of all gene sets, sorted by FDR.

    Parameters
    ----------
    tables : iterable of pandas.DataFrame
        With all or some of `COLUMNS`.
    categories : sequence of str
        Categories of terms to keep; all if there is none.

    Returns
    -------
    pandas.DataFrame
        With exactly `COLUMNS`; `nes` is missing where genes were not ranked.
    """
    tables = [table for table in tables if len(table)]
    if not tables:
        return empty_table()
    table = pd.concat(tables, ignore_index=True).reindex(columns=COLUMNS)
    if len(categories):
        table = table[table["category"].isin(categories)]
    table = table.astype(empty_table().dtypes)
    # Names decide among equals, so that the order is always the same.
    return table.sort_values(
        ["fdr", "p_value", "gene_set", "category", "term"], kind="stable", ignore_index=True
    )


def empty_table():
    """A table of no term."""
    types = dict.fromkeys(COLUMNS, "str") | dict.fromkeys(NUMBERS, float)
    types |= dict.fromkeys([*COUNTS, "ncbiTaxonId"], "Int64")
    return pd.DataFrame(columns=COLUMNS).astype(types)


def parse_gmt(text, path):
    """Gene sets of a GMT file: a line each of name, description, genes, separated by tabs.

    Parameters
    ----------
    text : str
    path : str
        Of the file, for messages.

    Returns
    -------
    dict of str to dict
        `description` (the name, where the file has none or an address) and `genes` of each set.

    Raises
    ------
    InputError
        If a line has no gene, or two sets have the same name.
    """
    sets = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        name, description, *genes = (field.strip() for field in [*line.split("\t"), ""])
        genes = list(dict.fromkeys(gene for gene in genes if gene))
        if not genes:
            raise InputError(
                f"enrichment.gmt: {path}, line {number}: found no gene, expected the name of a "
                "set, its description and its genes, separated by tabs"
            )
        if name in sets:
            raise InputError(
                f"enrichment.gmt: {path}, line {number}: the set {name[:80]!r} occurs twice"
            )
        useless = re.match(r"(https?://|na$|>|$)", description, re.IGNORECASE)
        sets[name] = {"description": name if useless else description, "genes": genes}
    if not sets:
        raise InputError(f"enrichment.gmt: {path} holds no gene set")
    return sets


def over_representation(query, tested, sets, n_genome=None):
    """Terms with more of the query genes than expected by chance (hypergeometric test, gseapy).

    Parameters
    ----------
    query : sequence of str
        Query genes, a subset of `tested`.
    tested : sequence of str
        All tested genes.
    sets : dict of str to dict
        As from `parse_gmt`.
    n_genome : int, optional
        Number of genes of the genome, if the genome is the background instead of `tested`.

    Returns
    -------
    pandas.DataFrame
        A row for each term with a query gene. The FDR (Benjamini-Hochberg) is over all terms with
        any gene of the background, including those without a query gene.
    """
    import gseapy
    from scipy.stats import false_discovery_control

    if len(query) < FEWEST:
        return empty_table()
    # Of a genome, genes that only the sets name count too.
    others = [] if n_genome is None else (g for entry in sets.values() for g in entry["genes"])
    genes = list(dict.fromkeys([*tested, *others]))
    known = _coded(sets, genes)
    background = n_genome or [_code(i) for i in range(len(genes))]
    places = {gene: i for i, gene in enumerate(genes)}
    asked = [_code(places[gene]) for gene in query]
    if not known:
        return empty_table()
    found = gseapy.enrich(
        asked, {_code(i): members for i, members in enumerate(known.values())},
        background=background, outdir=None, no_plot=True,
    ).results  # fmt: skip
    if not len(found):
        return empty_table()
    codes = [_code(i) for i in range(len(known))]
    pvalues = found.set_index("Term")["P-value"].reindex(codes, fill_value=1.0).clip(0, 1)
    rows = []
    for (term, members), p, q in zip(known.items(), pvalues, false_discovery_control(pvalues)):
        members = set(members)
        hits = [gene for gene, code in zip(query, asked) if code in members]
        if hits:
            rows.append(_row(term, sets[term], hits, len(members), p, q))
    return with_strength(pd.DataFrame(rows), len(query), n_genome or len(tested))


def ranked_enrichment(ranking, sets, *, seed, threads=1):
    """Terms whose genes are near an end of a ranking (pre-ranked GSEA, gseapy).

    The genes of a row are the leading edge: those between this end and the maximum deviation of the
    running sum from 0. The expected number is that of the genes of the term there by chance, so
    that strength has the same meaning as for over-representation.

    Parameters
    ----------
    ranking : pandas.Series, shape (genes,)
        Signed statistic by gene.
    sets : dict of str to dict
        As from `parse_gmt`; those with 15 to 500 of the genes take part.
    seed : int
        Of the permutations, 1,000. P-values and FDRs below their inverse are set to it.
    threads : int

    Returns
    -------
    pandas.DataFrame
        A row a term, `gene_set` being `ranked_up` or `ranked_down` by the sign of the normalised
        enrichment score `nes`.
    """
    import gseapy

    ranking = ranking.sort_values(ascending=False, kind="stable")
    known = {
        term: members
        for term, members in _coded(sets, ranking.index).items()
        if SMALLEST <= len(members) <= LARGEST
    }
    if not known or not ranking.any():
        return empty_table()
    terms = {_code(i): term for i, term in enumerate(known)}
    found = gseapy.prerank(
        ranking.set_axis([_code(i) for i in range(len(ranking))]),
        {code: known[term] for code, term in terms.items()},
        outdir=None, no_plot=True, threads=threads, min_size=SMALLEST, max_size=LARGEST,
        permutation_num=PERMUTATIONS, seed=seed,
    ).res2d  # fmt: skip
    rows = []
    for code, nes, p, q, leading in zip(
        *(found[name] for name in ("Term", "NES", "NOM p-val", "FDR q-val", "Lead_genes"))
    ):
        if not np.isfinite(nes) or not leading:
            continue
        places = sorted(int(name[1:]) for name in leading.split(";"))
        up = nes > 0
        genes = list(ranking.index[places if up else places[::-1]])
        p, q = (max(float(x), 1 / PERMUTATIONS) for x in (p, q))
        row = _row(terms[code], sets[terms[code]], genes, len(known[terms[code]]), p, q)
        row |= {"gene_set": "ranked_up" if up else "ranked_down", "nes": float(nes)}
        rows.append(row | {"before": places[-1] + 1 if up else len(ranking) - places[0]})
    table = pd.DataFrame(rows)
    return with_strength(table, table["before"], len(ranking)) if rows else empty_table()


def _code(i):
    """Code of a name for gseapy, which interprets some names."""
    return f"x{i}"


def _coded(sets, genes):
    """Codes of the genes of each set that has any of these."""
    places = {gene: i for i, gene in enumerate(genes)}
    coded = {
        term: [_code(places[gene]) for gene in entry["genes"] if gene in places]
        for term, entry in sets.items()
    }
    return {term: members for term, members in coded.items() if members}


def _row(term, entry, genes, n_background, pvalue, fdr):
    listed = ",".join(genes)
    return {
        "term": term,
        "number_of_genes": len(genes),
        "number_of_genes_in_background": n_background,
        "inputGenes": listed,
        "preferredNames": listed,
        "p_value": float(pvalue),
        "fdr": float(fdr),
        "description": entry["description"],
    }
