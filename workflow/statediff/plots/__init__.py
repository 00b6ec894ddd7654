"""Figures: functions that take data and return a matplotlib Figure.

A module is imported when one of its functions is first used: each figure is a separate process,
and should not wait for imports that only others need.
"""

import re
from importlib import import_module
from pathlib import Path

# Drawing functions are recognised by their decorator, so that new ones need no list.
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
