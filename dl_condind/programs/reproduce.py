"""Makes runs of a study: trains, postprocesses, evaluates and pictures them.

One run, or with --engine all missing ones. The same command again redoes nothing. For example:
  dl_condind_reproduce --study=quickstart --model_num=1
  dl_condind_reproduce --study=paper --model_num=47 --only_print
  dl_condind_reproduce --study=paper_reduced --engine=local --workers=2
  dl_condind_reproduce --study=paper_reduced --status
  dl_condind_reproduce --study=quickstart --num_evaluations=10
"""

import os
import pathlib
import sys

from absl import flags

from dl_condind.studies import sweep_flags
from dl_condind.utils import cli
from dl_condind.utils import errors
from dl_condind.utils import processes

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines the flags of the program."""
  flags.DEFINE_string("study", "quickstart", "Name in gin_configs/studies, or path of a gin file.")
  flags.DEFINE_integer("model_num", 0, "Number of the run in its study.")
  flags.DEFINE_string("output_directory", "output/{study}/{model_num}", "Folder of a run.")
  flags.DEFINE_string(
    "model_dir", None, "Folder of a trained model to take instead of training one."
  )
  flags.DEFINE_multi_string("gin_bindings", [], "gin binding of the training. May be repeated.")
  flags.DEFINE_integer(
    "num_evaluations", 1, "Evaluations of each metric, each with a seed of its own."
  )
  flags.DEFINE_bool("list_studies", False, "List the studies of the package and stop.")
  flags.DEFINE_bool("only_print", False, "Print the resolved configuration of the run and stop.")
  flags.DEFINE_bool("only_check", False, "Check the settings of the study and stop.")
  cli.define_overwrite_flag()
  cli.define_trust_gin_imports_flag()
  cli.define_trust_model_flag()
  sweep_flags.define()


def main(_) -> None:
  """Makes one run or several, or says what they would be or are."""
  from dl_condind.studies import inputs
  from dl_condind.studies import repeated_evaluations
  from dl_condind.studies import study_file
  from dl_condind.studies import study_list

  _check_flags()
  if FLAGS.list_studies and not sweep_flags.are_given():
    return print(study_list.describe_studies())
  trust = FLAGS.trust_gin_imports
  study = repeated_evaluations.repeat(
    study_file.load_study(FLAGS.study, trust), FLAGS.num_evaluations
  )
  if sweep_flags.are_given():
    sweep_flags.run(study)
    if sweep_flags.makes_runs():
      study_dir = pathlib.Path(study.run_folder(FLAGS.output_directory, 0)).parent
      _print_results(study_dir, study_dir, FLAGS.study)
    return None
  model_num = study.model_nums[0] if FLAGS.only_check else FLAGS.model_num
  only_shows = FLAGS.only_print or FLAGS.only_check
  inputs.check_run(study, model_num, FLAGS.gin_bindings, FLAGS.model_dir, not only_shows)
  with cli.quiet_imports():
    from dl_condind.studies import reproduce

  if FLAGS.only_print:
    print(reproduce.resolved_config(study, model_num, FLAGS.gin_bindings, trust))
  elif FLAGS.only_check:
    reproduce.check(study, FLAGS.gin_bindings, trust)
  else:
    output = study.run_folder(FLAGS.output_directory, model_num)
    options = (FLAGS.gin_bindings, FLAGS.overwrite, FLAGS.model_dir, trust, FLAGS.trust_model)
    reproduce.reproduce(study, model_num, output, *options)
    _print_results(output, pathlib.Path(output).parent)


def _check_flags() -> None:
  """Refuses flags that would be without effect."""
  for flag, other in (
    ("only_check", "model_num"),
    ("only_check", "only_print"),
    ("list_studies", "only_print"),
    ("list_studies", "only_check"),
    ("model_dir", "gin_bindings"),
    ("only_print", "model_dir"),
    ("only_print", "overwrite"),
  ):
    if FLAGS[flag].value and FLAGS[other].present:
      raise errors.ConfigError(f"--{other} has no meaning with --{flag}.")


def _print_results(directory: str | os.PathLike, study_dir: pathlib.Path, study: str = "") -> None:
  """Prints the results of the runs in a folder, and the command that writes their report."""
  with cli.quiet_imports():
    from dl_condind.reports import terminal_summary
  if results := terminal_summary.describe(directory):
    trust = FLAGS.trust_gin_imports
    print(f"\n{results}\n")
    print(f"Now: {terminal_summary.report_command(sys.argv[0], study_dir, study, trust)}")


def run() -> None:
  """Runs the program and ends the process."""
  processes.end_with_parent()
  cli.run_program(main, define_flags, __doc__)
