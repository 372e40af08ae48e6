import json

import gin
import numpy as np
import pytest

from dl_condind.evaluation.infogan import coded_generator
from dl_condind.evaluation.infogan import digit_attributes
from dl_condind.evaluation.metrics import infogan_disentanglement
from dl_condind.utils import errors

DEGREES, MIDDLE_WIDTH, PIXELS = 12.0, 9.0, 1.5
KINDS = ("r2", "monotone_r2", "conditional_r2", "conditional_monotone_r2")
FEW = {"num_points": 300, "num_traversals": 20, "num_values": 5}


class Digits:
  """All that the metric asks of a data set."""

  name = "mnist"


class Classifier:
  """A classifier made of a function."""

  def __init__(self, probabilities):
    self.probabilities = probabilities
    self.results = {"classifier_test_accuracy": 0.99}


def strokes(slants, widths, heights):
  """Returns filled parallelograms; each pixel is the part of its row that is covered."""
  slants, widths, heights = (np.reshape(values, (-1, 1, 1)) for values in (slants, widths, heights))
  y, x = np.arange(28)[:, None] - 13.5, np.arange(28)
  middle = 14 - np.tan(np.radians(slants)) * y
  right, left = np.minimum(middle + widths / 2, x + 1), np.maximum(middle - widths / 2, x)
  return (np.clip(right - left, 0, 1) * (np.abs(y) < heights / 2))[..., None]


def make_generator(mixing=((1, 0), (0, 1)), digit_of_slant=False, **changes):
  """Slant is the first code after mixing, width the second; the height tells the category."""

  def generate(codes):
    mixed = codes.continuous.astype(np.float64) @ np.transpose(mixing)
    widths = np.maximum(MIDDLE_WIDTH + PIXELS * mixed[:, 1], 2)
    categories = np.full(len(mixed), 4) if codes.categories is None else codes.categories
    return strokes(DEGREES * mixed[:, 0], widths, 8 + 2 * categories)

  def recognize(images):
    attributes = digit_attributes.measure(images)
    mean = (attributes[:, :2] - [0, 0.96 * MIDDLE_WIDTH]) / [DEGREES, 0.96 * PIXELS]
    found = {
      "mean": mean,
      "logvar": np.full_like(mean, np.log(0.25)),
      "scale_tril": np.broadcast_to(
        0.5 * np.linalg.cholesky([[1, 0.9], [0.9, 1]]), (len(mean), 2, 2)
      ),
      "categorical_logits": np.eye(10)[heights_to_categories(images)],
    }
    return {name: values.astype(np.float32) for name, values in found.items()}

  def classify(images):
    categories = heights_to_categories(images)
    if digit_of_slant:
      categories = (digit_attributes.measure(images)[:, 0] > 0).astype(int)
    return 0.95 * np.eye(10)[(categories + 3) % 10] + 0.005

  values = {
    "num_continuous": 2,
    "num_noise": 1,
    "num_categories": 10,
    "continuous_prior": "normal",
    "generate": generate,
    "recognize": recognize,
    "load_classifier": lambda: Classifier(classify),
  }
  return coded_generator.CodedGenerator(**{**values, **changes})


def heights_to_categories(images):
  return ((images[..., 0].max(axis=2) > 0).sum(axis=1) - 8) // 2


def compute(generator, seed=0, data=None, **settings):
  return infogan_disentanglement.compute_infogan_disentanglement(
    data or Digits(), generator, np.random.RandomState(seed), **settings
  )


@pytest.fixture(scope="module")
def disentangled():
  return compute(make_generator(), num_points=1500, num_traversals=100)


@pytest.mark.parametrize("kind", KINDS)
def test_codes_that_are_the_attributes_explain_all_of_them(disentangled, kind):
  for code, attribute in enumerate(("slant", "width")):
    other = 1 - code
    # Pixels are finite, and a width has a lowest value here.
    assert disentangled[f"{kind}.{attribute}.code_{code}"] > 0.97
    assert disentangled[f"{kind}.{attribute}.code_{other}"] < 0.02
    assert disentangled[f"{kind}_gap.{attribute}"] > 0.95
    assert disentangled[f"{kind}_gap.{attribute}"] == pytest.approx(
      disentangled[f"{kind}.{attribute}.code_{code}"]
      - disentangled[f"{kind}.{attribute}.code_{other}"]
    )
    assert disentangled[f"{kind}_assigned_attribute.code_{code}"] == attribute
  assert disentangled[f"{kind}_assigned"] > 0.97


@pytest.mark.parametrize("kind", KINDS)
def test_nulls_are_what_chance_explains(disentangled, kind):
  for attribute in digit_attributes.NAMES:
    for code in range(2):
      # A squared correlation of n unrelated points is 1 / (n - 1) on average.
      assert disentangled[f"{kind}_null.{attribute}.code_{code}"] < 0.02
    assert disentangled[f"{kind}_gap_null.{attribute}"] < 0.02
  assert disentangled[f"{kind}_mean_gap_null"] < 0.02
  assert disentangled[f"{kind}_assigned_null"] < 0.02


def test_mean_gap_is_that_of_all_attributes(disentangled):
  gaps = [disentangled[f"r2_gap.{name}"] for name in digit_attributes.NAMES]
  assert disentangled["r2_mean_gap"] == pytest.approx(np.mean(gaps))


@pytest.mark.slow
def test_rotated_codes_leave_no_gap():
  half = np.sqrt(0.5)
  found = compute(make_generator(mixing=((half, half), (half, -half))), num_points=1500)
  for attribute in ("slant", "width"):
    for code in range(2):
      # Half the variance is each code's; 3 standard errors of a correlation are 3 / sqrt(1500).
      assert found[f"r2.{attribute}.code_{code}"] == pytest.approx(0.5, abs=0.08)
    assert found[f"r2_gap.{attribute}"] < 0.12


def test_height_follows_the_category_and_is_no_code(disentangled):
  for code in range(2):
    assert disentangled[f"r2.height.code_{code}"] < 0.02


def test_codes_are_recovered(disentangled):
  for code in range(2):
    assert disentangled[f"recovery_r2.code_{code}"] > 0.97
    assert disentangled[f"recovery_r2_null.code_{code}"] < 0.02
  assert disentangled["category_accuracy"] == disentangled["category_digit_accuracy"] == 1
  assert disentangled["category_accuracy_null"] == pytest.approx(0.1, abs=0.03)
  assert disentangled["category_digit_accuracy_null"] == pytest.approx(0.13, abs=0.04)
  assert disentangled["reported_correlation"] == pytest.approx(0.9, abs=1e-6)


def test_errors_are_correlated_as_they_were_drawn():
  random_state = np.random.RandomState(0)
  continuous = random_state.normal(size=(20_000, 2))
  stddev = random_state.uniform(0.1, 3.0, size=(20_000, 2))
  noise = random_state.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], size=20_000)
  codes = coded_generator.Codes(continuous, np.zeros((20_000, 1)), None)
  recognized = {
    "mean": continuous + stddev * noise,
    "logvar": 2 * np.log(stddev),
    "scale_tril": np.broadcast_to(np.eye(2), (20_000, 2, 2)),
  }
  found = infogan_disentanglement.recovery_results(codes, recognized, None, random_state)
  assert found["error_correlation"] == pytest.approx(0.9, abs=0.01)
  assert found["error_correlation_null"] == pytest.approx(0, abs=0.03)
  assert found["reported_correlation"] == 0
  assert "category_accuracy" not in found


def test_digits_that_follow_the_category_do_not_change(disentangled):
  assert disentangled["digit_change_rate"] == disentangled["digit_changes.code_1"] == 0
  # Images of unrelated codes show the same digit 9 times in a row once in 10^8.
  assert disentangled["digit_change_rate_null"] == 1
  assert disentangled["digit_changes_null.code_0"] == pytest.approx(8 * 0.9, abs=0.4)


def test_digits_that_follow_a_code_change_along_it_only():
  found = compute(make_generator(digit_of_slant=True), **FEW)
  assert found["digit_change_rate.code_0"] == 1 and found["digit_changes.code_0"] == 1
  assert found["digit_change_rate.code_1"] == 0
  assert found["digit_change_rate"] == 0.5
  # All traversals change at the same place, so there is nothing to shuffle.
  assert found["digit_change_rate_null.code_0"] == 1 and found["digit_changes_null.code_0"] == 1


def test_coverage_and_collapse(disentangled):
  assert disentangled["num_covered_digits"] == 10 and disentangled["collapsed"] is False
  assert sum(disentangled[f"digit_share.{d}"] for d in range(10)) == pytest.approx(1)
  assert disentangled["sure_share"] == 1
  assert disentangled["num_blank"] == 0
  assert disentangled["classifier_test_accuracy"] == 0.99
  assert compute(make_generator(), sure_probability=0.96, **FEW)["sure_share"] == 0
  collapsed = compute(make_generator(digit_of_slant=True), **FEW)
  assert collapsed["num_covered_digits"] == 2 and collapsed["collapsed"] is True


@pytest.mark.parametrize("num_covered, collapsed", [(8, False), (7, True)])
def test_collapse_is_fewer_than_8_digits(num_covered, collapsed):
  # 1 image in 200 is less than 1 %.
  digits = np.concatenate([np.arange(199) % num_covered, [9]])
  found = infogan_disentanglement.image_results(np.eye(10)[digits], 0.9, 0.01)
  assert found["num_covered_digits"] == num_covered and found["collapsed"] is collapsed
  assert found["digit_share.9"] == 0.005


def test_model_without_categories_is_conditioned_on_the_digit():
  found = compute(make_generator(num_categories=0, digit_of_slant=True), **FEW)
  assert "category_accuracy" not in found and "category_digit_accuracy" not in found
  # Within one sign of the slant the code explains it still.
  assert found["conditional_r2.slant.code_0"] > 0.95


def test_uniform_codes():
  found = compute(make_generator(continuous_prior="uniform"), **FEW)
  assert found["r2.slant.code_0"] > 0.97


@pytest.mark.parametrize(
  ("prior", "interval", "limit"), [("normal", None, 2), ("uniform", None, 1), ("uniform", 1.5, 1.5)]
)
def test_codes_move_within_their_prior(prior, interval, limit):
  seen = []

  def generate(codes):
    seen.append(codes.continuous)
    return make_generator().generate(codes)

  compute(
    make_generator(continuous_prior=prior, generate=generate),
    **{**FEW, "num_values": 5, "interval": interval},
  )
  for code, moved in enumerate(seen[1:]):
    values = np.unique(moved[:, code])
    np.testing.assert_allclose(values, np.linspace(-limit, limit, 5))


def test_blank_images_are_left_out_and_counted():
  def blank_some(codes):
    images = make_generator().generate(codes)
    images[codes.categories == 0] = 0
    return images

  recognize = make_generator().recognize
  found = compute(
    make_generator(
      generate=blank_some,
      load_classifier=lambda: Classifier(lambda images: np.eye(10)[np.full(len(images), 3)]),
      recognize=lambda images: recognize(np.maximum(images, strokes(0.0, 6.0, 8.0))),
    ),
    **FEW,
  )
  categories = coded_generator.draw_codes(
    make_generator(), 300, np.random.RandomState(0)
  ).categories
  assert found["num_blank"] == np.count_nonzero(categories == 0) > 0
  assert found["r2.slant.code_0"] > 0.95


def test_generator_of_nothing_has_no_attributes():
  def posterior(images):
    zeros = np.zeros((len(images), 2))
    scale_tril = np.broadcast_to(np.eye(2), (len(images), 2, 2))
    logits = np.zeros((len(images), 10))
    return {"mean": zeros, "logvar": zeros, "scale_tril": scale_tril, "categorical_logits": logits}

  found = compute(
    make_generator(
      generate=lambda codes: np.zeros((len(codes.noise), 28, 28, 1)),
      load_classifier=lambda: Classifier(lambda images: np.full((len(images), 10), 0.1)),
      recognize=posterior,
    ),
    **FEW,
  )
  assert found["num_blank"] == 300 and found["collapsed"] is True
  assert found["r2.slant.code_0"] is None and found["r2_mean_gap"] is None
  assert found["r2_assigned_attribute.code_0"] is found["r2_assigned_attribute.code_1"] is None
  assert found["recovery_r2.code_0"] is None
  json.dumps(found, allow_nan=False)


def test_one_code_has_no_gap():
  def one(function):
    return lambda *arguments: {
      name: values[:, :1, :1] if name == "scale_tril" else values[:, :1]
      for name, values in function(*arguments).items()
    }

  whole = make_generator()

  def generate(codes):
    both = np.concatenate([codes.continuous, np.zeros_like(codes.continuous)], axis=1)
    return whole.generate(coded_generator.Codes(both, codes.noise, codes.categories))

  single = make_generator(num_continuous=1, generate=generate, recognize=one(whole.recognize))
  found = compute(single, **FEW)
  assert found["r2.slant.code_0"] > 0.97 and found["r2_assigned"] > 0.97
  assert found["r2_gap.slant"] is None and found["r2_mean_gap"] is None
  assert found["error_correlation"] is None and found["reported_correlation"] is None
  json.dumps(found, allow_nan=False)


@pytest.mark.slow
def test_results_repeat_and_are_plain(disentangled):
  again = compute(make_generator(), num_points=1500, num_traversals=100)
  assert again == disentangled
  assert json.loads(json.dumps(disentangled, allow_nan=False)) == disentangled
  other = compute(make_generator(), seed=1, num_points=1500, num_traversals=100)
  assert other["r2.slant.code_1"] != disentangled["r2.slant.code_1"]


@pytest.mark.parametrize(
  "setting, message",
  [
    ({"num_points": 99}, r"num_points must be a whole number of at least 100, got 99"),
    ({"num_traversals": 0}, r"num_traversals must be a whole number of at least 1"),
    ({"num_values": 1}, r"num_values must be a whole number of at least 2"),
    ({"interval": 0.0}, r"interval must be in \(0, 100\], got 0\.0"),
    ({"interval": float("inf")}, r"interval must be in"),
    ({"sure_probability": 1.1}, r"sure_probability must be in \(0, 1\], got 1\.1"),
    ({"covered_share": 0}, r"covered_share must be in \(0, 1\], got 0"),
  ],
)
def test_settings_out_of_range_are_refused(setting, message):
  with pytest.raises(errors.ConfigError, match=f"infogan_disentanglement.{message}"):
    compute(make_generator(), **setting)


def test_representation_is_refused():
  with pytest.raises(errors.ConfigError, match="evaluates the codes of an InfoGAN"):
    compute(lambda observations: observations)


def test_other_data_set_is_refused():
  class Cars(Digits):
    name = "cars3d"

  with pytest.raises(errors.ConfigError, match="trained on mnist, got cars3d"):
    compute(make_generator(), data=Cars())


def test_diverged_model_is_refused():
  def diverged(images):
    return {**make_generator().recognize(images), "mean": np.full((len(images), 2), np.nan)}

  def certain(images):
    return {**make_generator().recognize(images), "logvar": np.full((len(images), 2), -1e4)}

  with pytest.raises(errors.ConfigError, match="The recognition network's mean has 600 of 600"):
    compute(make_generator(recognize=diverged), **FEW)
  with pytest.raises(errors.ConfigError, match="reports a standard deviation of 0"):
    compute(make_generator(recognize=certain), **FEW)
  with pytest.raises(errors.ConfigError, match="The generated images has 235200 of 235200"):
    nothing = make_generator(generate=lambda codes: np.full((len(codes.noise), 28, 28, 1), np.nan))
    compute(nothing, **FEW)


def test_gin_binds_the_number_of_points():
  gin.parse_config("infogan_disentanglement.num_points = 0")
  with pytest.raises(errors.ConfigError, match=r"infogan_disentanglement\.num_points must be"):
    compute(make_generator())
