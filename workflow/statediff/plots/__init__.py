"""Figures: data in, a matplotlib Figure out.

A module is imported when one of its functions is asked for: each figure is a process of its own,
and should not wait for what others need.
"""

import re
from importlib import import_module
from pathlib import Path

# Functions that draw are told by their decorator, so that a new one is listed nowhere.
_DRAWING = re.compile(r"^@styled\ndef (\w+)", re.MULTILINE)
_MODULES = {
    name: path.stem
    for path in sorted(Path(__file__).parent.glob("*.py"))
    for name in _DRAWING.findall(path.read_text(encoding="utf-8"))
}

__all__ = sorted(_MODULES)


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
