"""What the pages take from the code: tables of columns and fields. And equations as MathML, which
browsers draw without a library or a network."""

import re
import shutil
from pathlib import Path

import yaml
from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective
from statediff.fields import abundance_fields, expression_fields

COLUMNS = Path(__file__).parents[1] / "workflow/report/columns.yaml"
DIGITS = re.compile(r"frac\s*\d\d")
FIELDS = {
    "abundance": abundance_fields("a", "b"),
    "abundance-sample": abundance_fields("a", "b", True),
    "expression": expression_fields("a", "b", calibrated=True),
    "expression-sample": expression_fields("a", "b", True, calibrated=True),
    "expression-null": expression_fields("a", "b"),
}


class Columns(SphinxDirective):
    """Columns of a table of results, as the report explains them."""

    required_arguments = 1

    def run(self):
        self.env.note_dependency(str(COLUMNS))
        columns = yaml.safe_load(COLUMNS.read_text(encoding="utf-8"))[self.arguments[0]]
        rows = [(name, column["text"]) for name, column in columns.items()]
        return [table(("column", "meaning"), rows, code=1)]


class Fields(SphinxDirective):
    """Fields of the AnnData; of a variant of an analysis, those that differ."""

    required_arguments = 1

    def run(self):
        variant = self.arguments[0]
        fields = {(slot, name): text for slot, name, _, text in FIELDS[variant].values()}
        usual = {field[:2] for field in FIELDS[variant.partition("-")[0]].values()}
        differing = fields.keys() - usual or fields.keys()
        rows = [(*field, fields[field]) for field in sorted(differing)]
        return [table(("slot", "field", "meaning"), rows, code=2)]


def table(head, rows, code):
    """A table, of which some first columns are code."""
    group = nodes.tgroup(cols=len(head))
    group += [nodes.colspec(colwidth=1) for _ in head]
    group += nodes.thead("", row(nodes.Text(text) for text in head))
    group += nodes.tbody("", *(row(nodes.literal(text=text) if i < code else nodes.Text(text)
                               for i, text in enumerate(texts)) for texts in rows))  # fmt: skip
    return nodes.table("", group)


def row(cells):
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))


def as_mathml(translator, node, as_block):
    try:
        if DIGITS.search(node.astext()):
            raise MathError("docutils takes two digits for one number; write \\frac{1}{2}")
        return tex2mathml(node.astext(), as_block=as_block)
    except MathError as error:
        raise ExtensionError(f"{node.source}:{node.line}: {node.astext()!r}: {error}") from error


def visit_inline(translator, node):
    translator.body.append(as_mathml(translator, node, as_block=False))
    raise nodes.SkipNode


def visit_block(translator, node):
    translator.body.append(f'<div class="math">{as_mathml(translator, node, as_block=True)}</div>')
    raise nodes.SkipNode


def forget_modules(app):
    """Pages of the reference are written anew: of a module that is gone none may stay."""
    shutil.rmtree(Path(app.srcdir) / "docs/api", ignore_errors=True)


def setup(app):
    # Before autosummary writes.
    app.connect("builder-inited", forget_modules, priority=400)
    app.add_directive("columns", Columns)
    app.add_directive("fields", Fields)
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
