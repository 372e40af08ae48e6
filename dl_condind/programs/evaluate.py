r"""Evaluates a metric, or several, on a representation, or on all of a model side by side.

Example:
  dl_condind_evaluate --input_dir=output/vae/postprocessed/mean \
    --output_dir=output/vae/metrics/mean/mig --gin_config=metrics/mig.gin
  dl_condind_evaluate --input_dir=output/vae/postprocessed --output_dir=output/vae/metrics \
    --gin_evaluation_config_glob="metrics/*.gin"
"""

from absl import flags

from dl_condind.utils import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines the flags of the program."""
  flags.DEFINE_string(
    "input_dir",
    None,
    "Folder of the representation, or of the folders of several, such as postprocessed.",
    required=True,
  )
  flags.DEFINE_string("output_dir", None, "Folder to write to.", required=True)
  flags.DEFINE_string(
    "gin_evaluation_config_glob",
    None,
    "Pattern of gin files, here or in gin_configs, each of one metric, evaluated into "
    "{output_dir}/{name of the file}.",
  )
  cli.define_gin_flags()
  cli.define_overwrite_flag()
  cli.define_trust_model_flag()


def main(_) -> None:
  """Evaluates metrics and prints their main numbers."""
  from dl_condind.studies import inputs

  config = (FLAGS.gin_config, FLAGS.gin_bindings)
  inputs.check_evaluation(
    FLAGS.input_dir, FLAGS.output_dir, FLAGS.gin_evaluation_config_glob, config
  )
  with cli.quiet_imports():
    from dl_condind.evaluation import evaluate
    from dl_condind.evaluation import side_by_side
    from dl_condind.utils import errors

  records, failures = evaluate.evaluate_each(
    FLAGS.input_dir,
    FLAGS.output_dir,
    FLAGS.gin_evaluation_config_glob,
    FLAGS.overwrite,
    *config,
    FLAGS.trust_gin_imports,
    FLAGS.trust_model,
  )
  print(side_by_side.format_table(records))
  if failures:
    raise errors.ConfigError(f"{len(failures)} evaluations failed: {' | '.join(failures)}")


def run() -> None:
  """Runs the program and ends the process."""
  cli.run_program(main, define_flags, __doc__)
