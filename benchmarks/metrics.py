"""Compares the time of metrics with that of the same ones computed the way of disentanglement_lib.

Both compute the settings of the unsupervised study on a synthetic table of the size of SmallNORB.
The other way is written anew here after its algorithms: every observation drawn is encoded when it
is drawn, and every latent, factor and value is looked at by itself. The encoder is one matrix
product. A convolutional one takes longer, which favours encoding each image once even more.

Usage: python benchmarks/metrics.py --threads=1
"""

from collections.abc import Callable
import time
import warnings

from absl import app
from absl import flags
import gin
import numpy as np
from sklearn import exceptions
from sklearn import linear_model
from sklearn import metrics
from sklearn import preprocessing
import threadpoolctl

from dl_condind.data.ground_truth import ground_truth_data
from dl_condind.evaluation import representation
from dl_condind.evaluation.metrics import beta_vae
from dl_condind.evaluation.metrics import factor_vae
from dl_condind.evaluation.metrics import irs
from dl_condind.evaluation.metrics import modularity_explicitness
from dl_condind.evaluation.metrics import utils

NUM_LATENT = 10
BATCH_SIZE = 64
NUM_VARIANCE_ESTIMATE = 10_000
THRESHOLD = 0.05

_NUM_TRAIN = flags.DEFINE_integer("num_train", 10_000, "Points to fit; half as many to test on.")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "How often each metric is timed.")
_THREADS = flags.DEFINE_integer("threads", 1, "Threads of matrix products, of both.")

Results = tuple[float, ...]


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
    for row, (size, factor) in enumerate(
      zip(sizes, np.indices(sizes).reshape(len(sizes), -1), strict=True)
    ):
      images[:, row] += (factor * 127 // size).astype(np.uint8)[:, None, None]
    return images, {"source": "synthetic", "sha256": "none"}


def make_encoder() -> Callable[[np.ndarray], np.ndarray]:
  """Returns a linear encoder in which each factor is most of one latent."""
  weights = np.random.RandomState(1).standard_normal((4096, NUM_LATENT)) / 100
  for row in range(5):
    weights[64 * row : 64 * (row + 1), row] += 0.2
  weights = weights.astype(np.float32)
  return lambda observations: observations.reshape(len(observations), -1) @ weights


def their_beta_vae(data, encode, random_state, num_train: int) -> Results:
  """Encodes two batches for each point."""

  def points(num):
    features, labels = np.zeros((num, NUM_LATENT)), np.zeros(num, np.int64)
    for i in range(num):
      labels[i] = random_state.randint(data.num_factors)
      first = data.sample_factors(BATCH_SIZE, random_state)
      second = data.sample_factors(BATCH_SIZE, random_state)
      second[:, labels[i]] = first[:, labels[i]]
      first = encode(data.sample_observations_from_factors(first, random_state))
      second = encode(data.sample_observations_from_factors(second, random_state))
      features[i] = np.mean(np.abs(first - second), axis=0)
    return features, labels

  train = points(num_train)
  model = linear_model.LogisticRegression(random_state=random_state).fit(*train)
  return model.score(*train), model.score(*points(num_train // 2))


def their_factor_vae(data, encode, random_state, num_train: int) -> Results:
  """Encodes one batch for each vote."""
  observations = data.sample_observations(NUM_VARIANCE_ESTIMATE, random_state)
  batches = [observations[i : i + 64] for i in range(0, len(observations), 64)]
  variance = np.var(np.concatenate([encode(batch) for batch in batches]), axis=0, ddof=1)
  active = np.sqrt(variance) >= THRESHOLD

  def votes(num):
    table = np.zeros((data.num_factors, NUM_LATENT), np.int64)
    for _ in range(num):
      fixed = random_state.randint(data.num_factors)
      factors = data.sample_factors(BATCH_SIZE, random_state)
      factors[:, fixed] = factors[0, fixed]
      codes = encode(data.sample_observations_from_factors(factors, random_state))
      local = np.var(codes, axis=0, ddof=1)
      table[fixed, np.argmin(local[active] / variance[active])] += 1
    return table

  train, evaluation = votes(num_train), votes(num_train // 2)
  best = np.argmax(train, axis=0), np.arange(NUM_LATENT)
  return np.sum(train[best]) / np.sum(train), np.sum(evaluation[best]) / np.sum(evaluation)


def their_irs(x: np.ndarray, y: np.ndarray) -> Results:
  """Looks at every latent, factor and value by itself."""
  largest = np.array([np.max(np.abs(z - np.mean(z))) for z in x.T])
  matrix = np.zeros((x.shape[1], y.shape[1]))
  for j, k in np.ndindex(*matrix.shape):
    values = np.unique(y[:, k])
    for value in values:
      z = x[y[:, k] == value, j]
      matrix[j, k] += np.percentile(np.abs(z - np.mean(z)), 99) / len(values)
  return (np.average((1 - matrix / largest[:, None]).max(axis=1), weights=largest),)


def their_modularity(x_train, y_train, x_test, y_test) -> Results:
  """Counts labels with scikit-learn and draws a ROC curve for each value."""
  labels = np.stack([np.digitize(z, np.histogram(z, 20)[1][:-1]) for z in x_train.T], axis=1)
  squared = np.square(
    [[metrics.mutual_info_score(y, label) for y in y_train.T] for label in labels.T]
  )
  largest = squared.max(axis=1)
  others = squared.sum(axis=1) - largest
  areas = []
  mean, stddev = x_train.mean(axis=0), x_train.std(axis=0)
  x_train, x_test = (x_train - mean) / stddev, (x_test - mean) / stddev
  for k in range(y_train.shape[1]):
    model = linear_model.LogisticRegression().fit(x_train, y_train[:, k])
    binarize = preprocessing.LabelBinarizer().fit(y_train[:, k]).transform
    areas.append(
      [
        metrics.roc_auc_score(binarize(y[:, k]), model.predict_proba(x), average="macro")
        for x, y in ((x_train, y_train), (x_test, y_test))
      ]
    )
  modularity = np.mean(1 - others / (largest * (y_train.shape[1] - 1)))
  return (modularity, *np.mean(areas, axis=0))


def make_pairs(data, encode, num_train: int) -> dict[str, tuple[Callable, Callable]]:
  """Returns for each metric our function and the other one, each giving the same numbers."""
  num_eval = num_train // 2
  x, y = representation.generate_batch_factor_code(
    data, encode, num_train + num_eval, np.random.RandomState(0), 16
  )
  split = x[:num_train], y[:num_train], x[num_train:], y[num_train:]
  bins = utils.histogram_discretizer(split[1], 20)
  sizes = {"batch_size": BATCH_SIZE, "num_train": num_train, "num_eval": num_eval}

  def accuracies(compute, **options):
    found = compute(data, encode, np.random.RandomState(0), **sizes, **options)
    return found["train_accuracy"], found["eval_accuracy"]

  def modularity():
    found = modularity_explicitness.modularity_explicitness_scores(*split)
    names = ("modularity_score", "explicitness_score_train", "explicitness_score_test")
    return tuple(found[name] for name in names)

  return {
    "beta_vae_sklearn": (
      lambda: accuracies(beta_vae.compute_beta_vae_sklearn),
      lambda: their_beta_vae(data, encode, np.random.RandomState(0), num_train),
    ),
    "factor_vae_score": (
      lambda: accuracies(
        factor_vae.compute_factor_vae, num_variance_estimate=NUM_VARIANCE_ESTIMATE
      ),
      lambda: their_factor_vae(data, encode, np.random.RandomState(0), num_train),
    ),
    "irs": (
      lambda: (irs.robustness_scores(split[0], bins)["IRS"],),
      lambda: their_irs(split[0], bins),
    ),
    "modularity_explicitness": (modularity, lambda: their_modularity(*split)),
  }


def main(argv: list[str]) -> None:
  """Times each metric, ours and the other way in turn, and prints a table of the shortest times."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
  gin.parse_config(f"prune_dims.threshold = {THRESHOLD}")
  data = Table()
  data.load()
  print("| metric | ours, s | the other way, s | ratio | largest difference of values |")
  print("| --- | --- | --- | --- | --- |")
  with threadpoolctl.threadpool_limits(_THREADS.value):
    for name, pair in make_pairs(data, make_encoder(), _NUM_TRAIN.value).items():
      seconds, values = [np.inf, np.inf], [(), ()]
      for i in [0, 1] * _ROUNDS.value:
        start = time.perf_counter()
        values[i] = pair[i]()
        seconds[i] = min(seconds[i], time.perf_counter() - start)
      difference = np.max(np.abs(np.subtract(*values)))
      ratio = seconds[1] / seconds[0]
      print(f"| {name} | {seconds[0]:.3g} | {seconds[1]:.3g} | {ratio:.3g} | {difference:.1e} |")


if __name__ == "__main__":
  app.run(main)
