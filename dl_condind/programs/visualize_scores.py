r"""Draws the matrices of latents and factors of an evaluation by unified_scores.

Example:
  dl_condind_visualize_scores --input_dir=output/vae/metrics/mean/unified_scores \
    --output_dir=output/vae/unified_scores
"""

from absl import flags

from dl_condind.utils import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines the flags of the program."""
  flags.DEFINE_string("input_dir", None, "Folder of the evaluation.", required=True)
  flags.DEFINE_string("output_dir", None, "Folder to write to.", required=True)
  cli.define_overwrite_flag()
  cli.define_trust_gin_imports_flag()


def main(_) -> None:
  r"""Draws the figures of one evaluation."""
  with cli.quiet_imports():
    from dl_condind.visualize import visualize_scores

  visualize_scores.visualize_scores(
    FLAGS.input_dir, FLAGS.output_dir, FLAGS.overwrite, FLAGS.trust_gin_imports
  )


def run() -> None:
  """Runs the program and ends the process."""
  cli.run_program(main, define_flags, __doc__)
