"""Writes the report of a study: one HTML page with figures, statistics and what they decide.

Any part of a study's runs may be done. --study also tells which of its runs are missing.

Example:
  dl_condind_report --study=quickstart
  dl_condind_report --study_dir=output/quickstart
  dl_condind_report --runs_csv=docs/results/paper_reduced/runs.csv --output_path=again.html
"""

from absl import app
from absl import flags

from dl_condind.utils import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines the flags of the program."""
  flags.DEFINE_string(
    "study", None, "Name of a study in gin_configs/studies, or path of a gin file."
  )
  flags.DEFINE_string(
    "study_dir", None, "Folder of the study; by default its folder in output/, or that of runs_csv."
  )
  flags.DEFINE_string(
    "runs_csv",
    None,
    "Table of runs to read instead of their folders, such as a published runs.csv.",
  )
  flags.DEFINE_string(
    "output_path",
    None,
    "Page to write, by default {study_dir}/report.html, with figures/ next to it.",
  )
  flags.DEFINE_bool(
    "show_models", True, "Show pictures of two models, for which the data set must be there."
  )
  cli.define_trust_gin_imports_flag()
  cli.define_trust_model_flag()


def main(_) -> None:
  """Writes the report."""
  if not (FLAGS.study or FLAGS.study_dir or FLAGS.runs_csv):
    raise app.UsageError("--study, --study_dir or --runs_csv must be given.")
  with cli.quiet_imports():
    from dl_condind.studies import inputs
    from dl_condind.studies import study_file
  study = study_file.load_study(FLAGS.study, FLAGS.trust_gin_imports) if FLAGS.study else None
  study_dir = FLAGS.study_dir or (f"output/{study.folder}" if study else None)
  if not FLAGS.runs_csv and study_dir:
    inputs.check_study(study_dir)
  with cli.quiet_imports():
    from dl_condind.reports import report

    if FLAGS.show_models and not FLAGS.runs_csv:
      from dl_condind.visualize import trained_vae  # noqa: F401  (write_report needs it later.)

  options = (FLAGS.runs_csv, FLAGS.trust_gin_imports, FLAGS.trust_model)
  path = report.write_report(study_dir, FLAGS.output_path, FLAGS.show_models, study, *options)
  print(f"Report written to {path}")


def run() -> None:
  """Runs the program and ends the process."""
  cli.run_program(main, define_flags, __doc__)
