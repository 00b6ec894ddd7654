"""Every line of the page on notebooks as a reader would run it, and whether it prints the same."""

import ast
import doctest

from markdown_it import MarkdownIt
from support import ROOT
from test_tutorial import as_shown

PAGE = ROOT / "docs/notebook.md"


def steps():
    """Code in its order, and what is shown right after each; nothing if nothing is."""
    tokens = MarkdownIt().parse(PAGE.read_text())
    for token, following in zip(tokens, [*tokens[1:], None]):
        if token.type == "fence" and token.info == "python":
            shown = following is not None and (following.type, following.info) == ("fence", "text")
            yield token, following.content if shown else ""


def run(code, names):
    """Run lines of a notebook, and give the value of the last one as text."""
    *lines, last = ast.parse(code).body
    if not isinstance(last, ast.Expr):
        lines, last = [*lines, last], None
    exec(compile(ast.Module(lines, []), PAGE.name, "exec"), names)
    if last is None:
        return ""
    value = eval(compile(ast.Expression(last.value), PAGE.name, "eval"), names)
    return "" if value is None else f"{value}\n"


def test_every_line_prints_what_the_page_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, checker, compared = {}, doctest.OutputChecker(), 0
    how = doctest.NORMALIZE_WHITESPACE
    for token, shown in steps():
        output = as_shown(run(token.content, names), shown)
        place = f"{PAGE.name}, line {token.map[0] + 1}:\n{token.content}"
        if shown:
            example = doctest.Example(token.content, shown)
            assert checker.check_output(shown, output, how), place + checker.output_difference(
                example, output, how
            )
            compared += 1
    assert compared > 5
    assert {path.name for path in tmp_path.iterdir()} == {
        "notebook_abundance.png", "notebook_regions.png"
    }  # fmt: skip
