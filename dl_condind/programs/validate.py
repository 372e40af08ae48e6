r"""Scores a representation on a few labelled observations instead of points drawn at will.

Example:
  dl_condind_validate --input_dir=output/vae/postprocessed/mean \
    --output_dir=output/vae/validation/mean/mig --gin_config=validation/labelled_mig.gin
"""

from absl import flags

from dl_condind.utils import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines the flags of the program."""
  flags.DEFINE_string("input_dir", None, "Folder of the representation.", required=True)
  flags.DEFINE_string("output_dir", None, "Folder to write to.", required=True)
  cli.define_gin_flags()
  cli.define_overwrite_flag()
  cli.define_trust_model_flag()


def main(_) -> None:
  """Validates the representation."""
  from dl_condind.studies import inputs

  config = (FLAGS.gin_config, FLAGS.gin_bindings)
  inputs.check_validation(FLAGS.input_dir, FLAGS.output_dir, config)
  with cli.quiet_imports():
    from dl_condind.evaluation import validate

  validate.validate_with_gin(
    FLAGS.input_dir,
    FLAGS.output_dir,
    FLAGS.overwrite,
    *config,
    FLAGS.trust_gin_imports,
    FLAGS.trust_model,
  )


def run() -> None:
  """Runs the program and ends the process."""
  cli.run_program(main, define_flags, __doc__)
