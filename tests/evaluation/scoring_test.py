import numpy as np
import pytest

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation import evaluate
from dl_condind.evaluation import scoring
from dl_condind.evaluation import stored_representations
from dl_condind.evaluation.metrics import mig
from dl_condind.utils import errors
from dl_condind.utils import results

MADE_BY_A_STAGE = ("elapsed_time", "uuid")


@pytest.mark.parametrize("name", ["mean", "sampled"])
def test_results_are_those_of_the_program(trained_run, tmp_path, name):
  folder = trained_run / "postprocessed" / name
  files, settings = ["metrics/mig.gin"], {"num_train": 100}
  evaluate.evaluate_with_gin(folder, tmp_path, False, files, ["mig.num_train = 100"])
  record = results.read_results(tmp_path, "evaluation")

  represent = stored_representations.load_representation(folder / "saved_model")
  data = dummy_data.DummyData()
  found = scoring.evaluate_metric(data, represent, "mig", settings=settings)
  assert found == {key: record[key] for key in record if key not in MADE_BY_A_STAGE}
  assert scoring.evaluate_metric(data, represent, mig.compute_mig, 0, settings) == found
  assert scoring.evaluate_metric(data, represent, "mig", 1, settings) != found


def test_a_function_in_disentanglement_libs_way_is_a_metric():
  def compute_mean(ground_truth_data, representation_function, random_state, artifact_dir=None):
    assert artifact_dir is None
    return {"mean": representation_function(ground_truth_data.sample_factors(9, random_state))}

  data = dummy_data.IdentityObservationsData()
  expected = data.sample_factors(9, np.random.RandomState(5)).mean()
  assert scoring.evaluate_metric(data, np.mean, compute_mean, 5) == {"mean": expected}


def test_an_unknown_name_and_a_seed_out_of_range_are_errors():
  data = dummy_data.IdentityObservationsData()
  with pytest.raises(errors.ConfigError, match="no metric 'mgi'"):
    scoring.evaluate_metric(data, np.asarray, "mgi")
  with pytest.raises(errors.ConfigError, match=r"random_seed must be in \[0, 2\*\*32\), got -1"):
    scoring.evaluate_metric(data, np.asarray, "mig", -1)


@pytest.mark.parametrize("name", ["downstream_task", "reduced_downstream_task"])
def test_one_number_in_place_of_a_list_is_one_line(name):
  data = dummy_data.IdentityObservationsData()
  message = rf"^{name}\.num_train must be a list of whole numbers, such as \[100\], got 1000\."
  with pytest.raises(errors.ConfigError, match=message):
    scoring.evaluate_metric(data, np.asarray, name, settings={"num_train": 1000})
