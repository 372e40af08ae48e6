r"""Trains a model. Interrupted, the same command continues it bit for bit.

Example:
  dl_condind_train --model_dir=output/vae/model --gin_config=shared.gin \
    --gin_config=methods/vae.gin --gin_bindings="model.training_steps = 1000"
"""

from absl import flags

from dl_condind.utils import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines the flags of the program."""
  flags.DEFINE_string("model_dir", None, "Folder of the trained model to write.", required=True)
  flags.DEFINE_bool("only_print", False, "Print the resolved configuration and stop.")
  cli.define_gin_flags()
  cli.define_overwrite_flag()


def main(_) -> None:
  """Trains, or prints what would be trained."""
  from dl_condind.studies import inputs

  config = (FLAGS.gin_config, FLAGS.gin_bindings, FLAGS.trust_gin_imports)
  inputs.check_training(config[:2], reads_data=not FLAGS.only_print)
  with cli.quiet_imports():
    from dl_condind.training import train

  if FLAGS.only_print:
    print(train.resolved_config(*config))
  else:
    train.train_with_gin(FLAGS.model_dir, FLAGS.overwrite, *config)


def run() -> None:
  """Runs the program and ends the process."""
  cli.run_program(main, define_flags, __doc__)
