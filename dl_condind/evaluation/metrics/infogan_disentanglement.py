"""What the codes of an InfoGAN do to the digits it draws.

Yang et al. (2020, section 5.2) compare pictures: with a factorized posterior one continuous code
turns the digit and the other changes its width, with a correlated one neither does anything that
has a name, and digits change along the way. This module puts numbers on each of these, beside what
codes that have nothing to do with the images would get (`null`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from dl_condind.data.ground_truth import ground_truth_data as ground_truth
from dl_condind.evaluation import checks
from dl_condind.evaluation import metric
from dl_condind.evaluation.infogan import code_effects
from dl_condind.evaluation.infogan import coded_generator
from dl_condind.evaluation.infogan import digit_attributes
from dl_condind.utils import errors
from dl_condind.utils import priors

NUM_DIGITS = 10
MIN_COVERED = 8  # digits; with fewer the generator counts as collapsed

_METRIC = "infogan_disentanglement"


@metric.metric(_METRIC)
def compute_infogan_disentanglement(
  ground_truth_data: ground_truth.GroundTruthData,
  representation_function: coded_generator.CodedGenerator,
  random_state: np.random.RandomState,
  num_points: int = 5000,
  num_traversals: int = 500,
  num_values: int = 9,
  interval: float | None = None,
  sure_probability: float = 0.9,
  covered_share: float = 0.01,
) -> dict[str, Any]:
  """Returns what each code does to generated digits, and how well it is recovered from them.

  Args:
    ground_truth_data: The data set of the digits, MNIST.
    representation_function: InfoGAN with a classifier.
    random_state: State that codes and nulls come from.
    num_points: Number of images of codes drawn from their priors.
    num_traversals: Number of traversals of each continuous code.
    num_values: Number of values in a traversal.
    interval: A traversal goes from -interval to interval. None is 2 as in Figure 3, but 1 for a
      uniform prior: beyond it the generator was not trained.
    sure_probability: Probability of the most probable digit from which on the classifier is sure.
    covered_share: Share of the images from which on a digit is covered.

  Returns:
    The results of `image_results`, `attribute_results`, `recovery_results` and
    `traversal_results`, and what the record of the classifier says.

  Raises:
    ConfigError: If a setting is out of range, the model is not an InfoGAN of MNIST, one of its
      numbers is not finite, or the classifier is not accurate enough.
  """
  generator = _check_model(ground_truth_data, representation_function)
  if interval is None:
    interval = priors.traversal_limit(generator.continuous_prior)
  _check_settings(num_points, num_traversals, num_values, interval, sure_probability, covered_share)
  codes = coded_generator.draw_codes(generator, num_points, random_state)
  images = generator.generate(codes)
  checks.check_finite("The generated images", images)
  classifier = generator.load_classifier()
  probabilities = classifier.probabilities(images)
  digits = np.argmax(probabilities, axis=1)
  starts = coded_generator.draw_codes(generator, num_traversals, random_state)
  values = np.linspace(-interval, interval, num_values)
  paths = []
  for code in range(generator.num_continuous):
    moved = generator.generate(coded_generator.traverse(starts, code, values))
    digits_along = np.argmax(classifier.probabilities(moved), axis=1)
    paths.append(digits_along.reshape(num_traversals, num_values))
  return {
    **image_results(probabilities, sure_probability, covered_share),
    **attribute_results(codes, images, digits, random_state),
    **recovery_results(codes, generator.recognize(images), digits, random_state),
    **traversal_results(paths, random_state),
    **classifier.results,
  }


def image_results(
  probabilities: np.ndarray, sure_probability: float, covered_share: float
) -> dict[str, Any]:
  """Returns what the classifier sees in generated images.

  Args:
    probabilities: Probabilities of the digits, `[num_images, 10]`.
    sure_probability: Where the classifier is sure.
    covered_share: Where a digit is covered.

  Returns:
    `sure_share`, the share of images with a most probable digit of at least sure_probability;
    `digit_share.{d}`, the share of images predicted to be d; `num_covered_digits`, how many of
    these are at least covered_share; `collapsed`, whether that is fewer than `MIN_COVERED`.
  """
  digits = np.argmax(probabilities, axis=1)
  shares = np.bincount(digits, minlength=NUM_DIGITS) / len(digits)
  num_covered = int(np.count_nonzero(shares >= covered_share))
  return {
    "sure_share": float(np.mean(probabilities.max(axis=1) >= sure_probability)),
    "num_covered_digits": num_covered,
    "collapsed": num_covered < MIN_COVERED,
    **{f"digit_share.{digit}": float(share) for digit, share in enumerate(shares)},
  }


def attribute_results(
  codes: coded_generator.Codes,
  images: np.ndarray,
  digits: np.ndarray,
  random_state: np.random.RandomState,
) -> dict[str, Any]:
  """Returns which share of the images' attributes each continuous code explains.

  Attributes are those of `digit_attributes.measure`, of the images that are not blank.
  `conditional` is within each category or, of a model without a categorical code, within each
  predicted digit, averaged over these; otherwise all images are taken together. `monotone` is of
  ranks.

  Args:
    codes: Of the images.
    images: `[num_images, height, width, 1]`.
    digits: Predicted digits, `[num_images]`.
    random_state: State of the nulls.

  Returns:
    For each `{kind}` of `r2`, `monotone_r2`, `conditional_r2` and `conditional_monotone_r2`:
    `{kind}.{attribute}.code_{j}`; `{kind}_gap.{attribute}`, the best code's less the second best's,
    and `{kind}_mean_gap`, the mean of these; `{kind}_assigned_attribute.code_{j}`, a different one
    for each code, and `{kind}_assigned`, the mean share that codes explain of theirs. Each number
    also with `_null` in its first part, of codes shuffled among the images. And `num_blank`.
    None where an attribute or a code does not vary, or fewer than two codes leave no gap.
  """
  blank = digit_attributes.is_blank(images)
  attributes = digit_attributes.measure(images[~blank])
  continuous = codes.continuous[~blank].astype(np.float64)
  groups = (digits if codes.categories is None else codes.categories)[~blank]
  shuffled = continuous[random_state.permutation(len(continuous))]
  found: dict[str, float | str | None] = {"num_blank": int(np.count_nonzero(blank))}
  for conditional in (False, True):
    for monotone in (False, True):
      kind = f"{'conditional_' * conditional}{'monotone_' * monotone}r2"
      within = groups if conditional else None
      shares = code_effects.explained_shares(continuous, attributes, within, monotone)
      null = code_effects.explained_shares(shuffled, attributes, within, monotone)
      found |= {**_share_results(kind, "", shares), **_share_results(kind, "_null", null)}
      for code, attribute in enumerate(code_effects.assign(shares)):
        known = attribute >= 0 and np.isfinite(shares[attribute, code])
        name = digit_attributes.NAMES[attribute] if known else None
        found[f"{kind}_assigned_attribute.code_{code}"] = name
  return found


def _share_results(kind: str, suffix: str, shares: np.ndarray) -> dict[str, float | None]:
  """Returns the numbers of `[num_attributes, num_codes]` under their names."""
  gaps = code_effects.gaps(shares)
  assigned = [
    shares[attribute, code] if attribute >= 0 else 0.0
    for code, attribute in enumerate(code_effects.assign(shares))
  ]
  found = {
    f"{kind}_mean_gap{suffix}": code_effects.mean_of_defined(gaps),
    f"{kind}_assigned{suffix}": code_effects.mean_of_defined(np.array(assigned)),
  }
  for attribute, gap, row in zip(digit_attributes.NAMES, gaps, shares, strict=True):
    found[f"{kind}_gap{suffix}.{attribute}"] = gap
    found |= {f"{kind}{suffix}.{attribute}.code_{code}": share for code, share in enumerate(row)}
  return {key: code_effects.plain(value) for key, value in found.items()}


def recovery_results(
  codes: coded_generator.Codes,
  recognized: dict[str, np.ndarray],
  digits: np.ndarray,
  random_state: np.random.RandomState,
) -> dict[str, Any]:
  """Returns how well the recognition network recovers the codes, and how its errors depend.

  The error of a code is `(mean - code) / stddev`, in units of what the network reports.

  Args:
    codes: Of the images.
    recognized: What the recognition network says of them.
    digits: Predicted digits, `[num_images]`.
    random_state: State of the nulls.

  Returns:
    `recovery_r2.code_{j}`, the squared correlation of a code and its recovered mean;
    `error_correlation`, the correlation of the errors of two codes, averaged over pairs;
    `reported_correlation`, that of the network's posterior, averaged over images too. Of a
    categorical code, `category_accuracy`, of the network's most probable category, and
    `category_digit_accuracy`, the share of images whose category is matched with the predicted
    digit, matched one to one. Each but the reported one also with `_null`, of shuffled codes.

  Raises:
    ConfigError: If a number is not finite or a standard deviation is 0.
  """
  mean, logvar, scale_tril = (
    recognized[name].astype(np.float64) for name in ("mean", "logvar", "scale_tril")
  )
  for name, values in (("mean", mean), ("logvar", logvar), ("scale_tril", scale_tril)):
    checks.check_finite(f"The recognition network's {name}", values)
  order = random_state.permutation(len(mean))
  continuous, stddev = codes.continuous.astype(np.float64), np.exp(0.5 * logvar)
  if not stddev.all():
    raise errors.ConfigError(
      "The recognition network reports a standard deviation of 0: the model has diverged; train it "
      "again or choose another run."
    )
  scaled = (mean - continuous) / stddev
  unrelated = np.stack([random_state.permutation(column) for column in scaled.T], axis=1)
  shares, null = (
    np.diagonal(code_effects.explained_shares(values, mean))
    for values in (continuous, continuous[order])
  )
  found = {
    "error_correlation": code_effects.mean_correlation(scaled),
    "error_correlation_null": code_effects.mean_correlation(unrelated),
    "reported_correlation": code_effects.mean_reported_correlation(scale_tril),
    **{f"recovery_r2.code_{code}": share for code, share in enumerate(shares)},
    **{f"recovery_r2_null.code_{code}": share for code, share in enumerate(null)},
  }
  if codes.categories is not None:
    read = np.argmax(recognized["categorical_logits"], axis=1)
    for suffix, categories in (("", codes.categories), ("_null", codes.categories[order])):
      found[f"category_accuracy{suffix}"] = np.mean(read == categories)
      found[f"category_digit_accuracy{suffix}"] = code_effects.matched_accuracy(categories, digits)
  return {key: code_effects.plain(value) for key, value in found.items()}


def traversal_results(
  paths: list[np.ndarray], random_state: np.random.RandomState
) -> dict[str, float]:
  """Returns how often the digit changes while one continuous code moves and all else stays.

  Args:
    paths: For each code, predicted digits `[num_traversals, num_values]`.
    random_state: State of the null.

  Returns:
    `digit_change_rate`, the share of traversals along which the digit changes, averaged over codes,
    and that of each, `digit_change_rate.code_{j}`; `digit_changes.code_{j}`, the mean number of
    changes along a traversal. Each also with `_null`, of images shuffled among the traversals: what
    there would be if nothing stayed but the value of the code.
  """
  found: dict[str, float] = {}
  rates: dict[str, list[float]] = {"": [], "_null": []}
  for code, digits in enumerate(paths):
    shuffled = np.stack([random_state.permutation(column) for column in digits.T], axis=1)
    for suffix, path in (("", digits), ("_null", shuffled)):
      rate, changes = code_effects.change_rates(path)
      rates[suffix].append(rate)
      found[f"digit_change_rate{suffix}.code_{code}"] = rate
      found[f"digit_changes{suffix}.code_{code}"] = changes
  means = {
    f"digit_change_rate{suffix}": float(np.mean(of_codes)) for suffix, of_codes in rates.items()
  }
  return {**means, **found}


def _check_settings(
  num_points, num_traversals, num_values, interval, sure_probability, covered_share
) -> None:
  checks.check_count(f"{_METRIC}.num_points", num_points, 100)
  checks.check_count(f"{_METRIC}.num_traversals", num_traversals, 1)
  checks.check_count(f"{_METRIC}.num_values", num_values, 2)
  for name, value, highest in (
    ("interval", interval, 100),
    ("sure_probability", sure_probability, 1),
    ("covered_share", covered_share, 1),
  ):
    if not 0 < value <= highest:
      raise errors.ConfigError(f"{_METRIC}.{name} must be in (0, {highest}], got {value!r}.")


def _check_model(
  data: ground_truth.GroundTruthData, generator: Callable
) -> coded_generator.CodedGenerator:
  if not isinstance(generator, coded_generator.CodedGenerator):
    raise errors.ConfigError(
      f"{_METRIC} evaluates the codes of an InfoGAN, and this is a representation of something "
      "else: give it the folder of a trained InfoGAN, or leave this metric out."
    )
  if data.name != "mnist":
    raise errors.ConfigError(
      f"{_METRIC} reads digits, so it needs an InfoGAN trained on mnist, got {data.name}."
    )
  return generator
