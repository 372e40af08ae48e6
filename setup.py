"""Installs dl_condind, its command line programs and its configuration files."""

import pathlib

import setuptools

ROOT = pathlib.Path(__file__).parent

RAY = ["ray>=2.60,<3"]
REPORT = ["matplotlib>=3.8"]
TENSORBOARD = ["tensorboard>=2.20,<3"]
TEST = [
  "pytest>=8",
  "pytest-cov>=5",
  "pytest-xdist>=3.6",
  "hypothesis>=6.100",
  "pandas>=2.2",
  *REPORT,
  *TENSORBOARD,
]

setuptools.setup(
  name="dl_condind",
  version="0.1.0",
  description="Disentangled representation learning with a posterior whose noise can be chosen.",
  long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
  long_description_content_type="text/markdown",
  license="Apache-2.0",
  python_requires=">=3.11,<3.14",
  packages=[
    *setuptools.find_packages(include=["dl_condind", "dl_condind.*"]),
    "dl_condind.gin_configs",
  ],
  package_dir={"dl_condind.gin_configs": "gin_configs"},
  package_data={"dl_condind.gin_configs": ["*.gin", "*/*.gin", "README.md"]},
  scripts=sorted(str(p.relative_to(ROOT)) for p in (ROOT / "bin").glob("dl_condind_*")),
  install_requires=[
    "absl-py>=2",
    "gin-config>=0.5,<0.6",
    "h5py>=3.11",
    "joblib>=1.3",
    "keras>=3.12,<4",
    "numpy>=2.0,<3",
    "pillow>=10.1",
    "scikit-learn>=1.5",
    "scipy>=1.13",
    "setuptools",  # TensorFlow Probability imports distutils, which Python 3.12 dropped.
    "tensorflow>=2.21,<2.22",
    "tensorflow-probability>=0.25,<0.26",
    "tf_keras>=2.21,<2.22",  # TensorFlow Probability imports it; nothing here does.
    "threadpoolctl>=3",
  ],
  extras_require={
    "ray": RAY,
    "report": REPORT,
    "tensorboard": TENSORBOARD,
    "test": TEST,
    "dev": [*TEST, "ruff>=0.17,<0.18"],
  },
)
