import pathlib

from dl_condind.reports import grouping
from dl_condind.reports import study_runs

CONFIG = {
  "model.model": "@vae()",
  "vae.beta": "1.0",
  "dataset.name": "'dsprites_full'",
  "encoder.num_latent": "10",
  "model.random_seed": "3",
  "model.training_steps": "100",
}


def make_run(name="0", config=None, **columns):
  config = {**CONFIG, **(config or {})}
  row = {"run": name, **{f"train_config.{key}": value for key, value in config.items()}, **columns}
  return study_runs.Run(name, pathlib.Path(name), row, {})


def noise(function, **parameters):
  name = function.removeprefix("@")
  return {
    "posterior.noise_correlation": function,
    **{f"{name}.{key}": str(value) for key, value in parameters.items()},
  }


def test_runs_of_one_setting_differ_in_noise_and_seed_only():
  runs = [
    make_run("0"),
    make_run("1", {"model.random_seed": "4", "model.model_num": "1"}),
    make_run("2", noise("@equicorrelated", correlation=0.9)),
    make_run("3", noise("@banded", width=2)),
    make_run("4", {"vae.beta": "4.0"}),
    make_run("5", {"encoder.num_latent": "20"}),
    make_run("6", {"vae.beta": "4.0", "model.training_steps": "200"}),
  ]
  groups = grouping.group_by_setting(runs)
  assert {name: [run.name for run in members] for name, members in groups.items()} == {
    "VAE on dsprites_full, 10 latents (model.training_steps = 100, vae.beta = 1)": [*"0123"],
    "VAE on dsprites_full, 10 latents (model.training_steps = 100, vae.beta = 4)": ["4"],
    "VAE on dsprites_full, 20 latents": ["5"],
    "VAE on dsprites_full, 10 latents (model.training_steps = 200, vae.beta = 4)": ["6"],
  }
  assert list(grouping.group_by_setting(runs[:3])) == ["VAE on dsprites_full, 10 latents"]


def test_a_parameter_that_is_not_set_is_no_setting_of_its_own():
  key = "model.initial_model_dir"
  runs = [make_run("0"), make_run("1", {key: "None"}), make_run("2", {key: "'output/0/model'"})]
  groups = grouping.group_by_setting(runs)
  assert {name: [run.name for run in members] for name, members in groups.items()} == {
    "VAE on dsprites_full, 10 latents": ["0", "1"],
    "VAE on dsprites_full, 10 latents (model.initial_model_dir = 'a trained model')": ["2"],
  }


def test_runs_that_start_from_a_model_for_each_seed_are_one_setting():
  runs = [
    make_run(
      f"{seed}{c}",
      {
        **noise("@equicorrelated", correlation=c),
        "model.initial_model_dir": f"'output/{seed}/model'",
        "model.random_seed": str(seed),
      },
    )
    for seed in range(2)
    for c in (0.0, 0.9)
  ]
  (members,) = grouping.group_by_setting(runs).values()
  assert members == runs
  other = make_run("again", {**runs[0].config, "model.initial_model_dir": "'output/9/model'"})
  assert other.identity != runs[0].identity and other.setting_items == runs[0].setting_items


def test_a_value_that_a_macro_has_is_the_value():
  runs = [
    make_run("0", {"vae.beta": "4.0"}),
    make_run("1", {"vae.beta": "%beta", "beta": "4.0"}),
    make_run("2", {"vae.beta": "%beta", "beta": "1.0"}),
  ]
  groups = grouping.group_by_setting(runs)
  assert [[run.name for run in members] for members in groups.values()] == [["0", "1"], ["2"]]


def test_the_default_of_a_new_parameter_does_not_split_a_setting():
  runs = [
    make_run(str(i), config)
    for i, config in enumerate(
      [{}, {"dynamics.redraw": "'uniform'"}, {"dynamics.redraw": "'given_first'"}]
    )
  ]
  groups = grouping.group_by_setting(runs)
  assert [[run.name for run in members] for members in groups.values()] == [["0", "1"], ["2"]]
