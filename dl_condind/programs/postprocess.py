r"""Makes a representation of a trained model.

Example:
  dl_condind_postprocess --model_dir=output/vae/model \
    --output_dir=output/vae/postprocessed/mean --gin_config=postprocess/mean.gin
"""

from absl import flags

from dl_condind.utils import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines the flags of the program."""
  flags.DEFINE_string("model_dir", None, "Folder of the trained model.", required=True)
  flags.DEFINE_string("output_dir", None, "Folder to write to.", required=True)
  cli.define_gin_flags()
  cli.define_overwrite_flag()
  cli.define_trust_model_flag()


def main(_) -> None:
  """Postprocesses one model."""
  from dl_condind.studies import inputs

  config = (FLAGS.gin_config, FLAGS.gin_bindings, FLAGS.trust_gin_imports)
  inputs.check_postprocessing(FLAGS.model_dir, FLAGS.output_dir, config[:2])
  with cli.quiet_imports():
    from dl_condind.postprocessing import postprocess

  options = (FLAGS.overwrite, *config, FLAGS.trust_model)
  postprocess.postprocess_with_gin(FLAGS.model_dir, FLAGS.output_dir, *options)


def run() -> None:
  """Runs the program and ends the process."""
  cli.run_program(main, define_flags, __doc__)
