import pathlib
import re

from dl_condind.reports import measures
from dl_condind.reports import study_description
from dl_condind.reports import study_runs
from dl_condind.studies import study_file

REPRODUCE = "bin/dl_condind_reproduce --study=quickstart --model_num={} --output_directory=out/{}"


def make_run(name, correlation, command_line, seed=0, **columns):
  row = {
    "train_config.model.model": "@vae()",
    "train_config.vae.beta": "1.0",
    "train_config.dataset.name": "'dsprites_full'",
    "train_config.encoder.num_latent": "10",
    "train_config.model.random_seed": str(seed),
    "train_config.model.training_steps": "5000",
    "train_config.model.batch_size": "64",
    "train_config.vae_optimizer.optimizer_fn": "@vae/AdamOptimizer",
    "train_config.vae_optimizer.learning_rate": "None",
    "train_config.vae/AdamOptimizer.learning_rate": "0.0005",
    "train_config.posterior.noise_correlation": "@equicorrelated",
    "train_config.equicorrelated.correlation": str(correlation),
    **columns,
  }
  provenance = {
    "command_line": command_line,
    "tensorflow": "2.21.0",
    "dataset_source": "rendered",
    "dataset_sha256": "0123456789abcdef0123",
  }
  return study_runs.Run(name, pathlib.Path(name), row, provenance)


def quickstart_runs():
  return [make_run(str(i), c, REPRODUCE.format(i, i)) for i, c in enumerate((0.0, 0.9))]


def text_of(found):
  """Returns all texts of what was run or of what is missing."""
  if isinstance(found, study_description.Missing):
    parts = [found.summary, *found.problems]
  else:
    parts = [f"{name} {value}" for facts in found.facts.values() for name, value in facts]
    parts = [*found.facts, *parts, *found.commands]
  return re.sub(r"\s+", " ", " ".join(parts).replace("\u00a0", " "))


def test_what_was_run_is_complete():
  runs = [*quickstart_runs(), make_run("2", 0.0, "other", seed=4)]
  text = text_of(study_description.what_was_run({"VAE on dsprites_full": runs}))
  for fact in (
    "VAE, vae.beta = 1.0",
    "dsprites_full, rendered by this package, sha256 0123456789abcdef",
    "5000 steps, batches of 64, learning rate 0.0005",
    "c = 0: 0, 4; c = 0.9: 0",
    "tensorflow 2.21.0",
    "# run 1 bin/dl_condind_reproduce --study=quickstart --model_num=1",
  ):
    assert fact in text


def test_commands_of_runs_are_shown_without_the_folder_of_the_program():
  line = "/somewhere/bin/dl_condind_reproduce '--gin_bindings=model.batch_size = 8' --model_num=1"
  runs = [make_run("1", 0.0, line), make_run("2", 0.0, "")]
  text = text_of(study_description.what_was_run({"VAE": runs}))
  assert "# run 1 dl_condind_reproduce '--gin_bindings=model.batch_size = 8' --model_num=1" in text
  assert "# run 2 -" in text


def test_what_was_run_of_an_infogan(generated):
  runs = generated.make_runs({"steps": [15000]}, method="infogan", dataset="mnist", num_latent=2)
  text = text_of(study_description.what_was_run({"InfoGAN": runs}))
  for fact in (
    "InfoGAN, infogan.info_weight = 0.1, infogan.num_continuous = 2",
    "those of Chen et al. (2016)",
    "learning rate 0.0002 (discriminator), 0.0002 (recognition), 0.001 (generator)",
  ):
    assert fact in text
  assert "latents" not in text


def test_learning_rate_of_the_optimizer_function_wins():
  run = make_run("0", 0.0, "", **{"train_config.vae_optimizer.learning_rate": "0.5"})
  assert "learning rate 0.5 " in text_of(study_description.what_was_run({"VAE": [run]}))


def test_official_data_is_told_from_rendered():
  run = make_run("0", 0.0, "")
  run.provenance["dataset_source"] = "official npz"
  text = text_of(study_description.what_was_run({"VAE": [run]}))
  assert "official npz, sha256" in text and "rendered by" not in text


def test_each_data_set_is_said_to_be_what_it_is():
  runs = [make_run("0", 0.0, ""), make_run("1", 0.0, ""), make_run("2", 0.0, "")]
  runs[1].provenance["dataset_source"] = "official npz"
  runs[2].row["train_config.dataset.name"] = "'cars3d'"
  runs[2].provenance.update(dataset_source="synthetic", dataset_sha256="none")
  assert study_description.data_sets(runs) == (
    "Data: cars3d: synthetic stand-in, not real images, sha256 none; dsprites_full: official npz, "
    "rendered by this package, sha256 0123456789abcdef."
  )


def test_a_record_without_digest_claims_none():
  run = make_run("0", 0.0, "")
  del run.provenance["dataset_sha256"]
  assert study_description.data_sets([run]) == "Data: dsprites_full: rendered by this package."


def missing_text(runs, left_out=(), study=None):
  return text_of(study_description.what_is_missing(runs, left_out, study)).strip()


def test_missing_evaluation_of_an_infogan_is_listed(generated):
  (run,) = generated.make_runs({"steps": [15000]}, method="infogan", dataset="mnist")
  assert "Run 0-0: not evaluated: infogan_disentanglement." in missing_text([run])
  (run,) = generated.make_runs({"digit_change_rate": [0.1]}, method="infogan", dataset="mnist")
  assert "not evaluated" not in missing_text([run])
  (run,) = generated.make_runs({"steps": [1]}, method="infogan", dataset="dsprites_full")
  assert "not evaluated" not in missing_text([run])  # The metric reads digits.


def test_missing_values_are_listed():
  columns = {
    "mean.mig.discrete_mig": 0.1,
    "mean.vae_terms.reconstruction_loss": 1.0,
    "mean.total_correlation.total_correlation": 1.0,
  }
  text = missing_text([make_run("1", 0.0, "", **columns), make_run("2", 0.0, "", **columns)])
  assert "2 trained runs count." in text
  assert "Run 0: not trained." in text
  assert "Runs 1-2: not evaluated: MIG (sampled)." in text


def whole_run(name):
  return make_run(name, 0.0, "", **{measure.columns[0]: 1.0 for measure in measures.of_kind("vae")})


def test_nothing_missing():
  text = missing_text([whole_run("0")])
  assert text == "1 trained run, each with every value; none begun and not finished."


def test_runs_that_do_not_count_are_listed_with_the_reason():
  left_out = [
    study_runs.Run(name, pathlib.Path(), {}, {}, "diverged", "diverged: loss is nan")
    for name in ("1", "2", "other")
  ]
  text = missing_text([whole_run("0")], left_out)
  assert "Runs 1-2, other: diverged: loss is nan." in text


def test_runs_of_the_grid_that_are_absent_are_listed():
  study = study_file.make_study(
    "study",
    gin_files=["shared.gin"],
    axes=[("model.random_seed", [*range(6)])],
    metrics=["mig", "own/folder/med.gin"],
    representations=["mean"],
  )
  text = missing_text([whole_run("0"), whole_run("4")], study=study)
  assert text.startswith("2 trained runs of 6 of the study study count.")
  assert "Runs 1-3, 5: not trained." in text
  assert "Runs 0, 4: not evaluated: med (mean)." in text


def test_a_missing_evaluation_of_the_model_itself_is_found():
  study = study_file.make_study(
    "study", ["a.gin"], [("model.random_seed", [0])], metrics=["a/digits.gin"], representations=[]
  )
  assert "Run 0: not evaluated: digits (model)." in missing_text([whole_run("0")], study=study)


def test_ranges():
  assert study_description.ranges(["10", "2", "b", "3", "1", "a/0"]) == "1-3, 10, a/0, b"
  assert study_description.ranges([]) == ""
