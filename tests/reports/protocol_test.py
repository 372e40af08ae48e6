import pytest

from dl_condind.reports import families
from dl_condind.reports import protocol
from dl_condind.reports.vae import claims as vae_claims

OPTIMIZER = {
  "train_config.vae_optimizer.optimizer_fn": "@vae/AdamOptimizer",
  "train_config.vae_optimizer.learning_rate": "None",
  "train_config.vae/AdamOptimizer.learning_rate": "0.0001",
  "train_config.vae/AdamOptimizer.beta1": "0.9",
  "train_config.vae/AdamOptimizer.beta2": "0.999",
}


PROTOCOL = vae_claims.PROTOCOL


def deviations(run, metric=""):
  return protocol.deviations(families.of(run).claims.PROTOCOL, [run], metric)


def make_run(generated, method="vae", **row):
  (run,) = generated.make_runs({"mig_mean": [0.1]}, method=method)
  if method != "infogan":
    run.row.update(OPTIMIZER)
  run.row.update(row)
  return run


@pytest.mark.parametrize("method", ["vae", "factor_vae", "beta_tc_vae", "infogan"])
def test_the_protocol_itself_does_not_deviate(generated, method):
  assert deviations(make_run(generated, method), "mig") == []


def test_each_deviation_of_any_run_counts_once(generated):
  runs = [make_run(generated), *(make_run(generated) for _ in range(2))]
  for run in runs[1:]:
    run.row["train_config.model.batch_size"] = "32"
  runs[2].row["train_config.model.initial_model_dir"] = "'output/0/model'"
  assert list(map(str, protocol.deviations(PROTOCOL, runs))) == [
    "model.batch_size: 32 instead of 64",
    "model.initial_model_dir: output/0/model instead of None",
  ]


@pytest.mark.parametrize(
  ("row", "text"),
  [
    ({"train_results.global_step": 4000}, "training steps: 4,000 instead of 300,000"),
    (
      {"train_config.vae/AdamOptimizer.learning_rate": "0.0005"},
      "vae_optimizer.learning_rate: 0.0005 instead of 0.0001",
    ),
    (
      {"train_config.vae_optimizer.learning_rate": "0.001"},
      "vae_optimizer.learning_rate: 0.001 instead of 0.0001",
    ),
    (
      {"train_config.vae_optimizer.optimizer_fn": "@SGDOptimizer"},
      "vae_optimizer.optimizer_fn: SGDOptimizer instead of AdamOptimizer",
    ),
    (
      {"train_config.vae/AdamOptimizer.beta1": "0.5"},
      "vae_optimizer.beta1: 0.5 instead of 0.9",
    ),
    (
      {"train_config.encoder.encoder_fn": "@fc_encoder"},
      "encoder.encoder_fn: fc_encoder instead of conv_encoder",
    ),
    (
      {"train_config.dataset.factor_distribution": "@FactorDistribution()"},
      "dataset.factor_distribution: FactorDistribution() instead of None",
    ),
    (
      {"train_config.reconstruction_loss.activation": "'tanh'"},
      "reconstruction_loss.activation: tanh instead of logits",
    ),
    (
      {"mean.mig.config.mig.num_train": "1000"},
      "mig.num_train: 1,000 instead of 10,000",
    ),
  ],
)
def test_deviations_are_named_with_both_values(generated, row, text):
  found = deviations(make_run(generated, **row), "mig")
  assert [str(deviation) for deviation in found] == [text]


def test_settings_of_another_metric_do_not_matter(generated):
  run = make_run(generated, **{"mean.mig.config.mig.num_train": "1000"})
  assert deviations(run, "total_correlation") == []
  assert deviations(run) == []


def test_numbers_are_equal_however_they_are_written(generated):
  run = make_run(
    generated,
    **{
      "train_config.vae/AdamOptimizer.learning_rate": "1e-4",
      "mean.mig.config.mig.num_train": "10000.0",
      "train_config.model.batch_size": "64",
    },
  )
  assert deviations(run, "mig") == []


def test_settings_of_the_protocol_are_chosen_before_others(generated):
  papers = [make_run(generated)]
  others = [make_run(generated, **{"train_results.global_step": 10})]
  assert protocol.choose(PROTOCOL, {"a": papers, "b": others}) == ({"a": papers}, [])
  chosen, found = protocol.choose(PROTOCOL, {"b": others})
  assert chosen == {"b": others}
  assert protocol.name(found) == "this shorter protocol"
  text = protocol.describe(found)
  assert "(training steps: 10 instead of 300,000)" in text and "this shorter protocol" in text
  assert protocol.name([protocol.Deviation("model.batch_size", 32, 64)]) == "this other protocol"
  assert protocol.choose(PROTOCOL, {}) == ({}, [])
