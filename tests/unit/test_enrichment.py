"""Gene sets, over-representation and ranked enrichment against the textbook."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import hypergeom
from statediff import InputError
from statediff.enrichment import (
    COLUMNS,
    finished,
    gene_sets,
    over_representation,
    parse_gmt,
    ranked_enrichment,
    signed_distance,
    with_strength,
)

GENES = [*(f"g{i}" for i in range(200)), "a;rm -rf ~", "<b>x</b>", "G5", "12"]


def sets_of(**members):
    return {name: {"description": name, "genes": list(genes)} for name, genes in members.items()}


def test_the_published_table(shared):
    published = json.loads((shared / "reference/published_tutorial.json").read_text())
    table = pd.DataFrame(published["enrichment_function_top"])
    counts = ["number_of_genes", "number_of_genes_in_background"]
    found = with_strength(table[counts], 200, 22_000)
    for name in ("expected", "strength"):
        np.testing.assert_allclose(found[name], table[name], atol=6e-7)
    first = found.iloc[0]
    assert (first["number_of_genes_in_background"], round(first["expected"], 6)) == (31, 0.281818)
    assert round(first["strength"], 3) == 1.55


def test_gene_sets_are_the_called_genes_by_the_sign_of_their_change():
    genes = pd.DataFrame(
        {
            "gene": list("abcdef"),
            "mean_lfc": [1.0, -2.0, 0.0, 3.0, -1.0, 0.5],
            "is_de": [True, True, True, False, True, True],
        }
    )
    assert gene_sets(genes) == {"all": list("abcef"), "up": ["a", "f"], "down": ["b", "e"]}


@pytest.mark.parametrize("name", ["standardised", "mahalanobis"])
def test_ranking(name):
    genes = pd.DataFrame({"gene": list("abc"), "mean_lfc": [-0.1, 2.0, 0.0], "mahalanobis": 9.0})
    genes[name] = [3.0, 1.0, 2.0]
    ranking = signed_distance(genes)
    assert ranking.to_dict() == {"a": -3.0, "b": 1.0, "c": 0.0}
    assert ranking.name == name


@pytest.mark.parametrize("n_genome", [None, 1000])
def test_over_representation_is_the_hypergeometric_test(n_genome):
    sets = sets_of(
        half=[*GENES[:10], *GENES[100:110]],
        odd=["a;rm -rf ~", "<b>x</b>", "g5", "elsewhere"],
        # In the background, but without a gene asked about: they count among the tests.
        none=GENES[50:60],
        other=GENES[60:70],
        absent=["elsewhere"],
    )
    query = [*GENES[:20], "a;rm -rf ~", "<b>x</b>"]
    table = over_representation(query, GENES, sets, n_genome).set_index("term")
    total, absent = (len(GENES), 0) if n_genome is None else (n_genome, 1)
    assert set(table.index) == {"half", "odd"}
    assert table.loc["odd", "inputGenes"] == "g5,a;rm -rf ~,<b>x</b>"
    assert list(table["number_of_genes_in_background"]) == [20, 3 + absent]
    wanted = {
        name: hypergeom.sf(hits - 1, total, size, len(query))
        for name, hits, size in (("half", 10, 20), ("odd", 3, 3 + absent))
    }
    np.testing.assert_allclose(table["p_value"], pd.Series(wanted)[table.index], rtol=1e-8)
    tests = 4 + absent
    order = table["p_value"].sort_values()
    by_hand = np.minimum.accumulate((order * tests / [1, 2])[::-1])[::-1]
    np.testing.assert_allclose(table["fdr"], by_hand[table.index], rtol=1e-8)
    np.testing.assert_allclose(table.loc["half", "expected"], len(query) * 20 / total)
    np.testing.assert_allclose(
        table.loc["half", "strength"], np.log10(10 / (len(query) * 20 / total))
    )


@pytest.mark.parametrize(
    ("query", "sets"),
    [
        (["g1"], sets_of(a=["g1", "g2"])),
        ([], sets_of(a=["g1"])),
        (["g1", "g2"], sets_of(a=["elsewhere"])),
        (["g1", "g2"], sets_of(a=["g3"])),
    ],
)
def test_nothing_to_find(query, sets):
    table = over_representation(query, GENES, sets)
    assert table.empty
    assert finished([table])["fdr"].dtype == float


def running_sum(ranking, members):
    """Enrichment score of GSEA (weight 1) and the genes of the leading edge."""
    ranking = ranking.sort_values(ascending=False, kind="stable")
    inside = ranking.index.isin(members)
    hit = np.where(inside, np.abs(ranking), 0)
    walk = np.cumsum(hit / hit.sum() - np.where(inside, 0, 1 / np.sum(~inside)))
    peak = int(np.abs(walk).argmax())
    leading = inside & (np.arange(len(walk)) <= peak if walk[peak] > 0 else
                        np.arange(len(walk)) >= peak)  # fmt: skip
    return walk[peak], set(ranking.index[leading]), len(walk), peak


def test_ranked_enrichment():
    rng = np.random.default_rng(0)
    ranking = pd.Series(rng.normal(size=len(GENES)), index=GENES)
    ranking[GENES[:20]] += 2.5
    ranking[[*GENES[30:50], "a;rm -rf ~"]] -= 2.5
    sets = sets_of(
        rising=GENES[:20], falling=[*GENES[30:50], "a;rm -rf ~"], small=GENES[:14],
        neither=GENES[100:130],
    )  # fmt: skip
    table = ranked_enrichment(ranking, sets, seed=1).set_index("term")
    assert set(table.index) == {"rising", "falling", "neither"}
    assert table.loc["rising", "gene_set"] == "ranked_up"
    assert table.loc["falling", "gene_set"] == "ranked_down"
    assert table.loc["rising", "nes"] > 1.5
    assert table.loc["falling", "nes"] < -1.5
    assert (table.loc[["rising", "falling"], "fdr"] < 0.05).all()
    assert table.loc["neither", "p_value"] > 0.05
    assert table["p_value"].min() >= 1e-3
    for name, row in table.iterrows():
        score, leading, total, peak = running_sum(ranking, sets[name]["genes"])
        assert (score > 0) == (row["nes"] > 0)
        assert set(row["inputGenes"].split(",")) == leading
        before = peak + 1 if score > 0 else total - peak
        expected = before * len(sets[name]["genes"]) / total
        # Against the end, the leading edge may begin a few genes after the peak.
        np.testing.assert_allclose(row["expected"], expected, rtol=0.1)
        np.testing.assert_allclose(row["strength"], np.log10(len(leading) / row["expected"]))
    # From that end of the ranking on.
    first = table.loc["falling", "inputGenes"].split(",")[0]
    assert ranking[first] == ranking[sets["falling"]["genes"]].min()


def test_threads_and_ties_do_not_change_the_ranked_result():
    ranking = pd.Series(np.repeat([3.0, 0.0, -2.0], [20, 150, 34]), index=GENES)
    sets = sets_of(a=GENES[:15], b=GENES[180:200])
    one, four = (ranked_enrichment(ranking, sets, seed=1, threads=n) for n in (1, 4))
    pd.testing.assert_frame_equal(one, four)


def test_no_set_of_a_size_to_rank_and_no_ranking():
    assert ranked_enrichment(pd.Series(1.0, index=GENES), sets_of(a=GENES[:3]), seed=1).empty
    assert ranked_enrichment(pd.Series(0.0, index=GENES), sets_of(a=GENES[:30]), seed=1).empty


def test_the_finished_table_is_sorted_filtered_and_complete():
    rows = pd.DataFrame(
        {
            "term": ["x", "y", "z"], "category": ["A", "B", "A"], "fdr": [0.2, 0.1, 0.1],
            "p_value": [0.1, 0.01, 0.02], "number_of_genes": [1, 2, 3],
        }
    )  # fmt: skip
    table = finished([rows.assign(gene_set="up"), rows.assign(gene_set="all"), pd.DataFrame()])
    assert list(table.columns) == COLUMNS
    assert list(zip(table["gene_set"], table["term"])) == [
        ("all", "y"), ("up", "y"), ("all", "z"), ("up", "z"), ("all", "x"), ("up", "x"),
    ]  # fmt: skip
    assert set(finished([rows], ["A"])["term"]) == {"x", "z"}
    assert list(finished([]).columns) == COLUMNS
    assert finished([rows], ["C"]).empty


def test_gmt():
    text = "A\thttp://x.org\tg1\tg2\tg1\t\r\n\nB b\tnot genes\t<i>\n"
    assert parse_gmt(text, "f.gmt") == {
        "A": {"description": "A", "genes": ["g1", "g2"]},
        "B b": {"description": "not genes", "genes": ["<i>"]},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A\tx\tg\nB\tx\n", "f.gmt, line 2: found no gene"),
        ("no tabs at all", "line 1: found no gene"),
        ("A\tx\tg\nA\tx\th", "line 2: the set 'A' occurs twice"),
        ("\n", "f.gmt holds no gene set"),
    ],
)
def test_a_file_that_is_no_gmt(text, message):
    with pytest.raises(InputError, match=message):
        parse_gmt(text, "f.gmt")
