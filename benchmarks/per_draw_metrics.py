"""Metrics computed the way of disentanglement_lib, written anew here after its algorithms.

Every observation drawn is encoded when it is drawn, and every latent, factor and value is looked at
by itself, one after another. Every function returns the metric's main numbers.
"""

from collections.abc import Callable

import numpy as np
from scipy import linalg
from sklearn import linear_model
from sklearn import metrics
from sklearn import preprocessing
from sklearn import svm

BATCH_SIZE = 64
NUM_VARIANCE_ESTIMATE = 10_000
THRESHOLD = 0.05

Results = tuple[float, ...]
Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def beta_vae(data, encode, random_state, num_train: int) -> Results:
  """Encodes two batches for each point."""

  def points(num):
    features, labels = [], np.zeros(num, np.int64)
    for i in range(num):
      labels[i] = random_state.randint(data.num_factors)
      first = data.sample_factors(BATCH_SIZE, random_state)
      second = data.sample_factors(BATCH_SIZE, random_state)
      second[:, labels[i]] = first[:, labels[i]]
      first = encode(data.sample_observations_from_factors(first, random_state))
      second = encode(data.sample_observations_from_factors(second, random_state))
      features.append(np.mean(np.abs(first - second), axis=0))
    return np.array(features), labels

  train = points(num_train)
  model = linear_model.LogisticRegression(random_state=random_state).fit(*train)
  return model.score(*train), model.score(*points(num_train // 2))


def factor_vae(data, encode, random_state, num_train: int) -> Results:
  """Encodes one batch for each vote."""
  observations = data.sample_observations(NUM_VARIANCE_ESTIMATE, random_state)
  batches = [observations[i : i + 64] for i in range(0, len(observations), 64)]
  variance = np.var(np.concatenate([encode(batch) for batch in batches]), axis=0, ddof=1)
  active = np.sqrt(variance) >= THRESHOLD

  def votes(num):
    table = np.zeros((data.num_factors, len(variance)), np.int64)
    for _ in range(num):
      fixed = random_state.randint(data.num_factors)
      factors = data.sample_factors(BATCH_SIZE, random_state)
      factors[:, fixed] = factors[0, fixed]
      codes = encode(data.sample_observations_from_factors(factors, random_state))
      if active.any():
        local = np.var(codes, axis=0, ddof=1)
        table[fixed, np.argmin(local[active] / variance[active])] += 1
    return table

  train, evaluation = votes(num_train), votes(num_train // 2)
  best = np.argmax(train, axis=0), np.arange(len(variance))
  return (
    np.sum(train[best]) / max(1, np.sum(train)),
    np.sum(evaluation[best]) / max(1, np.sum(evaluation)),
  )


def sample_codes(data, encode, random_state, num_points: int) -> tuple[np.ndarray, np.ndarray]:
  """Draws and encodes 16 observations at a time."""
  codes, factors = [], []
  for start in range(0, num_points, 16):
    found, observations = data.sample(min(16, num_points - start), random_state)
    factors.append(found)
    codes.append(encode(observations))
  return np.concatenate(codes), np.concatenate(factors)


def discretize(x: np.ndarray, num_bins: int = 20) -> np.ndarray:
  """Cuts one latent after another in bins."""
  return np.stack([np.digitize(z, np.histogram(z, num_bins)[1][:-1]) for z in x.T], axis=1)


def information(labels: np.ndarray, y: np.ndarray) -> np.ndarray:
  """Counts the labels of one latent and one factor after another."""
  return np.array([[metrics.mutual_info_score(k, z) for k in y.T] for z in labels.T])


def mig(x: np.ndarray, y: np.ndarray) -> Results:
  """Takes the information of all pairs, and the entropies."""
  found = np.sort(information(discretize(x), y), axis=0)
  entropy = [metrics.mutual_info_score(k, k) for k in y.T]
  return (np.mean((found[-1] - found[-2]) / entropy),)


def unsupervised(x: np.ndarray) -> Results:
  """Takes the information of all pairs of latents, and a matrix square root."""
  covariance = np.cov(x.T)
  diagonal = np.diag(np.diag(covariance))
  total_correlation = 0.5 * (np.sum(np.log(np.diag(covariance))) - np.linalg.slogdet(covariance)[1])
  root = linalg.sqrtm(diagonal @ covariance)
  wasserstein = 2 * np.trace(covariance) - 2 * np.trace(root)
  labels = discretize(x)
  found = information(labels, labels)
  pairs = ~np.eye(len(found), dtype=bool)
  return total_correlation, float(np.real(wasserstein)), np.mean(found[pairs])


def modularity(x: np.ndarray, y: np.ndarray) -> Results:
  """Takes the information of all pairs."""
  squared = np.square(information(discretize(x), y))
  largest = squared.max(axis=1)
  return (np.mean(1 - (squared.sum(axis=1) - largest) / (largest * (y.shape[1] - 1))),)


def explicitness(x_train, y_train, x_test, y_test) -> Results:
  """Fits a logistic regression to each factor and draws a ROC curve for each value."""
  mean, stddev = x_train.mean(axis=0), x_train.std(axis=0)
  x_train, x_test = (x_train - mean) / stddev, (x_test - mean) / stddev
  areas = []
  for k in range(y_train.shape[1]):
    model = linear_model.LogisticRegression().fit(x_train, y_train[:, k])
    binarize = preprocessing.LabelBinarizer().fit(y_train[:, k]).transform
    areas.append(
      [
        metrics.roc_auc_score(binarize(y[:, k]), model.predict_proba(x), average="macro")
        for x, y in ((x_train, y_train), (x_test, y_test))
      ]
    )
  return tuple(np.mean(areas, axis=0))


def irs(x: np.ndarray, y: np.ndarray) -> Results:
  """Looks at every latent, factor and value by itself."""
  largest = np.array([np.max(np.abs(z - np.mean(z))) for z in x.T])
  matrix = np.zeros((x.shape[1], y.shape[1]))
  for j, k in np.ndindex(*matrix.shape):
    values = np.unique(y[:, k])
    for value in values:
      z = x[y[:, k] == value, j]
      matrix[j, k] += np.percentile(np.abs(z - np.mean(z)), 99) / len(values)
  return (np.average((1 - matrix / largest[:, None]).max(axis=1), weights=largest),)


def sap(x_train, y_train, x_test, y_test) -> Results:
  """Fits a linear support vector machine to one latent and factor after another."""
  scores = np.zeros((x_train.shape[1], y_train.shape[1]))
  for j, k in np.ndindex(*scores.shape):
    model = svm.LinearSVC(C=0.01, class_weight="balanced", random_state=0)
    model.fit(x_train[:, [j]], y_train[:, k])
    scores[j, k] = np.mean(model.predict(x_test[:, [j]]) == y_test[:, k])
  scores = np.sort(scores, axis=0)
  return (np.mean(scores[-1] - scores[-2]),)


def informativeness(make_predictor: Callable, seed: int, split: Split) -> Results:
  """Fits a classifier to one factor after another: DCI's, and the downstream tasks'."""
  x_train, y_train, x_test, y_test = split
  accuracies = []
  for k in range(y_train.shape[1]):
    model = make_predictor()
    if "random_state" in model.get_params():
      model.set_params(random_state=seed)
    model.fit(x_train, y_train[:, k])
    accuracies.append([model.score(x_train, y_train[:, k]), model.score(x_test, y_test[:, k])])
  return tuple(np.mean(accuracies, axis=0))
