"""Pages of a paper, from the configuration to the PDF."""

import re

import numpy as np
import pytest
import yaml
from matplotlib.image import imread
from pypdf import PdfReader
from statediff.paper import places
from support import ROOT

CONTRAST = {"contrast": "young_vs_old"}
PAGE = {
    "width": 120.5,
    "height": 110.3,
    "font_size": 6.5,
    "mosaic": "Ab;Ac",
    "panels": {
        "A": CONTRAST | {"figure": "expression_volcano", "labelled_genes": 3},
        "b": {"figure": "obs_sample"},
        "c": CONTRAST | {"figure": "fold_changes", "genes": ["Gene241", "Gene007", "Gene100"]},
    },
}
MADE = "results/small/paper"
# In millimetres.
POINT = 25.4 / 72


@pytest.fixture
def paper(small_config, snakemake_run, tmp_path):
    """Run a target on the small data with pages of a paper, and other changes."""

    def run(directory, pages, *arguments, check=True, **changes):
        config = yaml.safe_load(small_config.read_text())
        config["dataset"] |= changes
        path = tmp_path / "paper.yaml"
        path.write_text(yaml.safe_dump(config | {"paper": pages}))
        return snakemake_run(directory, *arguments, configfile=path, check=check).stdout

    return run


def planned(output):
    return set(re.findall(r"^ *(?:local)?rule (\w+):", output, re.M))


def written(page, form=None):
    """Text of a page itself, or of a form in it: what, its size in points and its font."""
    found = []

    def visit(text, cm, tm, font, size):
        if text.strip():
            # What is turned is not scaled.
            scale = np.hypot(*cm[:2]) * np.hypot(*tm[:2])
            found.append((text.strip(), round(size * scale, 6), font))

    if form is None:
        page.extract_text(visitor_text=visit)
    else:
        page.extract_xform_text(form, visitor_text=visit)
    return found


def test_a_page_is_exact_and_a_changed_panel_is_drawn_alone(paper, small_copy):
    paper(small_copy, {"figure_1": PAGE}, "paper")
    (page,) = PdfReader(small_copy / f"{MADE}/figure_1.pdf").pages
    size = [float(x) * POINT for x in page.mediabox]
    assert size == pytest.approx([0, 0, 120.5, 110.3], abs=0.01)
    pixels = np.array(imread(small_copy / f"{MADE}/figure_1.png").shape[:2]) / 300 * 25.4
    assert pixels == pytest.approx((110.3, 120.5), abs=25.4 / 300)

    texts = written(page)
    assert {size for _, size, _ in texts} == {6.5}
    assert {text for text, _, font in texts if font["/BaseFont"].endswith("-Bold")} == set("Abc")
    for _, _, font in texts:
        (embedded,) = font["/DescendantFonts"]
        assert embedded["/Subtype"] == "/CIDFontType2"
        assert "/FontFile2" in embedded["/FontDescriptor"]

    # Each panel is where the mosaic says, as large as it was drawn, below its letter.
    placed = re.findall(
        r"q 1 0 0 1 (\S+) (\S+) cm /(Panel\d) Do Q", page.get_contents().get_data().decode()
    )
    shown = {}
    for (letter, (left, top, width, height)), (x, y, name) in zip(
        places(PAGE, "").items(), placed, strict=True
    ):
        assert float(x) * POINT == pytest.approx(left, abs=0.01)
        assert float(y) * POINT == pytest.approx(110.3 - top - height, abs=0.01)
        form = page["/Resources"]["/XObject"][f"/{name}"]
        size = [float(side) * POINT for side in form["/BBox"]]
        assert size == pytest.approx([0, 0, width, height - 1.4 * 6.5 * POINT], abs=0.01)
        shown[letter] = {text for text, *_ in written(page, form)}
    assert "higher in Old" in " ".join(shown["A"])
    assert len([text for text in shown["A"] if re.fullmatch(r"Gene\d+", text)]) == 3
    assert "sample (cells)" in shown["b"]
    assert set(PAGE["panels"]["c"]["genes"]) <= shown["c"]

    assert planned(paper(small_copy, {"figure_1": PAGE}, "all", "-n")) == set()
    changed = PAGE["panels"] | {"A": PAGE["panels"]["A"] | {"labelled_genes": 4}}
    output = paper(small_copy, {"figure_1": PAGE | {"panels": changed}}, "all", "-n")
    assert planned(output) == {"panel_expression_volcano", "paper_page", "all"}
    output = paper(small_copy, {"figure_1": PAGE | {"font_size": 7}}, "paper", "-n")
    assert planned(output) == {
        "panel_expression_volcano", "panel_obs", "panel_fold_changes", "paper_page", "paper"
    }  # fmt: skip


def test_faults_that_only_the_data_or_the_drawing_tell(paper, small_copy):
    small = {"font_size": 20, "mosaic": "bc;dd", "height": 80} | {
        "panels": {
            "b": {"figure": "obs_pseudotime"},
            "c": CONTRAST | {"figure": "fold_changes", "genes": ["gene007"]},
            "d": CONTRAST | {"figure": "significance"},
        }
    }
    output = paper(small_copy, {"x": PAGE | small}, "paper", "--keep-going", check=False)
    assert (
        "paper.x.panels.c.genes: not among the 250 genes: 'gene007' (did you mean Gene007" in output
    )
    assert re.search(r"paper.x.panels.d: 120 × 2\d.* mm: text leaves less than 5 mm", output)
    assert not (small_copy / f"{MADE}/x.pdf").exists()


@pytest.mark.parametrize(
    ("changes", "dataset", "message"),
    [
        ({"mosaic": "Ab;A"}, {}, "paper.x.mosaic: found rows Ab (2), A (1)"),
        (
            {"panels": {"AB": {"figure": "fit"}}},
            {},
            "paper.x.panels: found 'AB', expected the form",
        ),
        ({"width": 1000}, {}, "paper.x.width: 1000.0 is greater than the maximum of 500"),
        ({}, {"cell_type": None}, "panels.c.figure: fold_changes: expected dataset.cell_type"),
    ],
)
def test_a_page_with_faults_stops_the_run_before_its_first_job(
    paper, tmp_path, changes, dataset, message
):
    output = paper(tmp_path, {"x": PAGE | changes}, "paper", "-n", check=False, **dataset)
    assert message in output
    assert "Traceback" not in output


def test_the_published_page_is_that_of_the_demo(tmp_path, snakemake_run):
    """By the command of its file."""
    page = ROOT / "config/paper.yaml"
    (names,) = re.findall("^# .*snakemake paper --configfile (.*)$", page.read_text(), re.M)
    configfile = [ROOT / name for name in names.split()]
    assert page in configfile
    output = snakemake_run(tmp_path, "paper", "-n", configfile=configfile).stdout
    panels = yaml.safe_load(page.read_text())["paper"]["figure_1"]["panels"].values()
    drawn = {f"panel_{panel['figure']}" for panel in panels}
    assert len(drawn) == len(panels) == 6
    assert drawn | {"paper_page"} <= planned(output)


def test_without_pages_there_is_nothing_to_draw(paper, tmp_path):
    assert "paper: found no entry" in paper(tmp_path, {}, "paper", "-n", check=False)
