"""Runs of the package as it was when models were made from gin alone: what it wrote is read."""

import json
import shutil
import tarfile

from helpers import testdata
import numpy as np
import pytest

import dl_condind as dl
from dl_condind.reports import report
from dl_condind.training import runtime
from dl_condind.training import train
from dl_condind.utils import results


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
  folder = tmp_path_factory.mktemp("earlier")
  with tarfile.open(testdata.FOLDER / "runs_before_objects.tar.xz") as archive:
    archive.extractall(folder, filter="data")
  return folder


def test_a_stored_model_is_loaded_and_evaluated(earlier):
  run = dl.load(earlier / "study" / "1")
  data = dl.load_data("dummy_data")
  images = data.sample_observations(3, np.random.RandomState(0))
  scale_tril = run.posterior(images).scale_tril
  correlation = scale_tril @ np.swapaxes(scale_tril, 1, 2)
  correlation /= np.sqrt(correlation[:, :1, :1] * correlation[:, 1:, 1:])
  np.testing.assert_allclose(correlation[:, 1, 0], 0.9, rtol=1e-4)
  recorded = results.read_results(earlier / "study/1/metrics/mean/mig", "evaluation")
  found = dl.evaluate(run, data, ["mig"], settings={"mig.num_train": 50})["mig"]
  assert found == {k: v for k, v in recorded.items() if k not in ("uuid", "elapsed_time")}
  again = dl.evaluate(run, data, ["mig"], settings={"mig.num_train": 50}, overwrite=True)["mig"]
  assert again["discrete_mig"] == pytest.approx(recorded["discrete_mig"], abs=1e-6)


def test_a_study_is_reported(earlier):
  path = report.write_report(earlier / "study", show_models=False)
  page = path.read_text()
  assert "0.9" in page
  table = (earlier / "study" / "runs.csv").read_text().splitlines()
  assert len(table) == 3


def continue_with_gin(folder, tiny_training):
  gin_files = ["shared.gin", "methods/vae.gin", "posteriors/equicorrelated.gin"]
  bindings = [*tiny_training, "encoder.num_latent = 2", "model.training_steps = 8"]
  train.train_with_gin(folder / "model", False, gin_files, bindings)


def continue_in_python(folder, tiny_training):
  del tiny_training
  model = dl.BetaVAE(
    1.0,
    num_latent=2,
    posterior=dl.posteriors.Equicorrelated(0.9),
    encoder=dl.networks.test_encoder,
    decoder=dl.networks.test_decoder,
  )
  data = dl.load_data("dummy_data")
  dl.train(model, data, folder, steps=8, batch_size=4, eval_steps=1)


@pytest.mark.slow
@pytest.mark.parametrize("go_on", [continue_with_gin, continue_in_python])
def test_an_interrupted_training_is_continued(go_on, earlier, tmp_path, tiny_training):
  folder = tmp_path / "run"
  shutil.copytree(earlier / "interrupted", folder / "model")
  identity = json.loads((folder / "model" / "run.json").read_text())
  # As if the versions here had written it: it is about what this package writes.
  identity |= {f"runtime.{key}": value for key, value in runtime.fingerprint().items()}
  (folder / "model" / "run.json").write_text(json.dumps(identity))
  go_on(folder, tiny_training)
  log = (folder / "model" / "train_log.jsonl").read_text()
  assert log == (earlier / "interrupted" / "train_log.jsonl").read_text()  # Step 0 is not repeated.
  continue_with_gin(tmp_path / "whole", tiny_training)
  continued, whole = dl.load(folder), dl.load(tmp_path / "whole")
  images = np.random.default_rng(0).uniform(size=(5, 64, 64, 1))
  # Its first steps were made on another machine.
  np.testing.assert_allclose(continued.encode(images), whole.encode(images), rtol=1e-4, atol=1e-5)
  assert continued.losses["loss"] == pytest.approx(whole.losses["loss"], rel=1e-5)
