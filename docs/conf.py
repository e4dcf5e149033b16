"""How Sphinx builds these pages: `sphinx-build -W -b html docs docs/_build`."""

import os
import sys
from pathlib import Path

import vgbench

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))
os.environ["JAX_PLATFORMS"] = "cpu"  # so that the code on the pages gives the same numbers everywhere

project = "vgbench"
author = "The vgbench authors"
copyright = author  # noqa: A001  # Sphinx calls it so
version = release = vgbench.__version__
smartquotes = False  # options have two hyphens

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_nb",
    "mathml",
    "suite_pages",
    "column_page",
]
exclude_patterns = ["_build", "_extensions", "jupyter_execute"]  # the last is MyST-NB's, beside _build

html_theme = "furo"
html_title = f"vgbench {release}"
html_static_path = ["_static"]
html_css_files = ["vgbench.css"]
html_show_sourcelink = False
html_math_renderer = "mathml"

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["toc.not_readable"]  # the contents name the suites' pages before they are written

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_output_stderr = "remove-warn"  # a warning in a code cell is a warning of the build

default_role = "literal"  # for single backticks in docstrings
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
