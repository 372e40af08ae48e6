"""Packs the records of a study's finished runs in one file, or unpacks it into a folder.

Records are what reports and tables are made of; models are left out. Unpacked runs are done, for
dl_condind_report and for dl_condind_reproduce with --status or --engine, which make the others.

Example:
  dl_condind_archive --study=paper_reduced --output_path=records.tar.xz
  dl_condind_archive --study=paper_reduced --unpack=records.tar.xz
  dl_condind_archive --study_dir=output/other --unpack=records.tar.xz
"""

import os

from absl import app
from absl import flags

from dl_condind.utils import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines the flags of the program."""
  flags.DEFINE_string(
    "study",
    None,
    "Name of a study in gin_configs/studies, or path of a gin file. With it, only its runs are "
    "packed, and an archive of another study or configuration is refused.",
  )
  flags.DEFINE_string(
    "study_dir", None, "Folder of the study; by default the folder of --study in output/."
  )
  flags.DEFINE_string("output_path", None, "Archive to write, a .tar.xz.")
  flags.DEFINE_string("unpack", None, "Archive to unpack into the folder of the study.")
  flags.DEFINE_multi_string(
    "gin_bindings", [], "gin binding of the trainings, as of dl_condind_reproduce. May be repeated."
  )
  cli.define_trust_gin_imports_flag()


def main(_) -> None:
  """Packs or unpacks."""
  if not (FLAGS.study or FLAGS.study_dir):
    raise app.UsageError("--study or --study_dir must be given.")
  if bool(FLAGS.output_path) == bool(FLAGS.unpack):
    raise app.UsageError("One of --output_path and --unpack must be given.")
  if FLAGS.gin_bindings and not FLAGS.study:
    raise app.UsageError("--gin_bindings has no meaning without --study.")
  from dl_condind.studies import archive
  from dl_condind.studies import inputs
  from dl_condind.studies import study_file
  from dl_condind.utils import files

  study = study_file.load_study(FLAGS.study, FLAGS.trust_gin_imports) if FLAGS.study else None
  study_dir = FLAGS.study_dir or (f"output/{study.folder}" if study else "")
  if FLAGS.unpack:
    manifest, there = archive.unpack(FLAGS.unpack, study_dir, study, FLAGS.gin_bindings)
    versions = ", ".join(manifest.versions) or "unknown"
    num_new = len(manifest.runs) - len(there)
    print(
      f"{num_new} runs of {manifest.study} unpacked to {study_dir}, {len(there)} were there; made "
      f"with dl_condind {versions}."
    )
  else:
    inputs.check_study(study_dir)
    found = archive.pack(study_dir, FLAGS.output_path, study, FLAGS.gin_bindings)
    print(
      f"Packed {found.num_done} finished and {found.num_diverged} diverged runs in "
      f"{found.num_records:,} records to {FLAGS.output_path} "
      f"({os.path.getsize(FLAGS.output_path):,} bytes, sha256 {files.sha256(FLAGS.output_path)})"
    )
    if found.left_out:
      print(f"Not finished and left out: {', '.join(found.left_out)}")


def run() -> None:
  """Runs the program and ends the process."""
  cli.run_program(main, define_flags, __doc__)
