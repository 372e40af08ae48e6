"""Downloads data sets, or checks the files that are there.

What is there and whole is left alone; what was interrupted is continued.

Example:
  dl_condind_download_data --datasets=smallnorb,cars3d --data_folder=data
  dl_condind_download_data --datasets=all --verify
"""

import pathlib

from absl import flags

from dl_condind.data import sources
from dl_condind.utils import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines the flags of the program."""
  flags.DEFINE_list(
    "datasets",
    None,
    f"Data sets, with commas between them: {', '.join(sources.DATA_SETS)}; or {sources.ALL}.",
    required=True,
  )
  flags.DEFINE_bool(
    "verify", False, "Compare what is there with its checksums instead, without a network."
  )
  flags.DEFINE_string(
    "data_folder",
    None,
    "Where data sets are kept, by default $DISENTANGLEMENT_LIB_DATA or the current folder.",
  )


def main(_) -> None:
  """Downloads or checks."""
  from dl_condind.data import data_files
  from dl_condind.data import reading

  folder = pathlib.Path(FLAGS.data_folder or reading.data_folder())
  if FLAGS.verify:
    data_files.verify(FLAGS.datasets, folder)
  else:
    data_files.obtain(FLAGS.datasets, folder)


def run() -> None:
  """Runs the program and ends the process."""
  cli.run_program(main, define_flags, __doc__)
