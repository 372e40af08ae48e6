import numpy as np
import pytest

import dl_condind as dl
from dl_condind.saved_models import stored_model
from dl_condind.utils import errors
from dl_condind.utils import results
from dl_condind.utils import run_folder
from dl_condind.utils import run_search

SETTINGS = {"eval_steps": 1, "batch_size": 4, "seed": 3}


def train_run(directory, steps, **settings):
  model = dl.BetaVAE(
    1.0, num_latent=4, encoder=dl.networks.test_encoder, decoder=dl.networks.test_decoder
  )
  return dl.train(
    model, dl.load_data("dummy_data"), directory, steps=steps, **{**SETTINGS, **settings}
  )


def weights(run):
  model = stored_model.StoredModel(run.model.saved_model)
  return [value for _, value in model.named_weights()]


@pytest.mark.slow
def test_a_snapshot_is_the_run_of_as_many_steps(tmp_path):
  train_run(tmp_path / "run", 5, snapshot_steps=2)
  run = run_folder.RunFolder(tmp_path / "run")
  snapshots = run.model.snapshots()
  assert [s.path.name for s in snapshots] == ["step_000000002", "step_000000004"]
  for snapshot, steps in zip(snapshots, (2, 4), strict=True):
    train_run(tmp_path / str(steps), steps)
    expected = weights(run_folder.RunFolder(tmp_path / str(steps)))
    for value, other in zip(weights(snapshot), expected, strict=True):
      np.testing.assert_array_equal(value, other)
  # It does not change the run it is of, and is none of the runs of a study.
  train_run(tmp_path / "without", 5)
  for value, other in zip(
    weights(run), weights(run_folder.RunFolder(tmp_path / "without")), strict=True
  ):
    np.testing.assert_array_equal(value, other)
  assert run_search.trained_below(tmp_path / "run") == [run]
  # It can be loaded and evaluated.
  loaded = dl.load(snapshots[0].path)
  assert loaded.losses["global_step"] == 2
  found = dl.evaluate(loaded, dl.load_data("dummy_data"), ["mig"], settings={"mig.num_train": 50})
  assert 0 <= found["mig"]["discrete_mig"] <= 1
  # A new run in its place takes them away.
  train_run(tmp_path / "run", 1, overwrite=True)
  assert not run.model.snapshots()


def test_steps_between_snapshots_are_checked(tmp_path):
  with pytest.raises(errors.ConfigError, match=r"model\.snapshot_steps must be in \[1, .*, got 0"):
    train_run(tmp_path / "run", 5, snapshot_steps=0)


@pytest.mark.slow
def test_a_snapshot_that_was_interrupted_is_taken_when_the_run_goes_on(tmp_path, monkeypatch):
  write = results.write_results

  def fail(folder, *arguments, **keywords):
    if "snapshots" in folder.parts:
      raise errors.TryAgainError("The disk is full.")
    write(folder, *arguments, **keywords)

  with monkeypatch.context() as patch:
    patch.setattr(results, "write_results", fail)
    with pytest.raises(errors.TryAgainError, match="disk is full"):
      train_run(tmp_path / "run", 3, snapshot_steps=2)
  stage = run_folder.RunFolder(tmp_path / "run").model
  assert not stage.snapshots()
  train_run(tmp_path / "run", 3, snapshot_steps=2)
  assert [snapshot.path.name for snapshot in stage.snapshots()] == ["step_000000002"]
