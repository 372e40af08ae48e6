import numpy as np
import pytest

from dl_condind.evaluation import evaluate
from dl_condind.evaluation import evaluate_udr
from dl_condind.postprocessing import postprocess
from dl_condind.training import train
from dl_condind.utils import errors
from dl_condind.utils import results

FEW = ["udr_sklearn.batch_size = 5", "udr_sklearn.num_data_points = 20"]
CONFIG = ["udr/udr.gin"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny_training):
  """Returns a folder with the means of two models of different seeds and of another objective."""
  folder = tmp_path_factory.mktemp("udr")
  others = {"a": "model.random_seed = 1", "b": "model.random_seed = 2", "other": "vae.beta = 9.0"}
  for name, binding in others.items():
    gin_files = ["shared.gin", "methods/vae.gin"]
    train.train_with_gin(folder / name / "model", False, gin_files, [*tiny_training, binding])
    postprocess.postprocess_with_gin(
      folder / name / "model", folder / name / "mean", False, ["postprocess/mean.gin"]
    )
  return folder


@pytest.mark.slow
def test_models_of_two_seeds_are_ranked(runs, tmp_path):
  inputs = [str(runs / "[ab]" / "mean")]
  evaluate_udr.evaluate_with_gin(inputs, tmp_path / "udr", False, CONFIG, FEW)
  record = results.read_results(tmp_path / "udr", "udr")
  assert record["input_dirs"] == [str(runs / "a" / "mean"), str(runs / "b" / "mean")]
  assert np.shape(record["pairwise_disentanglement_scores"]) == (2, 2, 1)
  assert np.shape(record["raw_correlations"]) == (2, 2, 4, 4)
  assert len(record["model_scores"]) == 2
  # Once more does nothing; again with other models is an error.
  evaluate_udr.evaluate_with_gin(inputs, tmp_path / "udr", False, CONFIG, FEW)
  assert results.read_results(tmp_path / "udr", "udr") == record
  swapped = [str(runs / name / "mean") for name in "ba"]
  with pytest.raises(errors.ConfigError, match="was made from another model"):
    evaluate_udr.evaluate_with_gin(swapped, tmp_path / "udr", False, CONFIG, FEW)
  evaluate_udr.evaluate_with_gin(swapped, tmp_path / "udr", True, CONFIG, FEW)
  again = results.read_results(tmp_path / "udr", "udr")
  assert again["model_scores"] == pytest.approx(record["model_scores"][::-1], abs=1e-6)


# disentanglement_lib's udr.gin, statement by statement.
LIBRARY = """
evaluation.evaluation_fn = @udr_sklearn
dataset.name="auto"
evaluation.random_seed = 0
udr_sklearn.batch_size=10
udr_sklearn.num_data_points=1000
udr_sklearn.correlation_matrix="{correlation}"
udr_sklearn.filter_low_kl=True
udr_sklearn.include_raw_correlations=True
udr_sklearn.kl_filter_threshold = 0.01
"""


@pytest.mark.slow
def test_files_of_disentanglement_lib_run(runs, tmp_path):
  inputs = [str(runs / "[ab]" / "mean")]
  scores = []
  for correlation in ("lasso", "spearman"):
    path = tmp_path / f"{correlation}.gin"
    path.write_text(LIBRARY.format(correlation=correlation))
    evaluate_udr.evaluate_with_gin(inputs, tmp_path / correlation, False, [str(path)], FEW)
    scores.append(results.read_results(tmp_path / correlation, "udr")["model_scores"])
  bindings = [*FEW, "udr_sklearn.correlation_matrix = 'spearman'"]
  evaluate_udr.evaluate_with_gin(inputs, tmp_path / "own", False, CONFIG, bindings)
  assert results.read_results(tmp_path / "own", "udr")["model_scores"] == scores[1] != scores[0]


@pytest.mark.slow
def test_setting_of_two_names_is_refused(runs, tmp_path):
  with pytest.raises(errors.ConfigError, match="udr.random_seed and evaluation.random_seed are"):
    evaluate_udr.evaluate_with_gin(
      [str(runs / "[ab]" / "mean")],
      tmp_path / "udr",
      False,
      CONFIG,
      [*FEW, "evaluation.random_seed = 1"],
    )


@pytest.mark.slow
def test_evaluation_of_one_model_refuses_the_ranking(runs, tmp_path):
  path = tmp_path / "udr.gin"
  path.write_text(LIBRARY.format(correlation="lasso"))
  with pytest.raises(errors.ConfigError, match="compares several models: call dl_condind_udr"):
    evaluate.evaluate_with_gin(runs / "a" / "mean", tmp_path / "udr", False, [str(path)])


@pytest.mark.slow
def test_models_of_different_trainings_are_refused(runs, tmp_path):
  with pytest.raises(errors.ConfigError, match=r"other/mean differs from .* in vae\.beta"):
    evaluate_udr.evaluate_with_gin([str(runs / "*" / "mean")], tmp_path / "udr", False, CONFIG, FEW)


@pytest.mark.slow
def test_one_model_is_refused(runs, tmp_path):
  with pytest.raises(errors.ConfigError, match="at least two models, .* names 1 folders"):
    evaluate_udr.evaluate_with_gin([str(runs / "a" / "mean")], tmp_path / "udr", False, CONFIG, FEW)


@pytest.mark.slow
def test_model_without_representation_is_refused(runs, tmp_path):
  inputs = [str(runs / "a" / "mean"), str(runs / "b")]
  with pytest.raises(errors.DatasetError, match="No complete representation at .*/b"):
    evaluate_udr.evaluate_with_gin(inputs, tmp_path / "udr", False, CONFIG, FEW)


@pytest.mark.slow
def test_kl_is_that_of_the_gaussian(runs):
  x = np.random.RandomState(0).random_sample((6, 64, 64, 1)).astype(np.float32)
  path = runs / "a" / "mean" / "saved_model"
  z_mean, kl = evaluate_udr.gaussian_function(path)(x)
  posterior = evaluate_udr.stored_representations.load_representation(path).gaussian_encoder(x)
  variance = np.exp(posterior["logvar"].astype(np.float64))
  expected = 0.5 * np.mean(posterior["mean"] ** 2 + variance - np.log(variance) - 1, axis=0)
  np.testing.assert_array_equal(z_mean, posterior["mean"])
  np.testing.assert_allclose(kl, expected, atol=1e-6)
