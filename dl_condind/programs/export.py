r"""Writes the networks of a trained model as ONNX files, or as files that Keras alone loads.

Example:
  dl_condind_export --model_dir=output/vae/model --format=onnx --output_path=output/vae/onnx
"""

from absl import flags

from dl_condind.utils import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines the flags of the program."""
  flags.DEFINE_string("model_dir", None, "Folder of the trained model.", required=True)
  flags.DEFINE_enum("format", None, ["keras", "onnx"], "Format of the files.", required=True)
  flags.DEFINE_string("output_path", None, "Folder to write.", required=True)
  cli.define_overwrite_flag()
  cli.define_trust_model_flag()


def main(_) -> None:
  """Writes the files."""
  from dl_condind.studies import inputs

  inputs.check_models([FLAGS.model_dir])
  with cli.quiet_imports():
    from dl_condind.saved_models import export

    if FLAGS.format == "onnx":
      from dl_condind.saved_models import onnx_networks  # noqa: F401  (It prints, too.)

  path = export.export_model(
    FLAGS.model_dir, FLAGS.output_path, FLAGS.format, FLAGS.overwrite, FLAGS.trust_model
  )
  print(f"Exported to {path}")


def run() -> None:
  """Runs the program and ends the process."""
  cli.run_program(main, define_flags, __doc__)
