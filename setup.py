"""Ships the folder gin_configs as a package; everything else is in pyproject.toml."""

import setuptools

setuptools.setup(
  packages=[
    *setuptools.find_packages(include=["dl_condind", "dl_condind.*"]),
    "dl_condind.gin_configs",
  ],
  package_dir={"dl_condind.gin_configs": "gin_configs"},
)
