"""Models that come with the package: they load, are whole, and have the scores on their cards."""

import pathlib
import re
import tempfile

from helpers import programs
import numpy as np
import pytest

import dl_condind as dl
from dl_condind.reports import study_runs
from dl_condind.saved_models import pretrained
from dl_condind.studies import archive_file
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import package_folders

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = package_folders.find("pretrained")
NAMES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


RESULTS = ROOT / "docs" / "results"
STUDIES = {"spots": "posterior_families_spots", "dsprites": "paper_reduced"}


@pytest.fixture(scope="module")
def published():
  """The published runs of each study, by number."""
  with tempfile.TemporaryDirectory() as folder:
    archive_file.extract(RESULTS / f"{STUDIES['spots']}.tar.xz", pathlib.Path(folder))
    runs = {
      STUDIES["spots"]: study_runs.read_runs(folder),
      STUDIES["dsprites"]: study_runs.read_table(RESULTS / STUDIES["dsprites"] / "runs.csv"),
    }
    yield {study: {run.name: run for run in of_study} for study, of_study in runs.items()}


def set_values(config):
  """A setting of None may have come after the run."""
  return {key: value for key, value in config.items() if value != "None"}


def test_there_is_a_model_of_each_family_and_of_each_method_of_the_paper():
  assert dl.pretrained_models() == NAMES
  assert sum(name.startswith("vae_spots_") for name in NAMES) == 8
  assert [name for name in NAMES if "spots" not in name] == [
    f"{method}_dsprites_c{c}"
    for method in ("beta_tc_vae", "factor_vae", "vae")
    for c in ("0", "0.9")
  ]
  assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 20e6


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_the_published_run_with_the_median_mig(name, published, tmp_path):
  card = (FOLDER / name / "README.md").read_text(encoding="utf-8")
  number, study = re.search(r"Run (\d+) .* of the study `(\w+)`", card).groups()
  assert study == STUDIES[name.split("_")[-2 if "dsprites" in name else 1]]
  chosen = published[study][number]
  members = [
    run
    for run in published[study].values()
    if (run.method, run.correlation_label) == (chosen.method, chosen.correlation_label)
  ]
  ranked = sorted(run.row["mean.mig.discrete_mig"] for run in members)
  assert len(ranked) == 10 and chosen.row["mean.mig.discrete_mig"] == ranked[4]
  where = f" | {ranked[0]:.3f} | {np.median(ranked):.3f} | {ranked[9]:.3f} |"
  again = re.search(r"trained on another kind of processor, .* there MIG is\s(\S+)\. ", card)
  assert (again[1] if again else re.search(r"\| (\S+)" + re.escape(where), card)[1]) == (
    f"{ranked[4]:.3f}"
  )
  pretrained.unpack(name, tmp_path)
  files.verify_manifest(tmp_path / "model" / "saved_model")
  files.verify_manifest(tmp_path / "model" / "results")
  stored = dl.load(tmp_path)
  assert set_values(stored.config) == set_values(chosen.config)
  elbo = chosen.row["train_results.elbo"]
  assert stored.losses["elbo"] == pytest.approx(elbo, rel=0.01 if again else 1e-6)
  if again:
    assert stored.provenance["cpu"] != chosen.provenance["cpu"]


@pytest.mark.slow
def test_a_copy_has_the_scores_of_the_record(published, tmp_path):
  run = dl.load_pretrained("vae_spots_independent", tmp_path / "copy")
  card = (FOLDER / "vae_spots_independent" / "README.md").read_text(encoding="utf-8")
  chosen = published[STUDIES["spots"]][re.search(r"Run (\d+)", card)[1]]
  found = dl.evaluate(run, dl.load_data("spots"), ["mig"])["mig"]["discrete_mig"]
  assert found == pytest.approx(chosen.row["mean.mig.discrete_mig"], abs=1e-3)
  assert (tmp_path / "copy" / "metrics").is_dir()
  again = dl.load_pretrained("vae_spots_independent", tmp_path / "copy")
  images = dl.load_data("spots").sample_observations(5, np.random.RandomState(0))
  np.testing.assert_array_equal(again.encode(images), run.encode(images))
  with pytest.raises(errors.ConfigError, match="holds something else: choose another directory"):
    dl.load_pretrained("vae_spots_rotated", tmp_path / "copy")


def test_without_a_directory_the_copy_goes_with_the_run():
  run = dl.load_pretrained("vae_spots_rotated")
  folder = run.folder.path
  assert (folder / "model" / "saved_model").is_dir()
  del run
  assert not folder.exists()


def test_an_unknown_name_lists_the_others():
  with pytest.raises(errors.ConfigError, match="one of .*vae_spots_full.*got 'vae_spots_ful'"):
    dl.load_pretrained("vae_spots_ful")


def test_the_program_unpacks_models_once(tmp_path):
  call = ["--models=vae_spots_rotated,vae_spots_full", f"--data_folder={tmp_path}"]
  for _ in range(2):
    done = programs.run("dl_condind_download_data", *call)
    assert done.returncode == 0
    assert f"vae_spots_full is in {tmp_path}/vae_spots_full.\n" in done.stdout
  for name in ("vae_spots_rotated", "vae_spots_full"):
    files.verify_manifest(tmp_path / name / "model" / "saved_model")


@pytest.mark.parametrize(
  "arguments, message",
  [
    (["--models=all", "--datasets=mnist"], "Either --datasets or --models must be given."),
    ([], "Either --datasets or --models must be given."),
    (["--models=all", "--verify"], "--verify is about --datasets"),
    (["--models=vae_spots_full,vae_spot"], "name must be one of .*; got 'vae_spot'"),
  ],
)
def test_the_program_says_what_is_wrong(arguments, message, tmp_path):
  done = programs.run("dl_condind_download_data", *arguments, f"--data_folder={tmp_path}")
  assert done.returncode == 2 and re.search(message, done.stderr)
  assert not list(tmp_path.iterdir())
