"""Compares the time of metrics with that of the same ones computed the way of disentanglement_lib.

The other way is in per_draw_metrics.py. Both compute the settings of the unsupervised study, with
an untrained convolutional encoder, on a synthetic table of the size of SmallNORB. Loading data and
model is not part of any time. study_metrics.py does the same for all metrics of the study together.

Usage: python benchmarks/metrics.py [--dci_points=2000]
"""

from collections.abc import Callable
import os
import time
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from absl import app
from absl import flags
import gin
import numpy as np
import per_draw_metrics as per_draw
from sklearn import ensemble
from sklearn import exceptions
import tensorflow as tf

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.evaluation import representation
from dl_condind.evaluation.information import discrete_information
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.metrics import beta_vae
from dl_condind.evaluation.metrics import dci
from dl_condind.evaluation.metrics import factor_vae
from dl_condind.evaluation.metrics import irs
from dl_condind.evaluation.metrics import mig
from dl_condind.evaluation.metrics import modularity_explicitness
from dl_condind.evaluation.metrics import sap_score
from dl_condind.evaluation.metrics import unsupervised_metrics
from dl_condind.evaluation.probes import predictors
from dl_condind.networks import architectures

NUM_TRAIN, NUM_TEST = 10_000, 5_000
BETA_VAE, FACTOR_VAE, BOTH = "beta_vae_sklearn", "factor_vae_score", "both of one representation"
CONFIG = f"""
encoder.num_latent = 10
encoder.encoder_fn = @conv_encoder
prune_dims.threshold = {per_draw.THRESHOLD}
"""

_ROUNDS = flags.DEFINE_integer("rounds", 3, "How often each metric is timed.", lower_bound=1)
_ONLY = flags.DEFINE_string("only", "", "Time those whose name has this in it, of single metrics.")
_DCI_POINTS = flags.DEFINE_integer("dci_points", 2_000, "Points that DCI is fitted to.")

Pair = tuple[Callable[[], per_draw.Results], Callable[[], per_draw.Results]]


class Table(ground_truth_data.TableData):
  """Images that hold their factors in noise, with the factors of SmallNORB."""

  def __init__(self):
    super().__init__(
      name="table",
      factor_names=["category", "instance", "elevation", "azimuth", "lighting"],
      factor_sizes=[5, 10, 9, 18, 6],
      latent_factor_indices=[0, 2, 3, 4],
      observation_shape=(64, 64, 1),
      packed=False,
    )

  def read_table(self, folder):
    """Returns random images whose first rows of pixels grow with one factor each."""
    del folder
    sizes = self._state_space.factor_sizes
    images = np.random.RandomState(0).randint(128, size=(self.num_rows, 64, 64, 1), dtype=np.uint8)
    factors = np.indices(sizes).reshape(len(sizes), -1)
    for row, (size, factor) in enumerate(zip(sizes, factors, strict=True)):
      images[:, row] += (factor * 127 // size).astype(np.uint8)[:, None, None]
    return images, {"source": "synthetic", "sha256": "none"}


def make_encode() -> Callable[[np.ndarray], np.ndarray]:
  """Returns the mean of an untrained convolutional encoder, scaled to about unit variance."""
  encoder = architectures.conv_encoder((64, 64, 1), num_latent=10, seed=0)
  encode = tf.function(
    lambda images: 100 * encoder(images)[0], [tf.TensorSpec([None, 64, 64, 1], tf.float32)]
  )
  return lambda images: encode(tf.constant(images)).numpy()


def random_state() -> np.random.RandomState:
  """Returns the state that all draws of a metric come from."""
  return np.random.RandomState(0)


def drawn_pairs(data, encode) -> dict[str, Pair]:
  """Returns our function and the other one for metrics that set factors."""
  sizes = {
    "batch_size": per_draw.BATCH_SIZE,
    "num_train": NUM_TRAIN,
    "num_eval": NUM_TRAIN // 2,
  }

  def accuracies(compute, shared, **options):
    found = compute(data, shared, random_state(), **sizes, **options)
    return found["train_accuracy"], found["eval_accuracy"]

  def ours_beta(shared):
    return accuracies(beta_vae.compute_beta_vae_sklearn, shared)

  def ours_factor(shared):
    variances = {"num_variance_estimate": per_draw.NUM_VARIANCE_ESTIMATE}
    return accuracies(factor_vae.compute_factor_vae, shared, **variances)

  def ours_both(shared):
    return (*ours_beta(shared), *ours_factor(shared))

  def their_beta():
    return per_draw.beta_vae(data, encode, random_state(), NUM_TRAIN)

  def their_factor():
    return per_draw.factor_vae(data, encode, random_state(), NUM_TRAIN)

  return {
    name: (lambda ours=ours: ours(representation.Representation(encode)), theirs)
    for name, ours, theirs in (
      (BETA_VAE, ours_beta, their_beta),
      (FACTOR_VAE, ours_factor, their_factor),
      (BOTH, ours_both, lambda: (*their_beta(), *their_factor())),
    )
  }


def array_pairs(split: per_draw.Split, dci_points: int) -> dict[str, Pair]:
  """Returns our function and the other one for metrics of arrays, each giving the same numbers."""
  x, y = split[:2]
  few = (x[:dci_points], y[:dci_points], *split[2:])

  def dependence():
    found = unsupervised_metrics.latent_dependence(x, discretization.histogram_discretizer(x, 20))
    names = ("gaussian_total_correlation", "gaussian_wasserstein_correlation", "mutual_info_score")
    return tuple(found[name] for name in names)

  def modularity():
    information = discrete_information.discrete_mutual_info(
      discretization.histogram_discretizer(x, 20), y
    )
    return (np.mean(modularity_explicitness.modularity_per_code(information)),)

  def explicitness():
    found = modularity_explicitness.modularity_explicitness_scores(*split)
    return found["explicitness_score_train"], found["explicitness_score_test"]

  def scores(predictor_fn):
    found = dci.dci_scores(*few, predictor_fn=predictor_fn)
    return found["informativeness_train"], found["informativeness_test"]

  boosting = predictors.gradient_boosting_classifier
  # scikit-learn's own, as ours grows its trees another way.
  their_dci = lambda: per_draw.informativeness(ensemble.GradientBoostingClassifier, 0, few)  # noqa: E731
  three = (
    lambda: (mig.mutual_information_gap(x, y)["discrete_mig"], *dependence(), *modularity()),
    lambda: (*per_draw.mig(x, y), *per_draw.unsupervised(x), *per_draw.modularity(x, y)),
  )
  return {
    "mig, unsupervised and modularity": three,
    "explicitness": (explicitness, lambda: per_draw.explicitness(*split)),
    "irs": (
      lambda: (irs.robustness_scores(x, discretization.histogram_discretizer(y, 20))["IRS"],),
      lambda: per_draw.irs(x, discretization.histogram_discretizer(y, 20)),
    ),
    "sap_score": (
      lambda: (sap_score.sap_scores(*split)["SAP_score"],),
      lambda: per_draw.sap(*split),
    ),
    f"dci, {dci_points} points": (lambda: scores(boosting), their_dci),
    f"dci, {dci_points} points, extremely randomized trees": (
      lambda: scores(predictors.extra_trees_classifier),
      their_dci,
    ),
  }


def seconds_of(function: Callable) -> tuple[float, per_draw.Results]:
  """Returns the time of a call and what it returns."""
  start = time.perf_counter()
  values = function()
  return time.perf_counter() - start, values


def compare_metrics() -> None:
  """Times each metric, ours and the other way in turn, and prints a table of the shortest times."""
  data, encode = Table(), make_encode()
  data.load()
  x, y = representation.generate_batch_factor_code(
    data, encode, NUM_TRAIN + NUM_TEST, random_state(), 16
  )
  split = x[:NUM_TRAIN], y[:NUM_TRAIN], x[NUM_TRAIN:], y[NUM_TRAIN:]
  print("| metric | ours, s | the other way, s | ratio | largest difference of values |")
  print("| --- | ---: | ---: | ---: | ---: |")
  pairs = drawn_pairs(data, encode) | array_pairs(split, _DCI_POINTS.value)
  for name, pair in pairs.items():
    if _ONLY.value not in name:
      continue
    rounds = 1 if name in (BETA_VAE, FACTOR_VAE, BOTH) else _ROUNDS.value
    runs = [[seconds_of(function) for function in pair] for _ in range(rounds)]
    ours, theirs = (min(run[i][0] for run in runs) for i in (0, 1))
    difference = np.max(np.abs(np.subtract(*(values for _, values in runs[0]))))
    print(
      f"| {name} | {ours:.3g} | {theirs:.3g} | {theirs / ours:.3g} | {difference:.1e} |",
      flush=True,
    )


def main(argv: list[str]) -> None:
  """Prints a table."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
  gin.parse_config(CONFIG)
  compare_metrics()


if __name__ == "__main__":
  app.run(main)
