import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import special
from scipy import stats
import tensorflow as tf

from dl_condind import posteriors
from dl_condind.methods import infogan
from dl_condind.methods import optimizers
from dl_condind.saved_models import saved_model
from dl_condind.utils import errors

SEED = (5, 6)
SHAPE = (8, 8, 1)
PARTS = ("generator", "discriminator", "recognition")
RATES = {"generator": 1e-3, "discriminator": 2e-4, "recognition": 3e-4}

FRESH_PROCESS = """
import sys
sys.modules["dl_condind"] = None  # Importing it fails.
import numpy as np
import tensorflow as tf
inputs = np.load(sys.argv[1])
code = {name: tf.constant(inputs[name]) for name in inputs.files}
signatures = tf.saved_model.load(sys.argv[2]).signatures
images = signatures["generator"](**code)["images"]
recognized = signatures["recognition_network"](images=images)
logits = signatures["discriminator"](images=images)["logits"]
outputs = {name: value.numpy() for name, value in recognized.items()}
np.savez(sys.argv[3], images=images.numpy(), logits=logits.numpy(), **outputs)
"""


def build(correlation=0.0, seed=1, rates=RATES, **settings):
  optimizer_parts = {f"{part}_optimizer": optimizers.adam(rates[part], 0.5) for part in PARTS}
  noise = posteriors.Equicorrelated(correlation)
  model = infogan.InfoGAN(**settings, **optimizer_parts, posterior=noise)
  model.build(SHAPE, seed)
  return model


@pytest.fixture
def observations():
  """Grey images, [6, 8, 8, 1]."""
  return tf.constant(np.random.default_rng(0).uniform(size=(6, *SHAPE)), tf.float32)


def parts_of(model):
  """Returns the trainable variables that each optimizer has."""
  features = model.feature_network.trainable_variables
  return {
    "generator": model.generator.trainable_variables,
    "discriminator": features + model.discriminator_head.trainable_variables,
    "recognition": model.recognition_head.trainable_variables,
  }


def all_variables(model):
  networks = [model.generator, model.feature_network]
  networks += [model.discriminator_head, model.recognition_head]
  return {f"{n.name}/{v.path}": v.numpy() for n in networks for v in n.variables}


def outputs_of(model, observations):
  """Returns what the networks say, as they are exported."""
  code = model.sample_code(len(observations), tf.constant(SEED))
  features = model.feature_network(model.generator(code))
  logits = [
    np.float64(model.discriminator_head(each)[:, 0])
    for each in (model.feature_network(observations), features)
  ]
  recognized = {k: np.float64(v) for k, v in model.recognition_head(features).items()}
  return {k: np.float64(v) for k, v in code.items()}, logits, recognized


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.9])
@pytest.mark.parametrize("weights", [(0.1, 1.0), (0.5, 0.0)])
def test_losses(observations, correlation, weights):
  model = build(correlation, info_weight=weights[0], categorical_weight=weights[1])
  code, (real, fake), recognized = outputs_of(model, observations)
  noise_correlation = [[1, correlation], [correlation, 1]]
  log_likelihood = []
  for z, mean, logvar in zip(
    code["continuous"], recognized["mean"], recognized["logvar"], strict=True
  ):
    scale = np.diag(np.exp(logvar / 2))
    log_likelihood.append(
      stats.multivariate_normal.logpdf(z, mean, scale @ noise_correlation @ scale)
    )
  log_probability = special.log_softmax(recognized["categorical_logits"], axis=1)
  cross_entropy = -np.mean(np.sum(code["categorical"] * log_probability, axis=1))
  expected = {
    "discriminator_loss": -np.mean(np.log(special.expit(real)))
    - np.mean(np.log(special.expit(-fake))),
    "generator_loss": -np.mean(np.log(special.expit(fake))),
    "discriminator_accuracy_real": np.mean(real > 0),
    "discriminator_accuracy_fake": np.mean(fake < 0),
    "continuous_nll": -np.mean(log_likelihood),
    "categorical_cross_entropy": cross_entropy,
    "mutual_information_penalty": -weights[0] * np.mean(log_likelihood)
    + weights[1] * cross_entropy,
  }
  values = model.compute_losses(observations, tf.constant(SEED))
  assert {k: float(v) for k, v in values.items()} == pytest.approx(expected, rel=1e-4)


def test_uncorrelated_posterior_is_the_factorized_gaussian(observations):
  model = build(correlation=0.0)
  code, _, recognized = outputs_of(model, observations)
  stddev = np.exp(recognized["logvar"] / 2)
  expected = -np.sum(stats.norm.logpdf(code["continuous"], recognized["mean"], stddev), axis=1)
  value = model.compute_losses(observations, tf.constant(SEED))["continuous_nll"]
  assert float(value) == pytest.approx(np.mean(expected), rel=1e-5)
  distribution = model.posterior.distribution(
    tf.constant(recognized["mean"]), tf.constant(recognized["logvar"])
  )
  log_prob = distribution.log_prob(tf.constant(code["continuous"]))
  np.testing.assert_allclose(-log_prob, expected, rtol=1e-12)


def test_correlation_changes_the_penalty_and_nothing_else(observations):
  values = [
    build(correlation).compute_losses(observations, tf.constant(SEED)) for correlation in (0.0, 0.9)
  ]
  differing = {name for name in values[0] if float(values[0][name]) != float(values[1][name])}
  assert differing == {"continuous_nll", "mutual_information_penalty"}


def test_one_step_updates_every_network_from_the_weights_before_it(observations):
  model, reference = build(0.9), build(0.9)
  gradients = {}
  for part, loss in [
    ("generator", "generator_loss"),
    ("discriminator", "discriminator_loss"),
    ("recognition", "discriminator_loss"),
  ]:
    with tf.GradientTape() as tape:
      scalars = reference._losses(observations, tf.constant(SEED), training=True)
      objective = scalars[loss] + scalars["mutual_information_penalty"]
    gradients[part] = [np.float64(g) for g in tape.gradient(objective, parts_of(reference)[part])]
  before = {part: [v.numpy() for v in variables] for part, variables in parts_of(model).items()}
  reported = model.train_step(observations, tf.constant(SEED))
  for name, value in reported.items():
    assert float(value) == pytest.approx(float(scalars[name]), rel=1e-4)
  for part, variables in parts_of(model).items():
    for variable, value, gradient in zip(variables, before[part], gradients[part], strict=True):
      # Adam's first step: the moments are (1 - beta) times gradient and square, then corrected.
      rate = RATES[part] * np.sqrt(1 - 0.999) / (1 - 0.5)
      step = rate * 0.5 * gradient / (np.sqrt(0.001) * np.abs(gradient) + 1e-8)
      moved = np.abs(gradient) > 1e-5  # Where Adam does not turn rounding errors into steps.
      assert np.mean(moved) > 0.1
      # float32 kernels of size 0.1 and steps of 1e-3.
      np.testing.assert_allclose((variable.numpy() - value)[moved], -step[moved], atol=2e-6)
  for part in PARTS:
    assert int(getattr(model, f"{part}_optimizer").iterations) == 1
  assert int(model.global_step) == 1


def test_every_weight_and_statistic_moves(observations):
  model = build()
  before = all_variables(model)
  model.train_step(observations, tf.constant(SEED))
  after = all_variables(model)
  assert len(after) == 17 + 12 + 2 + 11  # Of the four networks.
  for name, value in before.items():
    assert np.mean(after[name] != value) > 0.5, name


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_an_optimizer_updates_its_own_network_only(observations, part):
  values = []
  for rate in (1e-5, 0.1):
    model = build(rates={**RATES, part: rate})
    model.train_step(observations, tf.constant(SEED))
    values.append({k: [v.numpy() for v in vs] for k, vs in parts_of(model).items()})
  for other in PARTS:
    equal = [np.array_equal(*pair) for pair in zip(values[0][other], values[1][other], strict=True)]
    assert not any(equal) if other == part else all(equal)


def test_no_weight_of_the_penalty_leaves_the_recognition_head_alone(observations):
  model = build(info_weight=0.0, categorical_weight=0.0)
  before = [variable.numpy() for variable in model.recognition_head.trainable_variables]
  model.train_step(observations, tf.constant(SEED))
  for variable, value in zip(model.recognition_head.trainable_variables, before, strict=True):
    np.testing.assert_array_equal(variable, value)


def test_evaluation_changes_nothing(observations):
  model = build()
  model.train_step(observations, tf.constant(SEED))
  before = all_variables(model)
  first, second = (model.compute_losses(observations, tf.constant(SEED)) for _ in range(2))
  for name, value in all_variables(model).items():
    np.testing.assert_array_equal(value, before[name])
  assert {k: float(v) for k, v in first.items()} == {k: float(v) for k, v in second.items()}


def test_losses_depend_on_the_seed_alone(observations):
  model = build()
  values = {}
  for seed in [SEED, (5, 7), (6, 6)]:
    first, again = (model.compute_losses(observations, tf.constant(seed)) for _ in range(2))
    values[seed] = float(first["continuous_nll"])
    assert values[seed] == float(again["continuous_nll"])
  assert len(set(values.values())) == 3


@pytest.mark.slow
def test_compiled_training_is_that_of_eager_training(observations):
  eager, compiled = build(0.9), build(0.9)
  train_step = tf.function(compiled.train_step)
  for step in range(3):
    expected = eager.train_step(observations, tf.constant([0, step]))
    for name, value in train_step(observations, tf.constant([0, step])).items():
      np.testing.assert_allclose(value, expected[name], rtol=2e-3, err_msg=name)
  assert int(compiled.global_step) == 3


@pytest.mark.slow
def test_training_recovers_the_codes(observations):
  model = build(rates={**RATES, "recognition": 1e-3})
  train_step = tf.function(model.train_step)
  observations = tf.repeat(observations, 6, axis=0)
  first, *_, last = (train_step(observations, tf.constant([0, step])) for step in range(60))
  assert float(first["categorical_cross_entropy"]) == pytest.approx(np.log(10), abs=0.3)
  assert float(last["categorical_cross_entropy"]) < 0.5
  # The entropy of two standard normal codes, which is what not knowing them costs.
  assert float(last["continuous_nll"]) < np.log(2 * np.pi * np.e)


def test_state_holds_all_that_training_changes(observations, tmp_path):
  model, copy = build(0.9), build(0.9, seed=7)
  for step in range(2):
    model.train_step(observations, tf.constant([0, step]))
  path = tf.train.Checkpoint(**model.state()).write(str(tmp_path / "checkpoint"))
  tf.train.Checkpoint(**copy.state()).read(path).assert_consumed()
  for step in (2, 3):
    for each in (model, copy):
      each.train_step(observations, tf.constant([0, step]))
  assert int(copy.global_step) == 4
  for value, expected in zip(
    all_variables(copy).values(), all_variables(model).values(), strict=True
  ):
    np.testing.assert_array_equal(value, expected)


def codes_of(num=20_000, seed=SEED, **settings):
  code = infogan.InfoGAN(**settings).sample_code(num, tf.constant(seed))
  return {name: value.numpy() for name, value in code.items()}


@pytest.mark.parametrize(
  ("prior", "distribution"), [("normal", stats.norm()), ("uniform", stats.uniform(-1, 2))]
)
def test_prior_of_the_code(prior, distribution):
  code = codes_of(continuous_prior=prior)
  # A true null hypothesis has a p-value below 1e-4 in one seed of ten thousand.
  assert stats.kstest(code["continuous"].ravel(), distribution.cdf).pvalue > 1e-4
  assert stats.kstest(code["noise"].ravel(), stats.norm.cdf).pvalue > 1e-4
  assert set(np.unique(code["categorical"])) == {0, 1}
  np.testing.assert_array_equal(code["categorical"].sum(axis=1), 1)
  assert stats.chisquare(code["categorical"].sum(axis=0)).pvalue > 1e-4


def test_parts_of_the_code_are_independent():
  code = codes_of()
  columns = np.concatenate([code["continuous"], code["noise"], code["categorical"][:, :1]], axis=1)
  correlation = np.corrcoef(columns, rowvar=False) - np.eye(65)
  assert np.abs(correlation).max() < 5 / np.sqrt(20_000)


def test_codes_depend_on_the_seed_alone():
  first, again, other = codes_of(5), codes_of(5), codes_of(5, seed=(5, 7))
  for name in first:
    np.testing.assert_array_equal(first[name], again[name])
  assert not np.isclose(first["continuous"], other["continuous"]).any()


def test_uniform_prior_trains(observations):
  model = build(continuous_prior="uniform")
  for step in range(2):
    scalars = model.train_step(observations, tf.constant([0, step]))
  assert all(np.isfinite(float(value)) for value in scalars.values())


@pytest.mark.slow
def test_without_categorical_code(observations, tmp_path):
  model = build(0.9, num_categories=0, num_continuous=3, num_noise=4)
  assert model.code_sizes == {"continuous": 3, "noise": 4}
  scalars = model.train_step(observations, tf.constant(SEED))
  assert "categorical_cross_entropy" not in scalars
  penalty = float(scalars["mutual_information_penalty"])
  assert penalty == pytest.approx(0.1 * float(scalars["continuous_nll"]))
  saved_model.save(*model.exported(), tmp_path / "saved_model")
  signatures = saved_model.load(tmp_path / "saved_model").signatures
  assert signatures["generator"].structured_input_signature[1].keys() == {"continuous", "noise"}
  images = signatures["generator"](continuous=tf.zeros([2, 3]), noise=tf.zeros([2, 4]))["images"]
  recognized = signatures["recognition_network"](images=images)
  assert recognized.keys() == {"mean", "logvar", "scale_tril"}
  assert recognized["scale_tril"].shape == (2, 3, 3)


@pytest.mark.slow
def test_export_stands_alone_and_has_the_values_of_the_model(observations, tmp_path):
  model = build(0.9)
  for step in range(3):  # So that moving statistics are not those of a new network.
    model.train_step(observations, tf.constant([0, step]))
  saved_model.save(*model.exported(), tmp_path / "saved_model")
  for num in (1, 5, 64):
    code = {name: value[:num] for name, value in codes_of(64).items()}
    np.savez(tmp_path / "code.npz", **code)
    if num == 5:
      subprocess.run(
        [sys.executable, "-I", "-c", FRESH_PROCESS]
        + [tmp_path / name for name in ("code.npz", "saved_model", "outputs.npz")],
        check=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
      )
      outputs = dict(np.load(tmp_path / "outputs.npz"))
    else:
      signatures = saved_model.load(tmp_path / "saved_model").signatures
      images = signatures["generator"](**{k: tf.constant(v) for k, v in code.items()})["images"]
      outputs = {"images": images, **signatures["recognition_network"](images=images)}
      outputs |= signatures["discriminator"](images=images)
    images = model.generator(code)
    features = model.feature_network(images)
    expected = {"images": images, **model.recognition_head(features)}
    expected["logits"] = model.discriminator_head(features)[:, 0]
    stddev = np.exp(expected["logvar"] / 2)
    cholesky = np.linalg.cholesky([[1, 0.9], [0.9, 1]])
    expected["scale_tril"] = stddev[:, :, None] * cholesky
    assert outputs.keys() == expected.keys()
    for name, value in expected.items():
      np.testing.assert_allclose(outputs[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"info_weight": -0.1}, r"infogan\.info_weight must be in \[0, 1e\+30\], got -0\.1"),
    ({"info_weight": float("nan")}, r"infogan\.info_weight must be in \[0, 1e\+30\], got nan"),
    ({"categorical_weight": float("inf")}, r"infogan\.categorical_weight must be in \[0, 1e\+30\]"),
    ({"num_continuous": 0}, r"infogan\.num_continuous must be in \[1, 1000\], got 0"),
    ({"num_noise": 0}, r"infogan\.num_noise must be in \[1, 1000\], got 0"),
    ({"num_categories": 1}, r"num_categories must be 0 \(no categorical code\) or in \[2, 1000\]"),
    ({"num_categories": -1}, r"infogan\.num_categories must be 0"),
    ({"continuous_prior": "gamma"}, r'continuous_prior must be "normal" or "uniform", got \'gam'),
  ],
)
def test_settings_out_of_range_are_refused(settings, message):
  with pytest.raises(errors.ConfigError, match=message):
    infogan.InfoGAN(**settings)


def test_correlation_out_of_range_is_refused():
  with pytest.raises(errors.ConfigError, match=r"must be in \(-1, 1\) for 2 latents, got 1"):
    build(correlation=1.0)


def test_construction_makes_no_weights_and_no_problem_is_reported_at_first():
  assert not hasattr(infogan.InfoGAN(), "generator")
  assert build().problems() == {"discriminator_collapsed": None}
