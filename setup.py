"""Ships gin_configs and pretrained as packages; everything else is in pyproject.toml."""

import setuptools

FOLDERS = ("gin_configs", "pretrained")

setuptools.setup(
  packages=[
    *setuptools.find_packages(include=["dl_condind", "dl_condind.*"]),
    *(f"dl_condind.{name}" for name in FOLDERS),
  ],
  package_dir={f"dl_condind.{name}": name for name in FOLDERS},
)
