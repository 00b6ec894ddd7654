"""A page of text to read in a browser."""

from pathlib import Path

import jinja2
from markupsafe import Markup
from statediff.disk import atomic


def write_page(job, **values):
    """Fill the template of a job, in the style of all such pages; values are text, never markup."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template, style = (
        Path(path).read_text(encoding="utf-8") for path in (job.input.template, job.input.style)
    )
    page = environment.from_string(template).render(style=Markup(style), **values)
    with atomic(job.output[0]) as part:
        part.write_text(page, encoding="utf-8")
