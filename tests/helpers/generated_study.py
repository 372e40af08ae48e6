"""Studies of generated records: what trained and evaluated runs leave, without the training."""

import itertools
import json
import pathlib

import numpy as np

from dl_condind.reports import measures
from dl_condind.reports import study_runs
from dl_condind.utils import files

WEIGHTS = {
  "vae": {"vae.beta": "1.0"},
  "factor_vae": {"factor_vae.gamma": "35.0"},
  "beta_tc_vae": {"beta_tc_vae.beta": "6.0", "beta_tc_vae.density": "'factorized'"},
  "group_vae_argmax": {"group_vae_argmax.beta": "4.0", "dynamics.k": "1"},
}
PROVENANCE = {
  "dl_condind": "0.1.0",
  "tensorflow": "2.21.0",
  "dataset_source": "rendered",
  "dataset_sha256": "0123456789abcdef",
  "command_line": "bin/dl_condind_reproduce --study=generated",
}


def config_of(method="vae", dataset="dsprites_full", num_latent=10, correlation=0.0, seed=0):
  """Returns the configuration of a run with the paper's weights and steps, as gin writes it."""
  common = {
    "model.model": f"@{method}()",
    "dataset.name": f"'{dataset}'",
    "model.random_seed": str(seed),
    "posterior.noise_correlation": "@equicorrelated",
    "equicorrelated.correlation": str(correlation),
  }
  if method == "infogan":
    return {**common, **infogan_config(num_latent)}
  return {
    **common,
    **WEIGHTS[method],
    "encoder.num_latent": str(num_latent),
    "model.training_steps": "150000" if method == "factor_vae" else "300000",
    "reconstruction_loss.loss_fn": "@bernoulli_loss",
  }


def infogan_config(num_continuous):
  """Returns what the configuration of an InfoGAN has beside what all methods have."""
  rates = {"discriminator": "0.0002", "recognition": "0.0002", "generator": "0.001"}
  config = {
    "infogan.info_weight": "0.1",
    "infogan.num_continuous": str(num_continuous),
    "infogan.continuous_prior": "'normal'",
    "infogan.num_categories": "10",
    "infogan.categorical_weight": "1.0",
    "model.batch_size": "64",
    "model.training_steps": "15000",
  }
  for name, rate in rates.items():
    config[f"{name}_optimizer.learning_rate"] = "None"
    config[f"{name}_optimizer.optimizer_fn"] = f"@{name}/AdamOptimizer"
    config[f"{name}/AdamOptimizer.learning_rate"] = rate
  return config


def make_runs(columns, name="0", **config):
  """Returns runs without files, one for each value; a list of values of each measure."""
  runs = []
  for i in range(len(next(iter(columns.values())))):
    row = {f"train_config.{k}": v for k, v in config_of(**{"seed": i, **config}).items()}
    row |= {measures.find(key).columns[0]: values[i] for key, values in columns.items()}
    row["train_results.global_step"] = int(row["train_config.model.training_steps"])
    runs.append(study_runs.Run(f"{name}-{i}", pathlib.Path(), row, dict(PROVENANCE)))
  return runs


def write_record(stage, step, parts):
  """Writes a record as `results.write_results` does, but does not wait for the disk."""
  folder = stage / "results"
  flat = {f"{part}.{key}": value for part, values in parts.items() for key, value in values.items()}
  contents = {f"json/{part}.json": values for part, values in parts.items()}
  contents[f"aggregate/{step}.json"] = flat
  for name, values in contents.items():
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(values))
  manifest = {name: files.sha256(folder / name) for name in contents}
  (folder / files.MANIFEST).write_text(json.dumps(manifest))


def write_run(run, config, mig=0.3, reconstruction=30.0, kl=20.0, total_correlation=8.0, **extra):
  """Writes the records of one run; measures that are None are not evaluated."""
  train = {
    "train_config": config,
    "train_results": {"global_step": int(config["model.training_steps"]), "elapsed_time": 90.0},
    "train_provenance": {**PROVENANCE, **extra},
  }
  write_record(run / "model", "train", train)
  terms = {"reconstruction_loss": reconstruction, "kl_loss": kl}
  scores = {
    "mig": {"discrete_mig": mig},
    "vae_terms": {**terms, "kl_loss_full": None if kl is None else kl + 1},
    "total_correlation": {"total_correlation": total_correlation},
  }
  for metric, results in scores.items():
    if None not in results.values():
      stage = run / "metrics" / "mean" / metric
      write_record(stage, "evaluation", {**train, "evaluation_results": results})


def write_infogans(study_dir, num_seeds=3, **measures):
  """Writes a study of InfoGANs in which what the paper sees is so: c = 0 first, then c = 0.9."""
  rng = np.random.default_rng(0)
  for number in range(2 * num_seeds):
    correlation = 0.9 * (number >= num_seeds)
    config = config_of("infogan", "mnist", 2, correlation, number % num_seeds)
    values = {
      "gap": rng.normal(0.3 - 0.2 * correlation, 0.01),
      "assigned": rng.normal(0.5 - 0.2 * correlation, 0.01),
      "change": rng.normal(0.2 + 0.2 * correlation, 0.01),
    }
    write_infogan(study_dir / str(number), config, **{**values, **measures})


LOSSES = {"discriminator_loss": 1.01, "generator_loss": 1.23, "mutual_information_penalty": -0.045}


def write_infogan(run, config, gap=0.2, assigned=0.4, change=0.3, collapsed=False):
  """Writes records and log of one InfoGAN with two codes; no evaluation if the gap is None.

  The losses of the log fall early and are LOSSES on average from then on, those of the record are
  others. What the paper says of one correlation is so.
  """
  is_correlated = config["equicorrelated.correlation"] != "0.0"
  results = {"global_step": 15000, "elapsed_time": 3000.0, "discriminator_collapsed": False}
  train = {
    "train_config": config,
    "train_results": {**results, **{name: 9.0 for name in LOSSES}},
    "train_provenance": {**PROVENANCE, "dataset_source": "official files, train split"},
  }
  write_record(run / "model", "train", train)
  pair = [{name: value + shift for name, value in LOSSES.items()} for shift in (-0.5, 0.5)]
  entries = [{name: 5.0 for name in LOSSES}] * 8 + pair * 16
  lines = [json.dumps({"step": 100 * i, **entry}) for i, entry in enumerate(entries)]
  (run / "model" / "train_log.jsonl").write_text("\n".join(lines) + "\n")
  if gap is None:
    return
  of_attributes = {"slant": (0.1, 0.8), "width": (0.7, 0.05), "height": (0.2, 0.1)}
  if is_correlated:
    of_attributes |= {"slant": (0.3, 0.35), "width": (0.2, 0.25)}
  shares = {
    f"conditional_r2.{attribute}.code_{code}": share
    for attribute, of_codes in {**of_attributes, "thickness": (0.1, 0.0)}.items()
    for code, share in enumerate(of_codes)
  }
  scores = {
    "conditional_r2_mean_gap": gap,
    "conditional_r2_mean_gap_null": 0.001,
    "conditional_r2_assigned": assigned,
    "conditional_r2_assigned_null": 0.003,
    "digit_change_rate": change,
    "digit_change_rate_null": 0.999,
    "error_correlation": 0.6 if is_correlated else -0.05,
    "error_correlation_null": 0.01,
    "category_accuracy": 0.99,
    "sure_share": 0.95,
    "num_covered_digits": 7 if collapsed else 10,
    "collapsed": collapsed,
  }
  stage = run / "metrics" / "model" / "infogan_disentanglement"
  settings = {"infogan_disentanglement.num_points": "5000", "digit_classifier.cache_dir": "'/x'"}
  parts = {"evaluation_config": settings, "evaluation_results": {**scores, **shares}}
  write_record(stage, "evaluation", {**train, **parts})


def write_begun(run, config=None, **ends):
  """Writes what a run leaves that is not trained; ends are contents of `{name}.json`."""
  (run / "model").mkdir(parents=True)
  if config is not None:
    identity = {**config, "runtime.device": "cpu"}
    (run / "model" / "run.json").write_text(json.dumps(identity))
    (run / "model" / "train_log.jsonl").write_text('{"step": 0}\n{"step": 100}\n{"st')
  for name, end in ends.items():
    (run / f"{name}.json").write_text(json.dumps(end))


def write_study(study_dir, methods, datasets, correlations, num_seeds, num_latents=(10,), seed=0):
  """Writes a study in which MIG falls with the correlation; returns its configurations."""
  rng = np.random.default_rng(seed)
  axes = itertools.product(methods, datasets, num_latents, correlations, range(num_seeds))
  configs = []
  for number, values in enumerate(axes):
    method, _, _, correlation, _ = values
    configs.append(config_of(*values))
    shift = correlation if method == "beta_tc_vae" else 0.0
    kl = rng.normal(20 - 5 * shift - 3 * methods.index(method), 0.8)
    write_run(
      study_dir / str(number),
      configs[-1],
      mig=rng.normal(0.3 - 0.2 * correlation, 0.04),
      reconstruction=rng.normal(30 + 8 * shift, 0.7),
      kl=kl,
      total_correlation=0.5 * kl - 2 + rng.normal(0, 0.3),
    )
  return configs
