"""Downloads data sets or checks the files that are there; unpacks trained models.

What is there and whole is left alone; what was interrupted is continued.

Example:
  dl_condind_download_data --datasets=smallnorb,cars3d --data_folder=data
  dl_condind_download_data --datasets=all --verify
  dl_condind_download_data --models=vae_spots_independent,vae_spots_rotated --data_folder=output
"""

import pathlib

from absl import app
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
  )
  flags.DEFINE_list(
    "models",
    None,
    "Trained models to unpack, with commas between them, each into a folder of its name in "
    f"--data_folder; or {sources.ALL}. docs/pretrained.md lists them.",
  )
  flags.DEFINE_bool(
    "verify", False, "Compare what is there with its checksums instead, without a network."
  )
  flags.DEFINE_string(
    "data_folder",
    None,
    "Where data sets are kept, by default $DISENTANGLEMENT_LIB_DATA or the current folder; of "
    "models, by default the current folder.",
  )


def main(_) -> None:
  """Downloads, checks or unpacks."""
  if (FLAGS.datasets is None) == (FLAGS.models is None):
    raise app.UsageError("Either --datasets or --models must be given.")
  if FLAGS.models is not None:
    if FLAGS.verify:
      raise app.UsageError("--verify is about --datasets; models are whole when they are there.")
    _unpack_models()
    return
  from dl_condind.data import data_files
  from dl_condind.data import reading

  folder = pathlib.Path(FLAGS.data_folder or reading.data_folder())
  if FLAGS.verify:
    data_files.verify(FLAGS.datasets, folder)
  else:
    data_files.obtain(FLAGS.datasets, folder)


def _unpack_models() -> None:
  from dl_condind.saved_models import pretrained

  models = pretrained.pretrained_models() if FLAGS.models == [sources.ALL] else FLAGS.models
  for name in models:
    pretrained.check_name(name)
  for name in models:
    folder = pathlib.Path(FLAGS.data_folder or ".") / name
    pretrained.unpack(name, folder)
    print(f"{name} is in {folder}.")


def run() -> None:
  """Runs the program and ends the process."""
  cli.run_program(main, define_flags, __doc__)
