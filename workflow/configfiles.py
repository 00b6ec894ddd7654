"""Errors in configuration files that would stop Snakemake before it reads our Snakefile.

The default profile calls `check_files`: Snakemake itself names neither file nor line, and does not
end if aliases refer to aliases.
"""

import json
import os
import sys
from pathlib import Path

import yaml
from statediff import InputError
from statediff.settings import MOST_VALUES
from statediff.text import printable

__all__ = ["check_file", "check_files"]

# Bytes of a file; most configurations have a thousandth.
MOST_BYTES = 1_000_000
EXPECTED = "expected a configuration in YAML (config/README.md)"


def check_files(paths):
    """End the process with a line for each file that can't be read as a configuration.

    Parameters
    ----------
    paths : iterable of path
        What follows `--configfile`.
    """
    faults = []
    for path in paths:
        try:
            check_file(path)
        except InputError as error:
            faults.append(printable(f"Error: {error}"))
    if faults:
        # Also where Snakemake is to be quiet.
        print(*faults, sep="\n", file=sys.stderr, flush=True)
        sys.exit(1)


def check_file(path):
    """Refuse a file that can't be read as a configuration.

    Parameters
    ----------
    path : path

    Raises
    ------
    InputError
        The message has the file and, where it is a fault of YAML, the line.
    """
    path = Path(path)
    if not path.exists() or path.is_dir():
        what = "a folder" if path.is_dir() else f"no file (seen from {Path.cwd()})"
        raise InputError(
            f"--configfile: {path} is {what}; the option takes every word after it for a file, so "
            "that targets come before it"
        )
    if not path.is_file():
        return  # a pipe, which can be read once
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: larger than {MOST_BYTES:,} bytes; {EXPECTED}")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start}); {EXPECTED}") from None
    except OSError as error:
        raise InputError(f"{path}: can't be read ({os.strerror(error.errno)})") from None
    config = _parsed(text, path)
    if not isinstance(config, dict):
        found = "nothing" if config is None else "a list" if isinstance(config, list) else "a value"
        raise InputError(f"{path}: found {found}, expected keys with values (config/README.md)")


def _parsed(text, path):
    try:
        return json.loads(text)
    except ValueError:
        pass  # YAML
    loader = yaml.FullLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check_nodes(node, path)
        return loader.construct_document(node)
    except InputError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InputError(
            f"{path}, line {mark.line + 1}: not valid YAML ({error.problem}); {_hint(text, mark)}"
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        what = str(error).partition("\n")[0]
        raise InputError(f"{path}: not valid YAML ({what}); {EXPECTED}") from None
    finally:
        loader.dispose()


def _hint(text, mark):
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with spaces, not tabs"
    return (
        "check this line and the line before it: indent keys of one section alike, and quote text "
        "with special characters"
    )


def _check_nodes(root, path):
    """Reject duplicate keys, and aliases that expand to too many values."""
    sizes = {}

    def size(node):
        """Values with all that aliases stand for; infinite in an alias of itself."""
        if id(node) in sizes:
            return sizes[id(node)]
        sizes[id(node)] = float("inf")
        inner = []
        if isinstance(node, yaml.SequenceNode):
            inner = node.value
        elif isinstance(node, yaml.MappingNode):
            inner = [part for pair in node.value for part in pair]
            _check_keys([key for key, _ in node.value], path)
        sizes[id(node)] = 1 + sum(map(size, inner))
        return sizes[id(node)]

    if size(root) > MOST_VALUES:
        raise InputError(
            f"{path}: found more than {MOST_VALUES:,} values, expected fewer; look for aliases (& "
            "and *) within others"
        )


def _check_keys(keys, path):
    lines = {}
    for key in keys:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            line = key.start_mark.line + 1
            if (first := lines.setdefault(key.value, line)) != line:
                raise InputError(
                    f"{path}, line {line}: the key {key.value!r} occurs twice in one section "
                    f"(first in line {first}); expected it once"
                )
