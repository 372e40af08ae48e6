r"""Trains a network to solve puzzles from the codes of a representation, and tests it.

Interrupted, the same command continues it bit for bit.

Example:
  dl_condind_reason --input_dir=output/vae/postprocessed/mean --output_dir=output/vae/reasoning \
    --gin_config=reasoning/representation.gin
  dl_condind_reason --output_dir=output/reasoning --gin_config=reasoning/values.gin \
    --num_pictures=3
"""

from absl import flags

from dl_condind.utils import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines the flags of the program."""
  flags.DEFINE_string(
    "input_dir", None, "Folder of the representation; leave it out for embeddings that need none."
  )
  flags.DEFINE_string("output_dir", None, "Folder to write to.", required=True)
  flags.DEFINE_integer(
    "num_pictures", 0, "Number of puzzles to draw into {output_dir}/visualizations."
  )
  cli.define_gin_flags()
  cli.define_overwrite_flag()
  cli.define_trust_model_flag()


def main(_) -> None:
  """Trains and tests the network."""
  from dl_condind.studies import inputs

  config = (FLAGS.gin_config, FLAGS.gin_bindings)
  inputs.check_reasoning(FLAGS.input_dir, FLAGS.output_dir, config)
  with cli.quiet_imports():
    from dl_condind.reasoning import reason

  reason.reason_with_gin(
    FLAGS.input_dir,
    FLAGS.output_dir,
    FLAGS.overwrite,
    *config,
    FLAGS.trust_gin_imports,
    FLAGS.trust_model,
    FLAGS.num_pictures,
  )


def run() -> None:
  """Runs the program and ends the process."""
  cli.run_program(main, define_flags, __doc__)
