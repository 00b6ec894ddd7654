"""Every command of the tutorial as a reader would type it, and whether it prints what is shown."""

import doctest
import re
import subprocess
import sys

from markdown_it import MarkdownIt
from support import ROOT

PAGE = ROOT / "docs/tutorial.md"
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
# What the commands use of a clone.
CLONE = ("Snakefile", "config", "envs", "profiles", "scripts", "workflow")


def steps():
    """Commands in their order, and what is shown right after each; nothing if nothing is."""
    tokens = MarkdownIt().parse(PAGE.read_text())
    for token, following in zip(tokens, [*tokens[1:], None]):
        if token.type == "fence" and token.info == "sh":
            shown = following is not None and (following.type, following.info) == ("fence", "text")
            yield token, following.content if shown else ""


def as_shown(output, shown):
    """Output, with numbers of the page in place of those that differ in the fourth digit only.

    Processors round differently, by which a cell in a thousand is called or not.
    """
    known = [(float(text.replace(",", "")), text) for text in NUMBER.findall(shown)]

    def near(match):
        value = float(match.group().replace(",", ""))
        same = [text for number, text in known if abs(number - value) <= 0.005 * abs(number)]
        return match.group() if match.group() in same or not same else same[0]

    return NUMBER.sub(near, output)


def test_every_command_prints_what_the_page_shows(tmp_path):
    for name in CLONE:
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    checker, how = doctest.OutputChecker(), doctest.ELLIPSIS
    found = list(steps())
    for command, shown in found:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command.content],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        place = f"{PAGE.name}, line {command.map[0] + 1}:\n{command.content}"
        assert done.returncode == 0, place + done.stdout
        example = doctest.Example(command.content, shown)
        output = as_shown(done.stdout, shown)
        assert checker.check_output(shown, output, how), place + checker.output_difference(
            example, done.stdout, how
        )
    assert sum(bool(shown) for _, shown in found) > 5
