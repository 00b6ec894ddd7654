"""Sphinx's settings. The pages are read where they lie: the source folder is the repository."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))
sys.path.insert(0, str(Path(__file__).parent))

from statediff import __version__

project = author = "statediff"
release = __version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_external_toc",
    "extension",
]

root_doc = "README"
external_toc_path = "docs/_toc.yml"
# That of the API's modules, which are not written by hand.
suppress_warnings = ["etoc.toctree"]
include_patterns = [
    "README.md",
    "NOTICE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "config/README.md",
    "docs/**",
]
exclude_patterns = ["docs/_build", "docs/_templates"]
# Autosummary looks from the source folder, all else from this one.
templates_path = [str(Path(__file__).parent / "_templates")]
# Every reference has to lead somewhere; those into other libraries need a network.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!statediff\.).*")]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# A name in single backticks is a link where the library has it, and code elsewhere.
default_role = "py:obj"
add_module_names = False
autosummary_generate = True
autodoc_member_order = "bysource"
# Of a class what it adds itself; matplotlib gives each of its own the method `set`.
autodoc_inherit_docstrings = False
autodoc_default_options = {"exclude-members": "set"}
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"statediff {__version__}"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
