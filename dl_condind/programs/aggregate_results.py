"""Collects the results of all runs in a JSON file, as disentanglement_lib does, and two CSV files.

Beside results.json these are results.csv, with a row for each record as the JSON file has, and
results_runs.csv, with one for each run.

Example:
  dl_condind_aggregate_results --output_path=output/results.json
"""

from absl import flags

from dl_condind.reports import aggregate_results
from dl_condind.utils import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines the flags of the program."""
  flags.DEFINE_string(
    "result_file_pattern", aggregate_results.DEFAULT_PATTERN, "Pattern of the records to collect."
  )
  flags.DEFINE_string("output_path", "results.json", "JSON file to write.")


def main(_) -> None:
  """Aggregates all results that match the pattern."""
  rows = aggregate_results.aggregate(FLAGS.result_file_pattern, FLAGS.output_path)
  print(f"{len(rows)} results written to {FLAGS.output_path}")


def run() -> None:
  """Runs the program and ends the process."""
  cli.run_program(main, define_flags, __doc__)
