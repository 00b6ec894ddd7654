"""Place the panels of a page, at the size they were drawn, below their letters."""

from io import BytesIO

import _job
from matplotlib.image import imread
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ContentStream, NameObject
from statediff.disk import atomic
from statediff.paper import MM, places
from statediff.plots.page import lettered_page
from statediff.plots.style import style

DPI = 300


def main(job):
    page = job.params.page
    at = places(page, job.params.option)
    figure = lettered_page(page["width"], page["height"], at, page["font_size"])
    # Lower left corners, in inches.
    corners = [
        (left / MM, (page["height"] - top - height) / MM) for left, top, _, height in at.values()
    ]
    with style():
        with atomic(job.output.pdf) as part:
            composed(figure, zip(job.input.pdf, corners, strict=True)).write(part)
        for path, (x, y) in zip(job.input.png, corners, strict=True):
            figure.figimage(imread(path), round(x * DPI), round(y * DPI))
        with atomic(job.output.png) as part:
            figure.savefig(part, format="png", dpi=DPI)


def composed(figure, panels):
    """A PDF of the page with those of its panels, each a form: nothing in them is touched."""
    letters = BytesIO()
    figure.savefig(letters, format="pdf")
    book = PdfWriter(letters)
    page = book.pages[0]
    content = page.get_contents().get_data()
    for i, (path, (x, y)) in enumerate(panels):
        panel = PdfReader(path).pages[0]
        form = panel["/Contents"].get_object().clone(book)
        form[NameObject("/Type")] = NameObject("/XObject")
        form[NameObject("/Subtype")] = NameObject("/Form")
        form[NameObject("/BBox")] = panel.mediabox
        form[NameObject("/Resources")] = panel["/Resources"].clone(book)
        page["/Resources"]["/XObject"][NameObject(f"/Panel{i}")] = form.indirect_reference
        content += f"\nq 1 0 0 1 {72 * x:.6f} {72 * y:.6f} cm /Panel{i} Do Q".encode()
    stream = ContentStream(None, book)
    stream.set_data(content)
    page.replace_contents(stream)
    return book


_job.run(main, snakemake)
