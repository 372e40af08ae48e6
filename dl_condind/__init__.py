"""Disentangled representation learning with a posterior whose noise can be chosen.

Importing this package loads nothing else; import the module you need, for example
`from dl_condind.methods import train`.
"""

import importlib.util  # noqa: F401  (gin uses it without importing it.)
import os
import sys

__version__ = "0.1.0"

# TensorFlow reads this when it is first imported, and by default switches oneDNN on for some
# processors only. Without it a training step takes about twice as long.
if "tensorflow" not in sys.modules:
  os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
