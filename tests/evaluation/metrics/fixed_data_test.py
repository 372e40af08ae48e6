import pathlib

import gin
import numpy as np
import pytest

from dl_condind.data.ground_truth import dummy_data
from dl_condind.data.ground_truth import labelled_images
from dl_condind.evaluation.metrics import dci
from dl_condind.evaluation.metrics import fixed_data
from dl_condind.evaluation.metrics import mig
from dl_condind.evaluation.metrics import sap_score
from dl_condind.evaluation.metrics import unified_scores
from dl_condind.utils import errors


@pytest.fixture(autouse=True)
def configuration():
  gin.parse_config(
    "discretizer.num_bins = 10\ndiscretizer.discretizer_fn = @histogram_discretizer\n"
    "dci_validation.train_percentage = 0.75\nsap_score_validation.train_percentage = 0.75\n"
    "sap_score_validation.continuous_factors = False\n"
    "unified_score_validation.train_percentage = 0.75\n"
    "unified_score_validation.matrix_fns = [@mutual_information_matrix]"
  )
  yield
  gin.clear_config()


def labelled(num_points=101):
  random_state = np.random.RandomState(0)
  labels = np.stack([random_state.randint(n, size=num_points) for n in (2, 3, 4)], axis=1)
  return labels + random_state.standard_normal((num_points, 3)), labels


class Encoder:
  """The identity, and the size of every batch."""

  def __init__(self):
    self.sizes = []

  def __call__(self, observations):
    self.sizes.append(len(observations))
    return observations


def splits():
  observations, labels = labelled()
  return observations[:76], labels[:76], observations[76:], labels[76:]  # 75.75 rounded up


def test_mig_is_that_of_all_points():
  observations, labels = labelled()
  encoder = Encoder()
  results = fixed_data.compute_mig_on_fixed_data(observations, labels, encoder)
  assert results == mig.mutual_information_gap(observations, labels, num_bins=10)
  assert encoder.sizes == [100, 1]


@pytest.mark.slow
def test_dci_is_that_of_the_splits():
  results = fixed_data.compute_dci_on_fixed_data(*labelled(), Encoder(), seed=3)
  assert results == dci.dci_scores(*splits(), seed=3)


@pytest.mark.parametrize("continuous_factors", [True, False])
def test_sap_is_that_of_the_splits(continuous_factors):
  results = fixed_data.compute_sap_on_fixed_data(
    *labelled(), Encoder(), continuous_factors=continuous_factors
  )
  assert results == sap_score.sap_scores(*splits(), continuous_factors=continuous_factors)


def test_unified_scores_are_those_of_the_splits():
  results = fixed_data.compute_unified_score_on_fixed_data(*labelled(), Encoder())
  assert results == unified_scores.unified_scores(
    *splits(), [unified_scores.mutual_information_matrix]
  )


def test_batch_size_is_that_of_the_encoder():
  encoder = Encoder()
  fixed_data.compute_mig_on_fixed_data(*labelled(), encoder, batch_size=40)
  assert encoder.sizes == [40, 40, 21]


def test_labels_need_a_row_for_each_observation():
  observations, labels = labelled()
  for wrong in (labels.T, labels[:, 0], labels[1:], labels[:, :0]):
    with pytest.raises(ValueError, match="labels must be .* each of the 101 observations"):
      fixed_data.compute_mig_on_fixed_data(observations, wrong, Encoder())


@pytest.mark.parametrize("train_percentage", [0.0, 1.0, 0.999, -1, 90])
def test_both_splits_need_points(train_percentage):
  for metric in ("dci", "sap_score", "unified_score"):
    compute = {
      "dci": fixed_data.compute_dci_on_fixed_data,
      "sap_score": fixed_data.compute_sap_on_fixed_data,
      "unified_score": fixed_data.compute_unified_score_on_fixed_data,
    }[metric]
    message = rf"{metric}_validation\.train_percentage must be a fraction"
    with pytest.raises(errors.ConfigError, match=message):
      compute(*labelled(), Encoder(), train_percentage=train_percentage)


def test_non_finite_representation_is_refused():
  observations, labels = labelled()
  observations[3, 1] = np.nan
  with pytest.raises(errors.ConfigError, match="not finite"):
    fixed_data.compute_mig_on_fixed_data(observations, labels, Encoder())


def test_batch_size_is_checked():
  with pytest.raises(errors.ConfigError, match="batch_size must be"):
    fixed_data.compute_mig_on_fixed_data(*labelled(), Encoder(), batch_size=0)


class Listed(labelled_images.LabelledImages):
  """Labelled points as images of 3 x 1 pixels."""

  def __init__(self, factors):
    names, sizes = ["a", "b", "c"][: factors.shape[1]], [2, 3, 4][: factors.shape[1]]
    path, shape = pathlib.Path("listed"), (3, 1, 1)
    super().__init__("listed", path, names, sizes, len(factors), shape)
    self.own_factors = factors

  def read_factors(self):
    return self.own_factors

  def read_images(self, folder):
    images = labelled()[0].astype(np.float32).reshape(-1, 3, 1, 1)
    return images, {"source": "test", "sha256": "none"}


def flatten(observations):
  return observations.reshape(len(observations), -1)


def test_fixed_data_is_each_image_once_in_a_random_order():
  observations, labels = labelled()
  observations = observations.astype(np.float32)
  arguments = (Listed(labels), flatten)
  found = fixed_data.compute_on_fixed_data(
    *arguments, np.random.RandomState(2), validation_fn=fixed_data.compute_mig_on_fixed_data
  )
  assert found == mig.mutual_information_gap(observations, labels, num_bins=10)
  found = fixed_data.compute_on_fixed_data(
    *arguments, np.random.RandomState(2), validation_fn=fixed_data.compute_sap_on_fixed_data
  )
  order = np.random.RandomState(2).permutation(101)
  x, y = observations[order], labels[order]
  assert found == sap_score.sap_scores(x[:76], y[:76], x[76:], y[76:], continuous_factors=False)


def test_fixed_data_must_be_a_list_of_images_with_factors():
  options = {"validation_fn": fixed_data.compute_mig_on_fixed_data}
  with pytest.raises(errors.ConfigError, match="fixed_data scores all images of `arrays`.*dummy"):
    fixed_data.compute_on_fixed_data(
      dummy_data.DummyData(), flatten, np.random.RandomState(0), **options
    )
  with pytest.raises(errors.ConfigError, match="^listed has no factors"):
    data = Listed(np.empty((101, 0), np.int64))
    fixed_data.compute_on_fixed_data(data, flatten, np.random.RandomState(0), **options)
