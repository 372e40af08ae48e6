"""Models that come with the package: they load, are whole, and have the scores on their cards."""

import os
import pathlib
import re
import tempfile

import numpy as np
import pytest

import dl_condind as dl
from dl_condind.reports import study_runs
from dl_condind.studies import archive_file
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import package_folders

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = package_folders.find("pretrained")
NAMES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def published():
  with tempfile.TemporaryDirectory() as folder:
    archive_file.extract(
      ROOT / "docs" / "results" / "posterior_families_spots.tar.xz", pathlib.Path(folder)
    )
    yield {run.name: run for run in study_runs.read_runs(folder)}


def test_there_is_a_model_of_each_family():
  assert dl.pretrained_models() == NAMES and len(NAMES) == 8
  assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 20e6


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_the_published_run_with_the_median_mig(name, published):
  card = (FOLDER / name / "README.md").read_text(encoding="utf-8")
  number = re.search(r"Run (\d+)", card)[1]
  chosen = published[number]
  members = [run for run in published.values() if run.correlation_label == chosen.correlation_label]
  ranked = sorted(run.row["mean.mig.discrete_mig"] for run in members)
  assert len(ranked) == 10 and chosen.row["mean.mig.discrete_mig"] == ranked[4]
  assert (
    f"| {ranked[4]:.3f} | {ranked[0]:.3f} | {np.median(ranked):.3f} | {ranked[9]:.3f} |" in card
  )
  files.verify_manifest(FOLDER / name / "model" / "saved_model")
  files.verify_manifest(FOLDER / name / "model" / "results")
  stored = dl.load(FOLDER / name)
  assert stored.config == chosen.config


@pytest.mark.slow
def test_a_copy_has_the_scores_of_the_record(published, tmp_path):
  run = dl.load_pretrained("vae_spots_independent", tmp_path / "copy")
  card = (FOLDER / "vae_spots_independent" / "README.md").read_text(encoding="utf-8")
  chosen = published[re.search(r"Run (\d+)", card)[1]]
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
  assert folder.is_dir() and not os.path.samefile(folder, FOLDER / "vae_spots_rotated")
  del run
  assert not folder.exists()


def test_an_unknown_name_lists_the_others():
  with pytest.raises(errors.ConfigError, match="one of .*vae_spots_full.*got 'vae_spots_ful'"):
    dl.load_pretrained("vae_spots_ful")
