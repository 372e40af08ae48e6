r"""Makes pictures of trained InfoGANs side by side: what their codes do, and their losses.

Example:
  dl_condind_visualize_infogan --model_dir=output/figure3/0/model \
    --model_dir=output/figure3/1/model --output_dir=output/figure3/visualizations
"""

from absl import flags

from dl_condind.utils import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines the flags of the program."""
  flags.DEFINE_multi_string(
    "model_dir", None, "Folder of a trained InfoGAN. May be repeated.", required=True
  )
  flags.DEFINE_string("output_dir", None, "Folder to write to.", required=True)
  flags.DEFINE_integer("num_frames", 20, "Frames of an animation.")
  cli.define_overwrite_flag()
  cli.define_trust_model_flag()


def main(_) -> None:
  """Makes the pictures of the models."""
  from dl_condind.studies import inputs

  inputs.check_models(FLAGS.model_dir)
  with cli.quiet_imports():
    from dl_condind.visualize import visualize_infogan

  visualize_infogan.visualize_infogan(
    FLAGS.model_dir,
    FLAGS.output_dir,
    FLAGS.overwrite,
    FLAGS.num_frames,
    trust_model=FLAGS.trust_model,
  )


def run() -> None:
  """Runs the program and ends the process."""
  cli.run_program(main, define_flags, __doc__)
