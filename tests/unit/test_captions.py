"""Captions of the report as Snakemake renders them: names of the data are text, never markup."""

import re
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest
from docutils.core import publish_parts

CAPTIONS = Path(__file__).resolve().parents[2] / "workflow/report"
MARKUP = "\n\n.. raw:: html\n\n   <script>hacked = 1</script>\n\n"
HOSTILE = [
    f"x``{MARKUP}``y",
    f"x``{MARKUP}".replace("\n", "\u2028"),
    f"x``{MARKUP}".replace("\n", "\x85"),
    MARKUP,
    " a ",
    "``",
    "`",
    "\\",
    "\n",
    "x_",
    "|x|",
    "{{ 1 }}",
    "<script>hacked = 1</script>",
    "`x <javascript:hacked>`_",
    "Gène-基因",
]


def rendered(path, name, *, provider="local", contrast="x_vs_y", **gp):
    """HTML of a caption where all that users and data name has one name."""
    pair = {"reference": name, "compared": name, "sample": name}
    config = {
        "dataset": {"name": "small"},
        "contrasts": {contrast: pair, "other": pair},
        "abundance": {"estimator": "ratio", "lfc_threshold": 1.0, "fdr_threshold": 0.05},
        "fdr": {"test": "residual", "threshold": 0.05},
        "gp": {"ls": None, "ls_factor": None, "sigma": None} | gp,
        "enrichment": {
            "provider": provider, "api_url": f"https://{name}", "gmt": [name, "x.gmt"],
            "fdr_threshold": 0.05, "top": 10, "background": "tested",
        },
    }  # fmt: skip
    params = {"embedding": name, "cell_type": name, "column": name, "contrast": pair}
    job = SimpleNamespace(config=config, params=SimpleNamespace(**params))
    # As Snakemake does, with the link of each contrast that it adds.
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    links = "".join(f"\n.. _{link}: javascript:x('{link}')" for link in config["contrasts"])
    text = environment.from_string(path.read_text() + "\n" + links).render(snakemake=job)
    return publish_parts(text, writer="html", settings_overrides={"warning_stream": False})[
        "html_body"
    ]


def structure(html):
    """Tags, but for those of literal text, whose words are a span each."""
    return [tag for tag in re.findall(r"<[^>]*>", html) if not re.search('"pre"|/?span>', tag)]


@pytest.mark.parametrize("path", sorted(CAPTIONS.glob("*.rst")), ids=lambda path: path.stem)
@pytest.mark.parametrize("provider", ["local", "string", "none"])
def test_names_are_text(path, provider):
    plain = structure(rendered(path, "plain", provider=provider))
    for name in HOSTILE:
        found = rendered(path, name, provider=provider)
        assert "System Message" not in found
        assert structure(found) == plain


def test_names_stay_readable():
    found = rendered(CAPTIONS / "obs.rst", "T cells <CD8>, `β`")
    text = re.sub(r"<[^>]*>", "", found)
    assert "by the column T cells &lt;CD8&gt;, ʼβʼ." in text


@pytest.mark.parametrize("contrast", ["a__b", "a_", "a--b", "1-2", "A"])
def test_contrasts_are_links(contrast):
    found = rendered(CAPTIONS / "workflow.rst", "x", contrast=contrast)
    assert f"href=\"javascript:x('{contrast}')\"" in found.replace("&#x27;", "'")
    assert "System Message" not in found


def test_caption_of_the_fit_tells_what_was_learnt():
    learnt = rendered(CAPTIONS / "fit.rst", "x")
    given = rendered(CAPTIONS / "fit.rst", "x", ls_factor=10.0, sigma=1.0)
    for words in ("was chosen; the kernel", "The fourth panel"):
        assert words in learnt
        assert words not in given
    assert "given by the configuration or its conventions" in given


def test_the_first_page_names_numbers_and_levels():
    config = {
        "dataset": {"name": "small"},
        "contrasts": {
            "age": {"column": "months", "reference": None, "compared": None, "levels": None},
            "time": {"reference": None, "compared": None, "levels": ["d 0", "d 3", "d 7"]},
        },
        "enrichment": {"provider": "none"},
    }
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    text = environment.from_string((CAPTIONS / "workflow.rst").read_text())
    shown = text.render(snakemake=SimpleNamespace(config=config))
    assert "`age`_: change with ``months``, shown as ``high`` against ``low``" in shown
    assert "- time: each of ``d 3``, ``d 7`` against ``d 0``" in shown
