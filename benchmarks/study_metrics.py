"""Times the nine metrics of the unsupervised study on rendered dSprites, here and the other way.

The other way is in per_draw_metrics.py. Metrics here share what they encode, in this order. Loading
data and model is not part of any time.

Usage: python benchmarks/study_metrics.py
"""

from collections.abc import Callable
import warnings

from absl import app
import gin
import metrics
import numpy as np
import per_draw_metrics as per_draw
from sklearn import ensemble
from sklearn import exceptions

from dl_condind.data.ground_truth import dsprites
from dl_condind.evaluation import representation
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.metrics import beta_vae
from dl_condind.evaluation.metrics import dci
from dl_condind.evaluation.metrics import downstream_task
from dl_condind.evaluation.metrics import factor_vae
from dl_condind.evaluation.metrics import mig
from dl_condind.evaluation.metrics import modularity_explicitness
from dl_condind.evaluation.metrics import sap_score
from dl_condind.evaluation.metrics import unsupervised_metrics
from dl_condind.evaluation.probes import predictors

SIZES = (10, 100, 1_000, 10_000)  # of the downstream tasks


def our_study(data, encode) -> dict[str, Callable]:
  """Returns the study's metrics, which share what they encode."""
  shared = representation.Representation(encode)

  def splits(num_train):
    return representation.generate_splits(
      data, shared, num_train, metrics.NUM_TEST, metrics.random_state(), 16
    )

  def downstream(predictor_fn):
    for size in SIZES:
      downstream_task.downstream_scores(*splits(size), predictor_fn=predictor_fn)

  def points():
    return representation.generate_batch_factor_code(
      data, shared, metrics.NUM_TRAIN, metrics.random_state(), 16
    )

  def dependence():
    x, _ = points()
    unsupervised_metrics.latent_dependence(x, discretization.histogram_discretizer(x, 20))

  counts = {
    "batch_size": per_draw.BATCH_SIZE,
    "num_train": metrics.NUM_TRAIN,
    "num_eval": metrics.NUM_TRAIN // 2,
  }
  return {
    "beta_vae_sklearn": lambda: beta_vae.compute_beta_vae_sklearn(
      data, shared, metrics.random_state(), **counts
    ),
    "factor_vae_score": lambda: factor_vae.compute_factor_vae(
      data,
      shared,
      metrics.random_state(),
      num_variance_estimate=per_draw.NUM_VARIANCE_ESTIMATE,
      **counts,
    ),
    "mig": lambda: mig.mutual_information_gap(*points()),
    "unsupervised_metrics": dependence,
    "modularity_explicitness": lambda: modularity_explicitness.modularity_explicitness_scores(
      *splits(metrics.NUM_TRAIN)
    ),
    "sap_score": lambda: sap_score.sap_scores(*splits(metrics.NUM_TRAIN)),
    "dci": lambda: dci.dci_scores(*splits(metrics.NUM_TRAIN)),
    "downstream, logistic": lambda: downstream(predictors.logistic_regression_cv),
    "downstream, boosted": lambda: downstream(predictors.gradient_boosting_classifier),
  }


def their_study(data, encode) -> dict[str, Callable]:
  """Returns the study's metrics, each of which draws and encodes by itself."""

  def splits(num_train):
    state = metrics.random_state()
    train = per_draw.sample_codes(data, encode, state, num_train)
    return *train, *per_draw.sample_codes(data, encode, state, metrics.NUM_TEST)

  def downstream(predictor_fn):
    for size in SIZES:
      per_draw.informativeness(predictor_fn, 0, splits(size))

  def modularity():
    split = splits(metrics.NUM_TRAIN)
    per_draw.modularity(*split[:2])
    per_draw.explicitness(*split)

  def points():
    return per_draw.sample_codes(data, encode, metrics.random_state(), metrics.NUM_TRAIN)

  boosting = ensemble.GradientBoostingClassifier  # Ours grows the same trees another way.
  return {
    "beta_vae_sklearn": lambda: per_draw.beta_vae(
      data, encode, metrics.random_state(), metrics.NUM_TRAIN
    ),
    "factor_vae_score": lambda: per_draw.factor_vae(
      data, encode, metrics.random_state(), metrics.NUM_TRAIN
    ),
    "mig": lambda: per_draw.mig(*points()),
    "unsupervised_metrics": lambda: per_draw.unsupervised(points()[0]),
    "modularity_explicitness": modularity,
    "sap_score": lambda: per_draw.sap(*splits(metrics.NUM_TRAIN)),
    "dci": lambda: per_draw.informativeness(boosting, 0, splits(metrics.NUM_TRAIN)),
    "downstream, logistic": lambda: downstream(predictors.logistic_regression_cv),
    "downstream, boosted": lambda: downstream(boosting),
  }


def main(argv: list[str]) -> None:
  """Times the metrics, ours and the other way in turn, and prints a table."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
  gin.parse_config(metrics.CONFIG)
  data, encode = dsprites.DSprites(), metrics.make_encode()
  data.load()
  encode(data.observations_from_rows(np.arange(64)))
  print("| metric | ours, s | the other way, s | ratio |\n| --- | ---: | ---: | ---: |")
  totals = np.zeros(2)
  theirs = their_study(data, encode)
  for name, ours in our_study(data, encode).items():
    seconds = [metrics.seconds_of(function)[0] for function in (ours, theirs[name])]
    totals += seconds
    print(
      f"| {name} | {seconds[0]:.3g} | {seconds[1]:.3g} | {seconds[1] / seconds[0]:.3g} |",
      flush=True,
    )
  print(f"| all | {totals[0]:.3g} | {totals[1]:.3g} | {totals[1] / totals[0]:.3g} |")


if __name__ == "__main__":
  app.run(main)
