r"""Ranks models that differ in their seed alone, without factors (Duan et al., 2020).

Example:
  dl_condind_udr --input_dirs="output/*/postprocessed/mean" --output_dir=output/udr \
    --gin_config=udr/udr.gin
"""

from absl import flags

from dl_condind.utils import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines the flags of the program."""
  flags.DEFINE_list(
    "input_dirs", None, "Folders of the representations, or patterns of them.", required=True
  )
  flags.DEFINE_string("output_dir", None, "Folder to write to.", required=True)
  cli.define_gin_flags()
  cli.define_overwrite_flag()
  cli.define_trust_model_flag()


def main(_) -> None:
  """Ranks the models."""
  from dl_condind.studies import inputs

  config = (FLAGS.gin_config, FLAGS.gin_bindings)
  inputs.check_ranking(FLAGS.input_dirs, FLAGS.output_dir, config)
  with cli.quiet_imports():
    from dl_condind.evaluation import evaluate_udr

  evaluate_udr.evaluate_with_gin(
    FLAGS.input_dirs,
    FLAGS.output_dir,
    FLAGS.overwrite,
    *config,
    FLAGS.trust_gin_imports,
    FLAGS.trust_model,
  )


def run() -> None:
  """Runs the program and ends the process."""
  cli.run_program(main, define_flags, __doc__)
