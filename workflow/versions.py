"""Which version of the code a job runs: checksums of a script and of all it imports from here."""

import hashlib
import re
from functools import cache
from pathlib import Path

__all__ = ["checksum"]

HERE = Path(__file__).resolve().parent
# Where scripts and the library import from.
FOLDERS = (HERE.parent / "scripts", HERE)
# The version number does not show what has changed.
NUMBER = re.compile(rb"^__version__ = .*$", re.MULTILINE)
IMPORT = re.compile(r"^ *(?:from ([\w.]+) import (\([^)]*\)|.*)|import ([\w.]+))", re.MULTILINE)


@cache
def checksum(script):
    """Checksum of a script and of the modules of this project that it needs, however far.

    Snakemake sees a changed script, but no change of a module: with this as a parameter of its
    rule, a job runs again after an upgrade that concerns it, and results of two versions never mix.

    Parameters
    ----------
    script : pathlib.Path

    Returns
    -------
    str
    """
    found = hashlib.sha256()
    for path in sorted(_needed(script), key=lambda path: path.parts[len(HERE.parent.parts) :]):
        found.update(NUMBER.sub(b"", path.read_bytes()))
    return found.hexdigest()[:16]


def _needed(script):
    """The script, its modules, and files with the name of a module, such as the text of a page."""
    needed, waiting = set(), [Path(script).resolve()]
    while waiting:
        path = waiting.pop()
        if path not in needed:
            needed.add(path)
            waiting += _imported(path)
    return needed


@cache
def _imported(path):
    beside = [other for other in path.parent.glob(f"{path.stem}.*") if other.suffix != ".pyc"]
    if path.suffix != ".py":
        return []
    found = [other for other in beside if other != path]
    for module, names, plain in IMPORT.findall(path.read_text(encoding="utf-8")):
        module = module or plain
        parts = [module, *(f"{module}.{name}" for name in re.findall(r"\w+", names))]
        found += [file for part in parts for file in _files(part)]
    return found


@cache
def _files(module):
    """Files of a module of this project; none of other packages and of names within modules."""
    *package, name = parts = module.split(".")
    for folder in FOLDERS:
        path = folder.joinpath(*parts)
        if path.with_suffix(".py").is_file():
            packages = [folder.joinpath(*parts[:i], "__init__.py") for i in range(1, len(parts))]
            return [path.with_suffix(".py"), *packages]
        if (path / "__init__.py").is_file():
            return [path / "__init__.py"]
        # A function that its package imports when it is asked for.
        defined = re.compile(rf"^(?:def|class) {name}\b", re.MULTILINE)
        if package and (folder.joinpath(*package) / "__init__.py").is_file():
            modules = folder.joinpath(*package).glob("*.py")
            return [one for one in modules if defined.search(one.read_text(encoding="utf-8"))]
    return []
