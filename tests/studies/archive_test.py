import io
import json
import lzma
import os
import re
import shutil
import tarfile

from helpers import programs
import pytest

from dl_condind.reports import aggregate_results
from dl_condind.studies import archive
from dl_condind.studies import archive_file
from dl_condind.studies import run_state
from dl_condind.studies import study_file
from dl_condind.utils import errors
from dl_condind.utils import files

STUDY = """
study.gin_files = ["shared.gin", "methods/vae.gin", "posteriors/equicorrelated.gin"]
study.axes = [("equicorrelated.correlation", [0.0, 0.9]), ("model.random_seed", [0, 1, 2])]
study.metrics = ["mig", "vae_terms"]
study.representations = ["mean"]
"""
NUM_DONE, DIVERGED, BEGUN = 4, "4", "5"


@pytest.fixture
def study(tmp_path):
  return load(tmp_path / "small.gin", STUDY)


def load(path, text):
  path.write_text(text)
  return study_file.load_study(str(path))


@pytest.fixture
def study_dir(tmp_path, study, generated):
  """Four finished runs with models, one that diverged and one that was begun."""
  folder = tmp_path / "machine" / "small"
  for number in range(NUM_DONE):
    run = folder / str(number)
    with run_state.making(run, study.settings(number), overwrite=False):
      generated.write_run(run, generated.config_of(seed=number), mig=0.1 * number)
      files.write_json(run / "model" / "run.json", {"runtime.dl_condind": "0.1.0"})
      (run / "model" / "train_log.jsonl").write_text('{"step": 0, "loss": 1.0}\n')
      files.write_json(run / "visualizations" / "visualization.json", {})
      for name in ("model/saved_model/saved_model.pb", "model/tf_checkpoint/step-7"):
        (run / name).parent.mkdir()
        (run / name).write_bytes(b"weights")
  config = generated.config_of(seed=4)
  generated.write_begun(folder / DIVERGED, config, diverged={"step": 3, "message": "nan"})
  generated.write_begun(folder / BEGUN, config)
  return folder


@pytest.fixture
def packed(tmp_path, study, study_dir):
  path = tmp_path / "records.tar.xz"
  archive.pack(study_dir, path, study)
  return path


def states_of(folder, study):
  return [run_state.state_of(folder / str(n), study.settings(n)) for n in study.model_nums]


def test_pack_counts_runs_and_leaves_out_models_and_unfinished_runs(study, study_dir, packed):
  found = archive.pack(study_dir, packed, study)
  assert (found.num_done, found.num_diverged) == (NUM_DONE, 1)
  assert found.left_out == (BEGUN,)
  with tarfile.open(packed) as opened:
    names = opened.getnames()
  assert names[0] == "manifest.json"
  assert names[1:] == sorted(names[1:])
  assert len(names) == 1 + found.num_records
  assert not [name for name in names if "saved_model" in name or "checkpoint" in name]
  assert {name.partition("/")[0] for name in names[1:]} == {"0", "1", "2", "3", "4"}
  assert "0/metrics/mean/mig/results/manifest.json" in names


def test_unpacked_runs_are_done_and_give_the_same_table(tmp_path, study, study_dir, packed):
  elsewhere = tmp_path / "elsewhere" / "small"
  manifest, there = archive.unpack(packed, elsewhere, study)
  assert not there
  assert manifest.study == "small"
  assert manifest.versions == ("0.1.0",)
  done, diverged, missing = run_state.DONE, run_state.DIVERGED, run_state.MISSING
  assert states_of(elsewhere, study) == [done, done, done, done, diverged, missing]
  assert not list(elsewhere.rglob("saved_model"))
  assert not list(elsewhere.parent.glob(".*"))
  aggregate_results.runs_table(study_dir)
  aggregate_results.runs_table(elsewhere)
  assert (elsewhere / "runs.csv").read_bytes() == (study_dir / "runs.csv").read_bytes()


def test_same_records_give_same_bytes_also_when_packed_again_elsewhere(tmp_path, study, packed):
  elsewhere = tmp_path / "elsewhere" / "small"
  archive.unpack(packed, elsewhere, study)
  archive.pack(elsewhere, tmp_path / "again.tar.xz", study)
  assert (tmp_path / "again.tar.xz").read_bytes() == packed.read_bytes()


def test_pack_without_a_study_takes_all_finished_runs(tmp_path, study, study_dir, packed):
  (study_dir / "2").rename(study_dir / "2_seed_7")
  archive.pack(study_dir, tmp_path / "all.tar.xz")
  manifest = archive_file.read_manifest(tmp_path / "all.tar.xz")
  assert sorted(manifest.runs) == ["0", "1", "2_seed_7", "3", "4"]
  archive.pack(study_dir, packed, study)
  assert sorted(archive_file.read_manifest(packed).runs) == ["0", "1", "3", "4"]


def test_unpacking_adds_missing_runs_and_leaves_those_that_are_there(study, study_dir, packed):
  shutil.rmtree(study_dir / "1")
  _, there = archive.unpack(packed, study_dir, study)
  assert there == ["0", "2", "3", "4"]
  assert states_of(study_dir, study)[:NUM_DONE] == [run_state.DONE] * NUM_DONE
  assert (study_dir / "0" / "model" / "saved_model").is_dir()
  assert run_state.is_unpacked(study_dir / "1")
  assert not run_state.is_unpacked(study_dir / "0")


def test_a_growing_study_is_packed_and_unpacked_again(tmp_path, study, study_dir, packed):
  elsewhere = tmp_path / "elsewhere" / "small"
  archive.unpack(packed, elsewhere, study)
  with run_state.making(study_dir / BEGUN, study.settings(int(BEGUN)), overwrite=False):
    pass
  archive.pack(study_dir, packed, study)
  _, there = archive.unpack(packed, elsewhere, study)
  assert there == ["0", "1", "2", "3", "4"]
  assert states_of(elsewhere, study)[int(BEGUN)] == run_state.DONE


@pytest.mark.parametrize("changed", ["done.json", "metrics/mean/mig/results/manifest.json"])
def test_a_run_of_other_content_is_not_overwritten(tmp_path, study, packed, changed):
  elsewhere = tmp_path / "elsewhere" / "small"
  archive.unpack(packed, elsewhere, study)
  shutil.rmtree(elsewhere / "0")
  (elsewhere / "3" / changed).write_text("{}")
  with pytest.raises(errors.ConfigError, match=r"small/3 is there and is not the run that"):
    archive.unpack(packed, elsewhere, study)
  assert (elsewhere / "3" / changed).read_text() == "{}"
  assert not (elsewhere / "0").exists()


def test_archives_of_another_study_or_configuration_are_refused(tmp_path, packed):
  elsewhere = tmp_path / "elsewhere"
  with pytest.raises(
    errors.ConfigError, match=r"run 1 .*random_seed = 1 only there; .*= 7 only here\)"
  ):
    archive.unpack(packed, elsewhere, load(tmp_path / "a.gin", STUDY.replace("0, 1,", "0, 7,")))
  fewer = load(tmp_path / "fewer.gin", STUDY.replace("[0.0, 0.9]", "[0.0]"))
  with pytest.raises(errors.ConfigError, match=r"study small; its run 3 is not one .* study fewer"):
    archive.unpack(packed, elsewhere, fewer)
  with pytest.raises(errors.ConfigError, match=r"now \(metrics: dci only here\)"):
    more = STUDY.replace('"vae_terms"', '"vae_terms", "dci"')
    archive.unpack(packed, elsewhere, load(tmp_path / "more.gin", more))
  with pytest.raises(errors.ConfigError, match=r"now \(bindings: vae.beta = 2 only"):
    archive.unpack(packed, elsewhere, load(tmp_path / "b.gin", STUDY), ["vae.beta = 2"])
  assert not elsewhere.exists()


def test_an_unpacked_run_is_not_trained_again(tmp_path, study, packed):
  archive.unpack(packed, tmp_path / "small", study)
  run = tmp_path / "small" / "0"
  settings = study.settings(0)
  with run_state.making(run, settings, overwrite=False):
    assert run_state.is_unpacked(run)
  more = {**settings, "metrics": [*settings["metrics"], "dci"]}
  with (
    pytest.raises(errors.ConfigError, match="came out of an archive without its model"),
    run_state.making(run, more, overwrite=False),
  ):
    pytest.fail("it is made")
  with run_state.making(run, more, overwrite=True):
    assert not run_state.is_unpacked(run)


def test_nothing_finished_is_an_error(tmp_path, study, study_dir):
  with pytest.raises(errors.ConfigError, match=r"No finished run of the study small in .*empty"):
    archive.pack(tmp_path / "empty", tmp_path / "records.tar.xz", study)
  other = load(tmp_path / "other.gin", STUDY + 'study.bindings = ["vae.beta = 2.0"]\n')
  shutil.rmtree(study_dir / DIVERGED)
  with pytest.raises(errors.ConfigError, match="No finished run of the study other"):
    archive.pack(study_dir, tmp_path / "records.tar.xz", other)
  assert not (tmp_path / "records.tar.xz").exists()


def test_a_damaged_record_is_not_packed(tmp_path, study, study_dir):
  record = study_dir / "2" / "metrics" / "mean" / "mig" / "results" / "aggregate/evaluation.json"
  record.write_text(record.read_text().replace("0.2", "0.9"))
  with pytest.raises(errors.DatasetError, match=r"2/metrics/.*json has changed since it was"):
    archive.pack(study_dir, tmp_path / "records.tar.xz", study)
  assert not (tmp_path / "records.tar.xz").exists()


def rewrite(packed, change):
  """Replaces entries (name -> content) of an archive; the result of change is written."""
  with tarfile.open(packed) as opened:
    entries = {entry.name: opened.extractfile(entry).read() for entry in opened}
  with lzma.open(packed, "wb") as file, tarfile.open(fileobj=file, mode="w") as archived:
    for name, content in change(entries).items():
      entry = tarfile.TarInfo(name)
      entry.size = len(content)
      archived.addfile(entry, io.BytesIO(content))


def with_manifest(**changes):
  """Returns a change of the manifest."""

  def change(entries):
    manifest = {**json.loads(entries["manifest.json"]), **changes}
    return {**entries, "manifest.json": json.dumps(manifest).encode()}

  return change


def with_record(name):
  def change(entries):
    manifest = json.loads(entries["manifest.json"])
    manifest["runs"]["0"]["records"][name] = "0" * 64
    return with_manifest(**manifest)({**entries, f"0/{name}": b""})

  return change


DAMAGES = {
  "other format": (with_manifest(format=2), "is of format 2, and this version .* reads format 1"),
  "no format": (with_manifest(format="x"), "manifest.json has no format"),
  "no runs": (with_manifest(runs={}), "lists no runs"),
  "run outside": (with_manifest(runs={"..": {}}), "run '..' is not described"),
  "absolute run": (with_manifest(runs={"/tmp": {}}), "run '/tmp' is not described"),
  "run without records": (with_manifest(runs={"0": 3}), "run '0' is not described"),
  "other settings": (with_manifest(configuration_sha256="0"), "settings of its runs have changed"),
  "path outside": (with_record("../../evil"), "'../../evil', which is not a record"),
  "model": (with_record("model/saved_model/saved_model.pb"), "which is not a record"),
  "other record": (with_record("model/results/json/x.json"), "x.json has changed since"),
  "extra entry": (lambda entries: {**entries, "0/extra": b""}, "'0/extra' is not in its manifest"),
  "lost entry": (lambda e: dict(list(e.items())[:-1]), "4/model/train_log.jsonl is missing"),
  "no manifest": (lambda e: dict(list(e.items())[1:]), "does not begin with manifest.json"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_archives_that_are_not_as_written_are_refused(tmp_path, packed, name):
  change, message = DAMAGES[name]
  rewrite(packed, change)
  with pytest.raises(errors.DatasetError, match=message) as caught:
    archive.unpack(packed, tmp_path / "elsewhere" / "small")
  assert "\n" not in str(caught.value)
  assert not (tmp_path / "elsewhere" / "small").exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_damaged_bytes_are_refused(tmp_path, packed, share):
  content = packed.read_bytes()
  place = int(share * len(content))
  for damaged in (content[:place], content[:place] + b"\xa5" + content[place + 1 :], b"", b"x"):
    packed.write_bytes(damaged)
    with pytest.raises(errors.DatasetError, match="damaged or not an archive of records"):
      archive.unpack(packed, tmp_path / "small")
  assert not (tmp_path / "small").exists()


def test_an_absent_archive_is_named(tmp_path):
  with pytest.raises(errors.DatasetError, match=r"No .*absent\.tar\.xz: name an archive"):
    archive.unpack(tmp_path / "absent.tar.xz", tmp_path / "small")


def test_record_that_changes_while_it_is_packed(study_dir, packed):
  manifest = archive_file.read_manifest(packed)
  before = packed.read_bytes()
  (study_dir / "0" / "done.json").write_text("{}")
  with pytest.raises(errors.TryAgainError, match=r"0/done\.json has changed while"):
    archive_file.write(packed, study_dir, manifest)
  assert packed.read_bytes() == before


def test_record_that_is_deleted_while_it_is_packed(study_dir, packed, monkeypatch):
  manifest = archive_file.read_manifest(packed)
  record = study_dir / "0" / "model" / "train_log.jsonl"
  sha256 = files.sha256

  def deleted(path):  # As by an engine with --overwrite.
    if path == record:
      path.unlink()
    return sha256(path)

  monkeypatch.setattr(files, "sha256", deleted)
  with pytest.raises(errors.TryAgainError, match=r"0/model/train_log\.jsonl has changed while"):
    archive.pack(study_dir, packed)
  with pytest.raises(errors.TryAgainError, match=r"0/model/train_log\.jsonl has changed while"):
    archive_file.write(packed, study_dir, manifest)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_archive_that_may_not_be_read_is_named(tmp_path, packed):
  packed.chmod(0)
  with pytest.raises(errors.DatasetError, match=r"records\.tar\.xz may not be read"):
    archive.unpack(packed, tmp_path / "small")


def test_the_program_packs_and_unpacks(tmp_path, study_dir):
  path, study = tmp_path / "records.tar.xz", f"--study={tmp_path / 'small.gin'}"
  flag = f"--study_dir={study_dir}"
  done = programs.run("dl_condind_archive", study, flag, f"--output_path={path}")
  assert done.returncode == 0, done.stderr
  assert f"Packed 4 finished and 1 diverged runs in 111 records to {path} (" in done.stdout
  assert files.sha256(path) in done.stdout
  assert "Not finished and left out: 5\n" in done.stdout
  flag = f"--study_dir={tmp_path / 'elsewhere'}"
  done = programs.run("dl_condind_archive", study, flag, f"--unpack={path}")
  assert done.stdout == (
    f"5 runs of small unpacked to {tmp_path / 'elsewhere'}, 0 were there; made with dl_condind "
    "0.1.0.\n"
  )
  output = f"--output_directory={tmp_path / 'elsewhere'}/{{model_num}}"
  done = programs.run("dl_condind_reproduce", study, output, "--status")
  assert "4 of 6 done, 0 running, 0 failed, 1 diverged, 1 missing" in done.stdout
  done = programs.run("dl_condind_reproduce", study, output, "--engine=local", "--model_nums=0-3")
  assert done.stdout.startswith("4 of 4 done, 0 running, 0 failed, 0 diverged, 0 missing\n")
  done = programs.run("dl_condind_report", flag, study, "--noshow_models")
  assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
  ("arguments", "code", "message"),
  [
    ((), 2, "--study or --study_dir must be given"),
    (("--study_dir=a",), 2, "One of --output_path and --unpack"),
    (("--study_dir=a", "--output_path=b", "--unpack=c"), 2, "One of --output_path and --unpack"),
    (("--study_dir=a", "--unpack=c", "--gin_bindings=vae.beta = 1"), 2, "without --study"),
    (("--study_dir={folder}/absent", "--output_path=b"), 2, "absent, which is not there"),
    (("--study_dir={folder}", "--output_path=b"), 2, "No finished run in"),
    (("--study_dir={folder}/a", "--unpack={folder}/b"), 3, "No .*b: name an archive"),
    (("--study={folder}/x.gin", "--unpack={folder}/b"), 2, "no gin file"),
  ],
)
def test_the_program_ends_with_one_line(tmp_path, arguments, code, message):
  filled = [argument.format(folder=tmp_path) for argument in arguments]
  done = programs.run("dl_condind_archive", *filled)
  assert done.returncode == code
  assert re.search(message, done.stderr)
  assert len(done.stderr.splitlines()) == 1
