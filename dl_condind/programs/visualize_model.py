"""Makes pictures of a trained model: reconstructions, samples, traversals, animations.

Example:
  dl_condind_visualize_model --model_dir=output/vae/model --output_dir=output/vae/visualizations
"""

from absl import flags

from dl_condind.utils import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines the flags of the program."""
  flags.DEFINE_string("model_dir", None, "Folder of the trained model.", required=True)
  flags.DEFINE_string("output_dir", None, "Folder to write to.", required=True)
  flags.DEFINE_integer("num_animations", 5, "Number of observations to start traversals from.")
  cli.define_overwrite_flag()
  cli.define_trust_gin_imports_flag()
  cli.define_trust_model_flag()


def main(_) -> None:
  """Makes the pictures of one model."""
  from dl_condind.studies import inputs

  inputs.check_pictured(FLAGS.model_dir, FLAGS.output_dir)
  with cli.quiet_imports():
    from dl_condind.visualize import visualize_model

  visualize_model.visualize_model(
    FLAGS.model_dir,
    FLAGS.output_dir,
    FLAGS.overwrite,
    FLAGS.num_animations,
    trust_gin_imports=FLAGS.trust_gin_imports,
    trust_model=FLAGS.trust_model,
  )


def run() -> None:
  """Runs the program and ends the process."""
  cli.run_program(main, define_flags, __doc__)
