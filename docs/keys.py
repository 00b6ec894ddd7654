"""Write the tables of config/README.md from the schema of the configuration: `make keys`.

A comment such as `<!-- keys: gp -->` stands above each table and names its section of the schema,
with `(from dataset)` also the section from which on keys are written out. Default and meaning of
each row come from the schema; rows keep their order, and keys without a row get one at the end.
"""

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "config/README.md"
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
TABLE = re.compile(
    r"<!-- keys: ?([\w.]*)(?: \(from (\w+)\))? -->\n\n"
    r"\| key \| default \| meaning \|\n\|---\|---\|---\|\n((?:\|.*\n)*)"
)


def described(schema, path=()):
    """Keys that have a meaning, as paths, with their schema and whether they are required."""
    required = schema.get("required", ())
    for key, child in schema.get("properties", {}).items():
        if "description" in child:
            yield (*path, key), child, key in required
        yield from described(child, (*path, key))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from described(schema["additionalProperties"], (*path, "<name>"))


def default_of(schema, required):
    """Default of a key as Markdown."""
    if "default" not in schema:
        return "required" if required else ""
    value = schema["default"]
    if isinstance(value, float):
        value = float(f"{value:g}") if value % 1 else int(value)
    text = value if isinstance(value, str) else json.dumps(value)
    return f"`{text}`"


def written(page, schema):
    """The page with its tables made anew."""
    known = {path: rest for path, *rest in described(schema)}
    sections = [tuple(filter(None, name.split("."))) for name, _, _ in TABLE.findall(page)]

    def section_of(path):
        inside = [one for one in sections if path[: len(one)] == one and one != path]
        return max(inside, key=len, default=None)

    def table(match):
        section = tuple(filter(None, match[1].split(".")))
        start = (match[2],) if match[2] else section
        named = [
            start + tuple(label.split("."))
            for label in re.findall(r"^\| `([^`]+)`", match[3], re.M)
        ]
        rows = [path for path in named if path in known]
        rows += [path for path in known if section_of(path) == section and path not in rows]
        lines = [
            f"| `{'.'.join(path[len(start) :])}` | {default_of(*known[path])} | "
            f"{known[path][0]['description']} |\n"
            for path in rows
        ]
        head = match[0][: match.start(3) - match.start()]
        return head + "".join(lines)

    return TABLE.sub(table, page)


def main():
    page, schema = PAGE.read_text(encoding="utf-8"), yaml.safe_load(SCHEMA.read_text())
    PAGE.write_text(written(page, schema), encoding="utf-8")


if __name__ == "__main__":
    main()
