"""The semi-supervised methods: their objectives recomputed, what they train, what they refuse."""

import functools

from helpers import families
import numpy as np
import pytest
from scipy import special
import tensorflow as tf

from dl_condind.data import batches
from dl_condind.data import labelled_samples
from dl_condind.data import partly_labelled
from dl_condind.data.ground_truth import dummy_data
from dl_condind.methods import annealers
from dl_condind.methods import beta_tc_vae
from dl_condind.methods import dip_vae
from dl_condind.methods import factor_vae
from dl_condind.methods import mutual_information
from dl_condind.methods import s2_factor_vae
from dl_condind.methods import s2_mine_vae
from dl_condind.methods import s2_vae
from dl_condind.methods import supervised_encoder
from dl_condind.methods import supervised_losses
from dl_condind.methods import vae
from dl_condind.utils import errors

SEED = (5, 6)
SIZES = [4, 3]
# With labels, and the method without them that has the same unsupervised regularizer.
MODELS = {
  "s2_vae": (
    functools.partial(s2_vae.S2BetaVAE, 4.0, 3.0),
    functools.partial(vae.BetaVAE, 4.0),
  ),
  "s2_dip_vae": (
    functools.partial(s2_vae.S2DIPVAE, 10.0, 5.0, 3.0),
    functools.partial(dip_vae.DIPVAE, 10.0, 5.0),
  ),
  "s2_dip_vae_ii": (
    functools.partial(s2_vae.S2DIPVAE, 10.0, 1.0, 3.0, "ii"),
    functools.partial(dip_vae.DIPVAE, 10.0, 1.0, "ii"),
  ),
  "s2_beta_tc_vae": (
    functools.partial(s2_vae.S2BetaTCVAE, 10.0, 3.0),
    functools.partial(beta_tc_vae.BetaTCVAE, 10.0),
  ),
  "s2_beta_tc_vae_full": (
    functools.partial(s2_vae.S2BetaTCVAE, 10.0, 3.0, "full"),
    functools.partial(beta_tc_vae.BetaTCVAE, 10.0, "full"),
  ),
  "s2_factor_vae": (
    functools.partial(s2_factor_vae.S2FactorVAE, 10.0, 3.0),
    functools.partial(factor_vae.FactorVAE, 10.0),
  ),
}
MAKERS = {name: with_labels for name, (with_labels, _) in MODELS.items()} | {
  "s2_mine_vae": functools.partial(s2_mine_vae.S2MineVAE, 4.0, 3.0),
  "supervised": supervised_encoder.SupervisedEncoder,
}


@pytest.fixture
def batch():
  """Five grey images, and five others with labels."""
  generator = np.random.default_rng(1)
  images = generator.uniform(size=(2, 5, 4, 4, 1))
  labels = np.stack([generator.integers(size, size=5) for size in SIZES], axis=1)
  return partly_labelled.LabelledBatch(*(tf.constant(x, tf.float32) for x in (*images, labels)))


@pytest.fixture
def build_labelled(build):
  """Builds a model of small networks for labels of 4 and 3 values."""

  def build_model(model, **settings):
    for name, value in settings.items():
      setattr(model, name, value)
    model.num_values = SIZES
    return build(model)

  return build_model


def floats(scalars):
  return {name: float(value) for name, value in scalars.items()}


def cross_entropy(model, batch):
  logits = np.float64(model.encode(batch.labelled_images).z_mean)[:, :2]
  probability, targets = special.expit(logits), np.float64(batch.labels) / SIZES
  return -np.sum(targets * np.log(probability) + (1 - targets) * np.log(1 - probability))


@pytest.mark.parametrize("name", MODELS)
def test_losses_are_those_without_labels_plus_the_weighted_loss_of_labels(
  build, build_labelled, batch, name
):
  with_labels, without = MODELS[name]
  model = build_labelled(with_labels())
  found = floats(model.compute_losses(batch, tf.constant(SEED)))
  expected = floats(build(without()).compute_losses(batch.images, tf.constant(SEED)))
  supervised_loss = cross_entropy(model, batch)
  for key in ("loss", "regularizer"):
    expected[key] += 3 * supervised_loss
  assert found == pytest.approx({**expected, "supervised_loss": supervised_loss}, rel=1e-5)


def test_losses_of_mine(build, build_labelled, batch):
  model = build_labelled(s2_mine_vae.S2MineVAE(beta=4.0, gamma_sup=3.0))
  found = floats(model.compute_losses(batch, tf.constant(SEED)))
  expected = floats(build(vae.BetaVAE(4.0)).compute_losses(batch.images, tf.constant(SEED)))
  z = model.encode(batch.labelled_images).z_mean
  seed = tf.random.split(tf.constant(SEED), 2)[1]
  labels = tf.tile(batch.labels[..., None], [1, 1, 3])
  shuffled = factor_vae.shuffle_latents(labels, seed)
  for k in range(2):  # Of each pair all labels, and in another order than of the other pairs.
    values = {tuple(column) for column in shuffled[:, k].numpy().T}
    assert len(values) > 1
    assert all(sorted(column) == sorted(batch.labels[:, k].numpy()) for column in values)
  bounds = mutual_information.lower_bounds(z, batch.labels, shuffled, model.label_weights).numpy()
  supervised_loss = sum(bounds[k, j] ** 2 for k in range(2) for j in range(3) if k != j)
  for key in ("loss", "regularizer"):
    expected[key] += 3 * supervised_loss
  expected |= {"supervised_loss": supervised_loss, "estimator_loss": -bounds.sum()}
  assert found == pytest.approx(expected, rel=1e-4)


def test_losses_of_the_supervised_encoder(build, build_labelled, batch):
  model = build_labelled(supervised_encoder.SupervisedEncoder())
  found = floats(model.compute_losses(batch, tf.constant(SEED)))
  expected = floats(build(vae.BetaVAE(1.0)).compute_losses(batch.images, tf.constant(SEED)))
  supervised_loss = cross_entropy(model, batch)
  expected |= {
    "loss": expected["reconstruction_loss"] + supervised_loss,
    "regularizer": supervised_loss,
    "supervised_loss": supervised_loss,
  }
  assert found == pytest.approx(expected, rel=1e-5)


def test_only_means_of_labelled_images_count(build_labelled, batch):
  model = build_labelled(s2_vae.S2BetaVAE(4.0, 3.0))
  seeds = [tf.constant([5, 6]), tf.constant([7, 8])]
  one, other = (model.compute_losses(batch, seed) for seed in seeds)
  assert one["supervised_loss"] == other["supervised_loss"]
  assert one["reconstruction_loss"] != other["reconstruction_loss"]


def changed(model, batch, steps=1):
  """Returns what some steps of training change, by name."""
  variables = {
    **{f"encoder/{v.path}": v for v in model.encoder.trainable_variables},
    **{f"decoder/{v.path}": v for v in model.decoder.trainable_variables},
    **{f"label/{name}": v for name, v in model.label_weights.items()},
  }
  before = {name: variable.numpy() for name, variable in variables.items()}
  for step in range(steps):
    model.train_step(batch, tf.constant([1, step]))
  return {name: not np.array_equal(v.numpy(), before[name]) for name, v in variables.items()}


@pytest.mark.parametrize("name", MAKERS)
def test_a_step_changes_every_weight(build_labelled, batch, name):
  model = MAKERS[name]()
  if hasattr(model, "supervised_loss"):
    model.supervised_loss = supervised_losses.Embedding("learn")
  found = changed(build_labelled(model), batch, steps=2)
  assert any(key.startswith("label/") for key in found)
  stays = {key for key, is_changed in found.items() if not is_changed}
  # Nothing but the KL would train the variances of the supervised encoder.
  is_expected = [name == "supervised" and "log_var" in key for key in stays]
  assert all(is_expected) and (name != "supervised" or stays)


def test_the_decoder_does_not_train_the_supervised_encoder(build_labelled, batch):
  def encoder_after(images):
    model = build_labelled(supervised_encoder.SupervisedEncoder())
    model.train_step(batch._replace(images=images), tf.constant(SEED))
    return [v.numpy() for v in model.encoder.variables], [
      v.numpy() for v in model.decoder.variables
    ]

  one, other = encoder_after(batch.images), encoder_after(1 - batch.images)
  assert all(np.array_equal(a, b) for a, b in zip(one[0], other[0], strict=True))
  assert not all(np.array_equal(a, b) for a, b in zip(one[1], other[1], strict=True))


@pytest.mark.parametrize("trains", [True, False])
def test_weights_of_the_loss_can_stay_as_in_disentanglement_lib(build_labelled, batch, trains):
  model = s2_factor_vae.S2FactorVAE(10.0, 3.0, train_supervised_loss=trains)
  model = build_labelled(model, supervised_loss=supervised_losses.SquaredError())
  found = changed(model, batch)
  assert found["label/scale"] == trains
  assert all(value for key, value in found.items() if not key.startswith("label/"))


def test_networks_of_mine_do_not_train_the_vae(build_labelled, batch):
  weights = []
  for gamma_sup in (0.0, 3.0):
    model = build_labelled(s2_mine_vae.S2MineVAE(4.0, gamma_sup))
    with tf.GradientTape() as tape:
      losses = model.compute_losses(batch, tf.constant(SEED))
    (gradient,) = tape.gradient(losses["estimator_loss"], [model.label_weights["output_kernel"]])
    before = model.label_weights["output_kernel"].numpy()
    model.train_step(batch, tf.constant(SEED))
    # The first step of Adam is the learning rate against the sign of the gradient.
    step = model.label_weights["output_kernel"].numpy() - before
    is_clear = np.abs(gradient) > 1e-3
    np.testing.assert_allclose(step[is_clear], -0.01 * np.sign(gradient)[is_clear], rtol=1e-3)
    weights.append([variable.numpy() for variable in model.encoder.variables])
  plain = build_labelled(s2_vae.S2BetaVAE(4.0, 0.0))
  plain.train_step(batch, tf.constant(SEED))
  for value, expected in zip(weights[0], plain.encoder.variables, strict=True):
    np.testing.assert_allclose(value, expected.numpy(), atol=2e-4)
  assert not all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))


@pytest.mark.parametrize("name", ["s2_vae", "s2_factor_vae", "s2_mine_vae"])
def test_the_weight_of_labels_follows_the_annealer(build_labelled, batch, name):
  model = build_labelled(MAKERS[name](), anneal_fn=annealers.fine_tune, iteration_threshold=2)
  weights = []
  for step in range(5):
    losses = floats(model.train_step(batch, tf.constant([0, step])))
    weights.append(float(model.supervised_weight()))
    assert losses["loss"] == pytest.approx(
      losses["reconstruction_loss"] + losses["regularizer"], rel=1e-5
    )
  # Of steps 1 to 5: an update is a step, also of FactorVAE.
  assert weights == [0, 0, 3, 3, 3] and int(model.global_step) == 5


def test_annealed_losses(build_labelled, batch):
  model = build_labelled(
    s2_vae.S2BetaVAE(4.0, 3.0), anneal_fn=annealers.anneal, iteration_threshold=4
  )
  for step in range(6):
    losses = floats(model.compute_losses(batch, tf.constant(SEED)))
    of_labels = losses["regularizer"] - 4 * losses["kl_loss"]
    weight = 3 * min(step / 4, 1)
    assert of_labels == pytest.approx(weight * losses["supervised_loss"], abs=1e-4)
    model.global_step.assign_add(1)


@pytest.mark.parametrize(
  "name",
  [
    pytest.param(name, marks=[] if name == "s2_factor_vae" else pytest.mark.slow) for name in MAKERS
  ],
)
def test_training_lowers_the_loss_of_labels(build_labelled, batch, name):
  model = build_labelled(MAKERS[name]())
  train_step = tf.function(model.train_step)
  first = floats(model.compute_losses(batch, tf.constant(SEED)))
  for step in range(100):
    train_step(batch, tf.constant([0, step]))
  last = floats(model.compute_losses(batch, tf.constant(SEED)))
  assert last["reconstruction_loss"] < first["reconstruction_loss"]
  if name == "s2_mine_vae":
    assert last["estimator_loss"] < first["estimator_loss"]
  else:
    assert last["supervised_loss"] < first["supervised_loss"]


QUICK = {("s2_dip_vae", "rotated")}


@pytest.mark.parametrize(
  "name, family",
  [
    pytest.param(name, family, marks=[] if (name, family) in QUICK else pytest.mark.slow)
    for name in MAKERS
    for family in families.FAMILIES
  ],
)
def test_every_family_of_posteriors_trains(give_small_parts, batch, name, family):
  model = give_small_parts(MAKERS[name]())
  model.posterior = families.FAMILIES[family]
  model.num_values = SIZES
  model.build((4, 4, 1), seed=1)
  first = floats(model.compute_losses(batch, tf.constant(SEED)))
  train_step = tf.function(model.train_step)
  for step in range(20):
    train_step(batch, tf.constant([0, step]))
  last = floats(model.compute_losses(batch, tf.constant(SEED)))
  # A discriminator that learns raises the loss of FactorVAE.
  falls = "reconstruction_loss" if name == "s2_factor_vae" else "loss"
  assert last[falls] < first[falls]


def labelled(num=20, **settings):
  described = partly_labelled.PartlyLabelled(dummy_data.DummyData(), num, **settings)
  return described.prepared(seed=0)


@pytest.mark.parametrize(
  "loss", [None, supervised_losses.SquaredError(), supervised_losses.Embedding(1.0)]
)
def test_a_label_without_a_latent_is_one_line(loss):
  parts = {} if loss is None else {"supervised_loss": loss}
  name = "CrossEntropy" if loss is None else type(loss).__name__
  with pytest.raises(
    errors.ConfigError,
    match=rf"^{name} ties each label to a latent: encoder\.num_latent must be at least 10, the "
    r"number of labels of dummy_data, got 9\.$",
  ):
    s2_vae.S2BetaVAE(4.0, 3.0, num_latent=9, **parts).check_batches(labelled())
  model = s2_vae.S2BetaVAE(4.0, 3.0, num_latent=10, **parts)
  model.check_batches(labelled())
  assert model.num_values == [5] * 10


def test_what_ties_no_label_takes_any_number_of_latents():
  loss = supervised_losses.Covariance()
  s2_vae.S2BetaVAE(4.0, 3.0, num_latent=2, supervised_loss=loss).check_batches(labelled())
  s2_mine_vae.S2MineVAE(4.0, 3.0, num_latent=2).check_batches(labelled())
  few = labelled(labeller_fn=labelled_samples.partial_labeller)
  s2_vae.S2BetaVAE(4.0, 3.0, num_latent=2).check_batches(few)


def halves(labels, dataset, random_state):
  del random_state
  return labels.astype(np.float32) + 0.5, list(dataset.factors_num_values)


def test_labels_that_are_not_integers_for_embed_are_one_line():
  model = s2_vae.S2BetaVAE(4.0, 3.0, supervised_loss=supervised_losses.Embedding(1.0))
  with pytest.raises(errors.ConfigError, match=r"^Embedding needs labels that are whole numbers "):
    model.check_batches(labelled(labeller_fn=halves))
  s2_vae.S2BetaVAE(4.0, 3.0).check_batches(labelled(labeller_fn=halves))


def test_batches_of_the_wrong_kind_are_one_line():
  data = dummy_data.DummyData()
  with pytest.raises(
    errors.ConfigError,
    match=r"^S2BetaVAE learns from images with labels for some of them, got single images: make "
    r"them of the data set by dl\.PartlyLabelled\(data, num_labelled_samples=100\)\.$",
  ):
    s2_vae.S2BetaVAE(4.0, 3.0).check_batches(batches.Images(data))
  with pytest.raises(errors.ConfigError, match=r"^BetaVAE learns from single images, got images "):
    vae.BetaVAE(1.0).check_batches(labelled())


@pytest.mark.parametrize(
  "make, message",
  [
    (lambda: s2_vae.S2DIPVAE(1.0, 1.0, 1.0, "iii"), r'^s2_dip_vae\.dip_type must be "i" or "ii"'),
    (lambda: s2_vae.S2BetaTCVAE(1.0, 1.0, "x"), r"^s2_beta_tc_vae\.density"),
  ],
)
def test_unknown_variants_are_one_line(make, message):
  with pytest.raises(errors.ConfigError, match=message):
    make()


@pytest.mark.parametrize("annealer", [annealers.anneal, annealers.fine_tune])
def test_an_annealer_without_a_threshold_is_found_when_the_model_is_built(build_labelled, annealer):
  with pytest.raises(errors.ConfigError, match=r"^annealer\.iteration_threshold must be a number"):
    build_labelled(s2_vae.S2BetaVAE(4.0, 3.0), anneal_fn=annealer)
