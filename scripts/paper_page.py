"""Place the panels of a page, at the size they were drawn, below their letters."""

from io import BytesIO

import _job
from matplotlib.image import imread
from pypdf import PdfReader, PdfWriter
from statediff.paper import MM, places
from statediff.plots import lettered_page
from statediff.plots.style import style
from statediff.store import atomic

DPI = 300


def main(job):
    page = job.params.page
    at = places(page, job.params.option)
    figure = lettered_page(page["width"], page["height"], at, page["font_size"])
    below = [page["height"] - top - height for _, top, _, height in at.values()]
    corners = [(place[0] / MM, y / MM) for place, y in zip(at.values(), below, strict=True)]
    with atomic(job.output.pdf) as part:
        merged(figure, zip(job.input.pdf, corners, strict=True)).write(part)
    for path, (x, y) in zip(job.input.png, corners, strict=True):
        figure.figimage(imread(path), round(x * DPI), round(y * DPI))
    with atomic(job.output.png) as part, style():
        figure.savefig(part, format="png", dpi=DPI)


def merged(figure, panels):
    """The page as a PDF, with the pages of others, whose corners are given in inches."""
    text = BytesIO()
    with style():
        figure.savefig(text, format="pdf")
    page = PdfWriter(text)
    for path, (x, y) in panels:
        page.pages[0].merge_translated_page(PdfReader(path).pages[0], 72 * x, 72 * y)
    page.pages[0].compress_content_streams()
    return page


_job.run(main, snakemake)
