import json
import shutil

import pytest

from dl_condind.training import run_identity
from dl_condind.utils import errors
from dl_condind.utils import results

FINGERPRINT = {"device": "cpu"}


def claim(directory, overwrite=False):
  return run_identity.claim(directory, {}, FINGERPRINT, overwrite)


def finish(directory):
  (directory / "saved_model").mkdir()
  (directory / "saved_model" / "manifest.json").write_text("{}")
  provenance = results.model_provenance(directory / "saved_model")
  results.write_results(directory, "train", {"loss": 1.0}, provenance)


def test_a_run_is_new_then_unfinished_then_complete(tmp_path):
  assert claim(tmp_path) == run_identity.NEW
  assert json.loads((tmp_path / "run.json").read_text()) == {"runtime.device": "cpu"}
  assert claim(tmp_path) == run_identity.UNFINISHED
  finish(tmp_path)
  assert claim(tmp_path) == run_identity.COMPLETE


def test_a_run_whose_model_was_deleted_is_unfinished(tmp_path):
  claim(tmp_path)
  finish(tmp_path)
  shutil.rmtree(tmp_path / "saved_model")
  assert claim(tmp_path) == run_identity.UNFINISHED
  assert not (tmp_path / "results").exists()
  assert claim(tmp_path) == run_identity.UNFINISHED


def test_a_run_with_the_model_of_another_is_refused_until_overwritten(tmp_path):
  claim(tmp_path)
  finish(tmp_path)
  (tmp_path / "saved_model" / "manifest.json").write_text("{ }")
  with pytest.raises(errors.DatasetError, match=r"saved_model is not the model that .*/results"):
    claim(tmp_path)
  assert claim(tmp_path, overwrite=True) == run_identity.NEW


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"\xff\xfe"])
def test_a_damaged_identity_is_refused_until_overwritten(tmp_path, content):
  claim(tmp_path)
  (tmp_path / "run.json").write_bytes(content)
  with pytest.raises(errors.ConfigError, match=r"run\.json is damaged \(.+\); .*overwrite=True"):
    claim(tmp_path)
  assert claim(tmp_path, overwrite=True) == run_identity.NEW


def test_overwriting_deletes_what_a_run_writes_and_nothing_else(tmp_path):
  claim(tmp_path)
  finish(tmp_path)
  for name in ("tf_checkpoint", "tensorboard"):
    (tmp_path / name / "inner").mkdir(parents=True)
  (tmp_path / "train_log.jsonl").write_text("{}\n")
  (tmp_path / "notes.txt").write_text("mine")
  (tmp_path / ".lock").write_text("")
  # A run with notes of its user in it is still a run.
  assert claim(tmp_path) == run_identity.COMPLETE
  assert run_identity.claim(tmp_path, {}, {"device": "gpu"}, True) == run_identity.NEW
  assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "notes.txt", "run.json"]
  assert json.loads((tmp_path / "run.json").read_text()) == {"runtime.device": "gpu"}
  assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_something_else_is_left_alone(tmp_path, overwrite):
  (tmp_path / "results").mkdir()
  (tmp_path / "thesis.tex").write_text("precious")
  with pytest.raises(errors.ConfigError, match=r"holds results, thesis\.tex but no run\.json"):
    claim(tmp_path, overwrite)
  assert (tmp_path / "results").is_dir() and (tmp_path / "thesis.tex").is_file()


def test_every_difference_is_named(tmp_path):
  claim(tmp_path)
  with pytest.raises(errors.ConfigError) as caught:
    run_identity.claim(tmp_path, {}, {"device": "gpu", "keras": "3"}, False)
  assert "runtime.device is cpu there and gpu here" in str(caught.value)
  assert "runtime.keras is absent there and 3 here" in str(caught.value)


def test_a_finished_run_is_complete_whatever_made_it(tmp_path):
  def elsewhere(**fingerprint):
    return run_identity.claim(tmp_path, {}, {"device": "gpu", "keras": "3", **fingerprint}, False)

  claim(tmp_path)
  finish(tmp_path)
  assert elsewhere() == run_identity.COMPLETE
  with pytest.raises(
    errors.ConfigError, match=r"configuration: runtime\.dataset_sha256 is absent "
  ):
    elsewhere(dataset_sha256="aa")
  shutil.rmtree(tmp_path / "saved_model")  # It would have to be made again, by other versions.
  with pytest.raises(errors.ConfigError, match="runtime.device is cpu there and gpu here"):
    elsewhere()
  assert (tmp_path / "results").exists()


def test_a_run_of_pairs_without_the_way_of_redrawing_goes_on(tmp_path):
  earlier = {"dynamics.k": "1"}
  run_identity.claim(tmp_path, earlier, FINGERPRINT, overwrite=False)
  uniform, other = ({**earlier, "dynamics.redraw": name} for name in ("'uniform'", "'fresh_draw'"))
  state = run_identity.claim(tmp_path, uniform, FINGERPRINT, overwrite=False)
  assert state == run_identity.UNFINISHED
  with pytest.raises(
    errors.ConfigError, match=r"dynamics\.redraw is absent there and 'fresh_draw'"
  ):
    run_identity.claim(tmp_path, other, FINGERPRINT, overwrite=False)


def test_a_setting_that_is_absent_is_its_default(tmp_path):
  key = "labeller.labeller_fn"
  run_identity.claim(tmp_path, {key: "@perfect_labeller"}, FINGERPRINT, False)
  for config in ({}, {key: "None"}, {key: "@perfect_labeller"}):
    assert run_identity.claim(tmp_path, config, FINGERPRINT, False) == run_identity.UNFINISHED
  with pytest.raises(errors.ConfigError, match=r"labeller_fn is @perfect_labeller there and @bin"):
    run_identity.claim(tmp_path, {key: "@bin_labeller"}, FINGERPRINT, False)
