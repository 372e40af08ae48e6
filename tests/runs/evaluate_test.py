import shutil

import numpy as np
import pytest

import dl_condind as dl
from dl_condind.evaluation import evaluate as evaluate_stage
from dl_condind.evaluation import representation
from dl_condind.utils import errors
from dl_condind.utils import results

SETTINGS = {"mig.num_train": 50, "vae_terms.num_points": 20}


@pytest.fixture
def run(trained_run, tmp_path):
  shutil.copytree(trained_run, tmp_path / "run")
  return dl.load(tmp_path / "run")


@pytest.mark.parametrize("name", ["mean", "sampled"])
def test_numbers_and_records_are_those_of_the_programs(run, trained_run, tmp_path, name):
  data = dl.load_data("dummy_data")
  found = dl.evaluate(run, data, ["mig", "vae_terms"], representation=name, settings=SETTINGS)
  for metric in ("mig", "vae_terms"):
    bindings = [f"{key} = {value}" for key, value in SETTINGS.items() if key.startswith(metric)]
    evaluate_stage.evaluate_with_gin(
      trained_run / "postprocessed" / name,
      tmp_path / metric,
      gin_config_files=[f"metrics/{metric}.gin"],
      gin_bindings=bindings,
    )
    expected = results.read_results(tmp_path / metric, "evaluation")
    assert found[metric] == {
      key: value for key, value in expected.items() if key not in ("uuid", "elapsed_time")
    }
  # The program finds its own record, and does nothing.
  record = tmp_path / "run" / "metrics" / name / "mig"
  before = results.read_results(record, "evaluation")
  evaluate_stage.evaluate_with_gin(
    tmp_path / "run" / "postprocessed" / name,
    record,
    gin_config_files=["metrics/mig.gin"],
    gin_bindings=["mig.num_train = 50"],
  )
  assert results.read_results(record, "evaluation") == before


def test_a_record_is_read_again_and_replaced_on_request(run):
  data = dl.load_data("dummy_data")
  settings = {"mig.num_train": 50}
  first = dl.evaluate(run, data, ["mig"], settings=settings)
  assert dl.evaluate(run, data, ["mig"], settings=settings) == first
  with pytest.raises(ValueError, match="was made with other settings"):
    dl.evaluate(run, data, ["mig"], settings=settings, seed=1)
  other = dl.evaluate(run, data, ["mig"], settings=settings, seed=1, overwrite=True)
  assert other != first


def mean_of_codes(ground_truth_data, representation_function, random_state, artifact_dir=None):
  codes, _ = representation.generate_batch_factor_code(
    ground_truth_data, representation_function, 30, random_state, batch_size=10
  )
  return {"mean": float(np.mean(codes))}


def test_a_function_is_a_metric(run):
  data = dl.load_data("dummy_data")
  found = dl.evaluate(run, data, [mean_of_codes], seed=5)
  random_state = np.random.RandomState(5)
  observations = [data.sample(10, random_state)[1] for _ in range(3)]
  codes = run.encode(np.concatenate(observations))
  assert found["mean_of_codes"]["mean"] == pytest.approx(codes.mean(), rel=1e-4, abs=1e-6)


def test_settings_of_a_function_are_its_arguments(run):
  def number_of_points(ground_truth_data, representation_function, random_state, num_train=10):
    return {"points": num_train}

  data = dl.load_data("dummy_data")
  settings = {"number_of_points.num_train": 30}
  found = dl.evaluate(run, data, [number_of_points], settings=settings)
  assert found == {"number_of_points": {"points": 30}}
  with pytest.raises(errors.ConfigError, match=r"^discretizer\.num_bins is a setting of no metric"):
    dl.evaluate(run, data, [number_of_points], settings={"discretizer.num_bins": 7})


class Noise(dl.GroundTruthData):
  """A data set of the user that has no name in gin."""

  def __init__(self, highest=4):
    super().__init__("my noise", ["brightness"], [4], (64, 64, 1))
    self.options = {"highest": highest}

  def sample_factors(self, num, random_state):
    return random_state.randint(4, size=(num, 1))

  def sample_observations_from_factors(self, factors, random_state):
    level = factors[:, :, None, None] / self.options["highest"]
    return (level * random_state.uniform(size=(len(factors), 64, 64, 1))).astype(np.float32)


@pytest.mark.slow
def test_an_own_data_set_object(tmp_path):
  data = Noise()
  model = dl.BetaVAE(
    1.0, num_latent=2, encoder=dl.networks.test_encoder, decoder=dl.networks.test_decoder
  )
  run = dl.train(model, data, tmp_path, steps=2, eval_steps=1, batch_size=4)
  found = dl.evaluate(run, data, ["mig"], settings={"mig.num_train": 50})
  assert 0 <= found["mig"]["discrete_mig"] <= 1
  provenance = results.read_provenance(tmp_path / "metrics" / "mean" / "mig", "evaluation")
  assert provenance["dataset"] == "my noise"
  assert dl.evaluate(run, Noise(), ["mig"], settings={"mig.num_train": 50}) == found
  with pytest.raises(errors.ConfigError, match="was made from other data"):
    dl.evaluate(run, Noise(highest=5), ["mig"], settings={"mig.num_train": 50})


class OtherNoise(Noise):
  def __init__(self):
    super().__init__()
    self.name = "other noise"


@pytest.mark.slow
def test_a_run_is_evaluated_on_other_data_and_after_another_training(tmp_path):
  networks = {"encoder": dl.networks.test_encoder, "decoder": dl.networks.test_decoder}
  options = {"steps": 2, "eval_steps": 1, "batch_size": 4}
  settings = {"mig.num_train": np.int64(50)}
  run = dl.train(dl.BetaVAE(1.0, num_latent=2, **networks), Noise(), tmp_path, **options)
  first = dl.evaluate(run, Noise(), ["mig"], settings=settings)
  code = run.folder.representation("mean").saved_model
  made = (code / "manifest.json").read_bytes()
  with pytest.raises(errors.ConfigError, match="dataset.name = 'other noise'"):
    dl.evaluate(run, OtherNoise(), ["mig"], settings=settings)
  dl.evaluate(run, OtherNoise(), ["mig"], settings=settings, overwrite=True)
  assert (code / "manifest.json").read_bytes() == made

  model = dl.BetaVAE(4.0, num_latent=2, **networks)
  again = dl.train(model, Noise(), tmp_path, **options, seed=1, overwrite=True)
  with pytest.raises(errors.ConfigError, match="mig was made from another model"):
    dl.evaluate(again, Noise(), ["mig"], settings=settings)
  assert (code / "manifest.json").read_bytes() != made
  second = dl.evaluate(again, Noise(), ["mig"], settings=settings, overwrite=True)
  assert second != first


def test_mistakes_are_one_line(run):
  data = dl.load_data("dummy_data")
  with pytest.raises(errors.ConfigError, match="data must be a data set .* got a ndarray"):
    dl.evaluate(run, np.zeros([2, 64, 64, 1]), ["mig"])
  with pytest.raises(errors.ConfigError, match="got pairs .*: give the data set they are of"):
    dl.evaluate(run, dl.Pairs(data, k=1), ["mig"])
  message = "metrics must be among .*mig.*got 'mgi'; did you mean 'mig'"
  with pytest.raises(errors.ConfigError, match=message):
    dl.evaluate(run, data, ["mgi"])
  with pytest.raises(errors.ConfigError, match="must be a run of dl.train or dl.load, got a func"):
    dl.evaluate(lambda images: images, data, ["mig"])
  with pytest.raises(
    errors.ConfigError, match="vae_terms.num_points is a setting of vae_terms, wh"
  ):
    dl.evaluate(run, data, ["mig"], settings=SETTINGS)
  with pytest.raises(errors.ConfigError, match=r"^The number of points .* at least 1, got -5\.\Z"):
    dl.evaluate(run, data, ["mig"], settings={"mig.num_train": -5})
  with pytest.raises(errors.ConfigError, match="mig has no parameter 'num_trains'"):
    dl.evaluate(run, data, ["mig"], settings={"mig.num_trains": 3})
