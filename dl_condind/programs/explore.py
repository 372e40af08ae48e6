r"""Writes an explorer of one or two models: a page with sliders whose decoders run in the browser.

Example:
  dl_condind_explore --model_dir=output/quickstart/0/model \
    --model_dir=output/quickstart/1/model --output_path=output/quickstart/explorer.html
"""

from absl import flags

from dl_condind.utils import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines the flags of the program."""
  flags.DEFINE_multi_string(
    "model_dir", None, "Folder of a trained model. May be given twice.", required=True
  )
  flags.DEFINE_string("output_path", None, "Page to write.", required=True)
  flags.DEFINE_integer(
    "num_images", 8, "Images of the data set, or draws of an InfoGAN's noise, to start from."
  )
  flags.DEFINE_float("max_megabytes", 2.5, "How much room each decoder may take in the page.")
  flags.DEFINE_bool(
    "show_data", True, "Show images and axes of the noise, for which the data set must be there."
  )
  cli.define_trust_gin_imports_flag()
  cli.define_trust_model_flag()


def main(_) -> None:
  """Writes the page."""
  from dl_condind.studies import inputs

  inputs.check_models(FLAGS.model_dir)
  with cli.quiet_imports():
    from dl_condind.explorer import explore

  path = explore.write_explorer(
    FLAGS.model_dir,
    FLAGS.output_path,
    FLAGS.num_images,
    FLAGS.max_megabytes,
    FLAGS.show_data,
    trust_gin_imports=FLAGS.trust_gin_imports,
    trust_model=FLAGS.trust_model,
  )
  print(f"Explorer written to {path}")


def run() -> None:
  """Runs the program and ends the process."""
  cli.run_program(main, define_flags, __doc__)
