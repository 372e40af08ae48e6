"""Makes pictures of a data set: samples, traversals of each factor, animations.

Example:
  dl_condind_visualize_dataset --dataset=dsprites_full --output_dir=output/dsprites_full
"""

from absl import flags

from dl_condind.utils import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines the flags of the program."""
  flags.DEFINE_string("output_dir", None, "Folder to write to.", required=True)
  flags.DEFINE_string("dataset", None, "Name of the data set; sets dataset.name.")
  flags.DEFINE_integer(
    "num_animations", 5, "Number of observations in each animation; 0 for no animations."
  )
  flags.DEFINE_integer(
    "pairs_k", None, "Also draw pairs that differ in up to this many factors; -1 for any number."
  )
  cli.define_gin_flags()
  cli.define_overwrite_flag()


def main(_) -> None:
  """Makes the pictures of one data set."""
  with cli.quiet_imports():
    from dl_condind.visualize import visualize_dataset

  bindings = [] if FLAGS.dataset is None else [f"dataset.name = {FLAGS.dataset!r}"]
  visualize_dataset.visualize_dataset_with_gin(
    FLAGS.output_dir,
    FLAGS.overwrite,
    FLAGS.num_animations,
    FLAGS.gin_config,
    [*FLAGS.gin_bindings, *bindings],
    FLAGS.trust_gin_imports,
    FLAGS.pairs_k,
  )


def run() -> None:
  """Runs the program and ends the process."""
  cli.run_program(main, define_flags, __doc__)
