"""The configuration files of the package, and those of disentanglement_lib's unsupervised study."""

import gin
import pytest

from dl_condind.evaluation import evaluate
from dl_condind.evaluation import validate  # noqa: F401 (registers `validation` and labellers)
from dl_condind.postprocessing import postprocess
from dl_condind.reasoning import reason  # noqa: F401 (registers `abstract_reasoning`)
from dl_condind.studies import study_file  # noqa: F401 (registers `study`)
from dl_condind.training import train
from dl_condind.utils import configs
from dl_condind.utils import gin_texts
from dl_condind.utils import results

FOLDER = gin_texts.gin_config_folder()
FILES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.gin"))
# InfoGAN's file does without shared.gin: methods/infogan_training_test.py trains with it.
METHODS = [n for n in FILES if n.startswith("methods/") and n != "methods/infogan.gin"]
QUICK = ("methods/beta_tc_vae.gin",)  # Others are trained elsewhere too.

SEMI_SUPERVISED = ["methods/s2_vae.gin", "methods/supervised.gin"]
SEMI_SUPERVISED += [f"methods/s2_{name}_vae.gin" for name in ("beta_tc", "dip", "factor", "mine")]
ONE_LATENT_PER_FACTOR = {*SEMI_SUPERVISED, *(n for n in METHODS if n.endswith("_labels.gin"))}

# The files of disentanglement_lib's unsupervised study, statement by statement: TensorFlow 1 takes
# `use_locking` and an optimizer's `name`.
LIBRARY_SHARED = """
dataset.name = "dsprites_full"
model.model = @vae()
model.batch_size = 64
model.training_steps = 300000
model.random_seed = 0
encoder.num_latent = 10
encoder.encoder_fn = @conv_encoder
decoder.decoder_fn = @deconv_decoder
reconstruction_loss.loss_fn = @bernoulli_loss
vae.beta = 1.
vae_optimizer.optimizer_fn = @vae/AdamOptimizer
vae/AdamOptimizer.beta1 = 0.9
vae/AdamOptimizer.beta2 = 0.999
vae/AdamOptimizer.epsilon = 1e-08
vae/AdamOptimizer.learning_rate = 0.0001
vae/AdamOptimizer.name = 'Adam'
vae/AdamOptimizer.use_locking = False
discriminator_optimizer.optimizer_fn = @discriminator/AdamOptimizer
discriminator/AdamOptimizer.beta1 = 0.5
discriminator/AdamOptimizer.beta2 = 0.9
discriminator/AdamOptimizer.epsilon = 1e-08
discriminator/AdamOptimizer.learning_rate = 0.0001
discriminator/AdamOptimizer.name = 'Adam'
discriminator/AdamOptimizer.use_locking = False
"""
LIBRARY_MODELS = {
  "beta_vae": ["model.model = @vae()", "vae.beta = 4.0"],
  "factor_vae": [
    "model.model = @factor_vae()",
    "discriminator.discriminator_fn = @fc_discriminator",
    "factor_vae.gamma = 30.0",
  ],
  "dip_vae_i": [
    "model.model = @dip_vae()",
    "dip_vae.lambda_d_factor = 10.0",
    "dip_vae.dip_type = 'i'",
    "dip_vae.lambda_od = 5.0",
  ],
  "dip_vae_ii": [
    "model.model = @dip_vae()",
    "dip_vae.lambda_d_factor = 1.0",
    "dip_vae.dip_type = 'ii'",
    "dip_vae.lambda_od = 5.0",
  ],
  "beta_tc_vae": ["model.model = @beta_tc_vae()", "beta_tc_vae.beta = 6.0"],
  "annealed_vae": [
    "model.model = @annealed_vae()",
    "annealed_vae.iteration_threshold = 100000",
    "annealed_vae.c_max = 25.0",
    "annealed_vae.gamma = 1000.0",
  ],
}
LIBRARY_POSTPROCESS = """
postprocess.postprocess_fn = @{name}_representation
dataset.name = "auto"
postprocess.random_seed = 0
"""
LIBRARY_METRICS = {
  "mig": """
evaluation.evaluation_fn = @mig
dataset.name = "auto"
evaluation.random_seed = 0
mig.num_train = 10000
discretizer.discretizer_fn = @histogram_discretizer
discretizer.num_bins = 20
""",
  "unsupervised": """
evaluation.evaluation_fn = @unsupervised_metrics
dataset.name = "auto"
evaluation.random_seed = 0
unsupervised_metrics.num_train = 10000
discretizer.discretizer_fn = @histogram_discretizer
discretizer.num_bins = 20
""",
}
METRIC_KEYS = {
  "mig": {"discrete_mig"},
  "unsupervised": {
    "gaussian_total_correlation",
    "gaussian_wasserstein_correlation",
    "gaussian_wasserstein_correlation_norm",
    "mutual_info_score",
  },
}
# The file for its weakly supervised methods, statement by statement. Adam's learning rate is not
# bound in it, and both averages have their weight under the base's name.
LIBRARY_WEAK = """
dataset.name = "dummy_data"
model.batch_size = 2
dynamics.k = -1
model.model = @group_vae_argmax()
group_vae.beta = 1.
vae_optimizer.optimizer_fn = @AdamOptimizer
model.training_steps = 2
model.random_seed = 0
AdamOptimizer.beta1 = 0.9
AdamOptimizer.beta2 = 0.999
AdamOptimizer.epsilon = 0.001
AdamOptimizer.name = 'Adam'
AdamOptimizer.use_locking = False
encoder.num_latent = 10
encoder.encoder_fn = @test_encoder
decoder.decoder_fn = @test_decoder
reconstruction_loss.loss_fn = @bernoulli_loss
"""
WEAK_BETAS = {
  "group_vae_argmax": 1.0,
  "group_vae_labels": 2.0,
  "mlvae_argmax": 3.0,
  "mlvae_labels": 3.0,
}
# The file of its semi-supervised methods, statement by statement: some are there twice or thrice.
LIBRARY_LABELS = """
dataset.name = "dummy_data"
model.batch_size = 2
model.model = @s2_vae
model.num_labelled_samples = 100
model.train_percentage = 0.9
s2_vae.beta = 4
s2_vae.gamma_sup = 4
annealer.iteration_threshold = 1
labeller.labeller_fn = @perfect_labeller
model.model_seed = 0
model.unsupervised_data_seed = 0
model.supervised_data_seed = 0
model.num_labelled_samples = 100
model.train_percentage = 0.9
model.num_labelled_samples = 100
annealer.anneal_fn = @fixed
supervised_loss.loss_fn = @xent
vae_optimizer.optimizer_fn = @AdamOptimizer
model.training_steps = 2
AdamOptimizer.beta1 = 0.9
AdamOptimizer.beta2 = 0.999
AdamOptimizer.epsilon = 0.001
AdamOptimizer.name = 'Adam'
AdamOptimizer.use_locking = False
encoder.num_latent = 10
encoder.encoder_fn = @test_encoder
decoder.decoder_fn = @test_decoder
reconstruction_loss.loss_fn = @bernoulli_loss
"""
# What its tests add to it: a method, then a loss and an annealer or a labeller.
LIBRARY_LABELLED_MODELS = {
  "s2_vae": ["s2_vae.beta = 4", "s2_vae.gamma_sup = 4"],
  "supervised": [],
  "s2_factor_vae": [
    "s2_factor_vae.gamma = 4",
    "s2_factor_vae.gamma_sup = 4",
    "discriminator.discriminator_fn = @fc_discriminator",
    "discriminator_optimizer.optimizer_fn = @AdamOptimizer",
  ],
  "s2_dip_vae": [
    "s2_dip_vae.lambda_d_factor = 10",
    "s2_dip_vae.dip_type = 'i'",
    "s2_dip_vae.lambda_od = 10.",
    "s2_dip_vae.gamma_sup = 4",
  ],
  "s2_dip_vae_ii": [
    "s2_dip_vae.lambda_d_factor = 1",
    "s2_dip_vae.dip_type = 'ii'",
    "s2_dip_vae.lambda_od = 10.",
    "s2_dip_vae.gamma_sup = 4",
  ],
  "s2_beta_tc_vae": ["s2_beta_tc_vae.beta = 10.", "s2_beta_tc_vae.gamma_sup = 4"],
  "s2_mine_vae": ["s2_mine_vae.beta = 4", "s2_mine_vae.gamma_sup = 4"],  # It has no test there.
  "vae": ["vae.beta = 10."],  # The baseline.
}
LIBRARY_LOSSES = {
  "xent": [],
  "xent_later": ["annealer.anneal_fn = @fine_tune"],
  "xent_more_and_more": ["annealer.anneal_fn = @anneal"],
  "l2": ["supervised_loss.loss_fn = @l2"],
  "l2_later": ["supervised_loss.loss_fn = @l2", "annealer.anneal_fn = @fine_tune"],
  "cov": ["supervised_loss.loss_fn = @cov"],
  "cov_later": ["supervised_loss.loss_fn = @cov", "annealer.anneal_fn = @fine_tune"],
  "embed": ["supervised_loss.loss_fn = @embed", "embed.sigma = 1"],
  "embed_learn": ["supervised_loss.loss_fn = @embed", "embed.sigma = 'learn'"],
  "partial": [
    "labeller.labeller_fn = @partial_labeller",
    "partial_labeller.num_observed_factors=2",
  ],
}
FEW = ["model.training_steps = 2", "model.batch_size = 4", "model.eval_steps = 1"]


@pytest.mark.parametrize("name", FILES)
def test_every_file_parses(name):
  configs.parse([name])
  assert gin.config_is_locked()
  first_line = (FOLDER / name).read_text(encoding="utf-8").splitlines()[0]
  assert first_line.startswith("# ")


@pytest.mark.parametrize(
  "name",
  [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in METHODS],
)
def test_every_method_trains(name, tiny_training, tmp_path):
  # dummy_data has ten factors, of which each has a latent there.
  latents = ["encoder.num_latent = 10"] if name in ONE_LATENT_PER_FACTOR else []
  train.train_with_gin(tmp_path, False, ["shared.gin", name], [*tiny_training, *latents])
  assert results.read_results(tmp_path, "train")["global_step"] == 2


@pytest.fixture
def library(tmp_path):
  """The files of disentanglement_lib's study, in a folder of their own."""
  texts = {
    "shared": LIBRARY_SHARED,
    **{name: LIBRARY_POSTPROCESS.format(name=name) for name in ("mean", "sampled")},
    **LIBRARY_METRICS,
  }
  for name, text in texts.items():
    (tmp_path / f"{name}.gin").write_text(text)
  return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARY_MODELS)
def test_models_of_disentanglement_lib_train_with_its_files(name, library):
  sweep = [
    "dataset.name = 'dummy_data'",
    *LIBRARY_MODELS[name],
    f"model.name = '{name}'",
    "model.model_num = 7",
    "model.random_seed = 3",
  ]
  train.train_with_gin(library / "model", False, [library / "shared.gin"], [*sweep, *FEW])
  record = results.read_results(library / "model", "train")
  expected = {"loss", "global_step", "reconstruction_loss", "kl_loss", "regularizer"}
  assert expected | {"elapsed_time", "uuid"} <= record.keys()
  config = results.read_aggregate(library / "model" / "results" / "aggregate" / "train.json")
  assert config["train_config.vae_optimizer.optimizer_fn"] == "@vae/AdamOptimizer"
  assert config["train_config.model.name"] == f"'{name}'"
  if name == "beta_vae":
    _postprocess_and_evaluate(library)


@pytest.mark.slow
@pytest.mark.parametrize("name", WEAK_BETAS)
def test_weak_models_of_disentanglement_lib_train_with_its_file(name, tmp_path):
  (tmp_path / "weak.gin").write_text(LIBRARY_WEAK)
  bindings = ["model.eval_steps = 1"]  # 1,000 there, which it does not let one bind.
  if name != "group_vae_argmax":
    base = "mlvae" if name.startswith("mlvae") else "group_vae"
    bindings += [f"model.model = @{name}()", f"{base}.beta = {WEAK_BETAS[name]}"]
  train.train_with_gin(tmp_path / "model", False, [tmp_path / "weak.gin"], bindings)
  record = results.read_results(tmp_path / "model", "train")
  expected = {"loss", "global_step", "reconstruction_loss", "elbo", "kl_loss", "regularizer"}
  assert expected <= record.keys()
  assert record["regularizer"] == pytest.approx(WEAK_BETAS[name] * record["kl_loss"], rel=1e-5)
  config = results.read_aggregate(tmp_path / "model" / "results" / "aggregate" / "train.json")
  assert config[f"train_config.{name}.beta"] == str(WEAK_BETAS[name])
  assert config["train_config.dynamics.k"] == "-1"


@pytest.mark.parametrize(
  "name, loss",
  [
    pytest.param(name, loss, marks=[] if (name, loss) == ("s2_vae", "xent") else pytest.mark.slow)
    for name in LIBRARY_LABELLED_MODELS
    for loss in LIBRARY_LOSSES
    if name == "s2_vae" or loss in ("xent", "embed_learn")
  ],
)
def test_semi_supervised_models_of_disentanglement_lib_train_with_its_file(name, loss, tmp_path):
  (tmp_path / "labels.gin").write_text(LIBRARY_LABELS)
  method = name.removesuffix("_ii")
  bindings = [*LIBRARY_LABELLED_MODELS[name], *LIBRARY_LOSSES[loss], "model.eval_steps = 1"]
  if name != "s2_vae":
    bindings.append(f"model.model = @{method}")
  train.train_with_gin(tmp_path / "model", False, [tmp_path / "labels.gin"], bindings)
  record = results.read_results(tmp_path / "model", "train")
  expected = {"loss", "global_step", "reconstruction_loss", "elbo", "kl_loss", "regularizer"}
  assert expected <= record.keys() and ("supervised_loss" in record) == (name != "vae")
  config = results.read_aggregate(tmp_path / "model" / "results" / "aggregate" / "train.json")
  assert config["train_config.model.model"] == f"@{method}()"
  assert config["train_config.model.random_seed"] == "0"
  assert config["train_config.model.unsupervised_data_seed"] == "0"
  assert "train_config.model.model_seed" not in config
  assert ("train_config.model.num_labelled_samples" in config) == (name != "vae")


def _postprocess_and_evaluate(library):
  for name in ("mean", "sampled"):
    output_dir = library / "postprocessed" / name
    postprocess.postprocess_with_gin(
      library / "model", output_dir, False, [library / f"{name}.gin"]
    )
    for metric, keys in METRIC_KEYS.items():
      metric_dir = library / "metrics" / name / metric
      selector = "unsupervised_metrics" if metric == "unsupervised" else metric
      evaluate.evaluate_with_gin(
        output_dir, metric_dir, False, [library / f"{metric}.gin"], [f"{selector}.num_train = 100"]
      )
      assert keys <= results.read_results(metric_dir, "evaluation").keys()
