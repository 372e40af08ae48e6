"""Settings of the documentation site, which `bin/docs` builds."""

import hashlib
import logging
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_extensions")]

import dl_condind  # noqa: E402 (Sphinx reads this file from anywhere.)

project = "dl_condind"
author = "the authors of dl_condind"
version = release = dl_condind.__version__
html_title = f"dl_condind {version}"

extensions = [
  "myst_nb",
  "sphinx.ext.autodoc",
  "sphinx.ext.autosummary",
  "sphinx.ext.napoleon",
  "docstring_text",  # These are in _extensions.
  "mathml",
  "public_names",
  "published_runs",
  "repository",
  "tutorials",
]
exclude_patterns = ["_*"]
templates_path = ["_templates"]
nitpicky = True
# Names of NumPy, TensorFlow and the standard library have no page here, nor do private ones.
nitpick_ignore_regex = [("py:.*", r"(?!dl_condind\.).*"), ("py:.*", r".*\._.*")]
highlight_language = "text"

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["sort_tables.js"]
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_math_renderer = "mathml"

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4  # The anchors that GitHub gives headings.
myst_update_mathjax = False

autodoc_default_options = {"show-inheritance": True, "member-order": "bysource"}
autodoc_typehints = "none"  # Docstrings give types and shapes in words.
autodoc_preserve_defaults = True
autosummary_generate = True
autosummary_ignore_module_all = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_attr_annotations = False

# Tutorials are executed. What they printed is kept until their code or that of the package changes.
_code = hashlib.sha256()
for _path in sorted([*ROOT.glob("dl_condind/**/*.py"), *ROOT.glob("gin_configs/**/*.gin")]):
  _code.update(_path.read_bytes())
nb_execution_mode = "cache"
nb_execution_cache_path = str(ROOT / "docs" / "_build" / "outputs" / _code.hexdigest()[:16])
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 900  # seconds
nb_merge_streams = True
nb_output_stderr = "remove"  # What TensorFlow logs, and where its files are.
nb_ipywidgets_js = {}

# What the code of tutorials sees.
_PATHS = [str(ROOT / "bin"), str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]
os.environ["PATH"] = os.pathsep.join(_PATHS)
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
os.environ.setdefault("DISENTANGLEMENT_LIB_DATA", str(ROOT / "data"))
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # What TensorFlow says of the processor is of no interest.
logging.getLogger("traitlets").setLevel(logging.WARNING)  # It names the kernel of every tutorial.
