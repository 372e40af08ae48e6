import dataclasses
import itertools
import pathlib
import shlex

import pytest

from dl_condind.reports import next_steps
from dl_condind.studies import study_file
from dl_condind.utils import errors

REPRODUCE = "bin/dl_condind_reproduce --study=quickstart --model_num={} --output_directory=out/{}"


def make_run(generated, name, correlation, command_line, **config):
  (run,) = generated.make_runs({"seconds": [1.0]}, correlation=correlation, **config)
  provenance = {**run.provenance, "command_line": command_line}
  return dataclasses.replace(run, name=name, provenance=provenance)


def quickstart_runs(generated):
  return [make_run(generated, str(i), c, REPRODUCE.format(i, i)) for i, c in enumerate((0.0, 0.9))]


def text_of(steps):
  return " ".join([steps.introduction, *steps.commands, *steps.others])


def commands_of(steps):
  return [shlex.split(line) for line in steps.commands]


def test_commands_add_a_seed_in_new_folders(generated):
  steps = next_steps.how_to_go_on("out", "out/report.html", quickstart_runs(generated))
  assert commands_of(steps) == [
    [
      "bin/dl_condind_reproduce",
      "--study=quickstart",
      f"--model_num={number}",
      f"--output_directory=out/{number}_seed_1",
      "--gin_bindings=model.random_seed = 1",
    ]
    for number in range(2)
  ] + [["bin/dl_condind_report", "--study_dir=out", "--output_path=out/report.html"]]


def test_every_setting_gets_a_seed(generated):
  runs = [
    make_run(
      generated,
      str(number),
      c,
      f"bin/dl_condind_reproduce --study=mine --model_num={number}",
      method=name,
    )
    for number, (name, c) in enumerate(itertools.product(("vae", "beta_tc_vae"), (0.0, 0.9)))
  ]
  commands = commands_of(next_steps.how_to_go_on("out", "r.html", runs))
  assert [command[2] for command in commands[:-1]] == [f"--model_num={n}" for n in range(4)]


def test_a_page_of_a_table_leaves_the_table_alone(generated):
  runs = quickstart_runs(generated)
  steps = next_steps.how_to_go_on("docs", "r.html", runs, runs_csv=pathlib.Path("docs/runs.csv"))
  assert commands_of(steps) == [
    ["bin/dl_condind_report", "--runs_csv=docs/runs.csv", "--output_path=r.html"]
  ]


def test_other_ways_of_training_get_words(generated):
  runs = [make_run(generated, "0", 0.0, "bin/dl_condind_train --model_dir=out/0/model")]
  steps = next_steps.how_to_go_on("my out", "r.html", runs)
  assert "dl_condind_reproduce --study=quickstart" not in text_of(steps)
  assert "another model.random_seed" in text_of(steps)
  assert commands_of(steps) == [["dl_condind_report", "--study_dir=my out", "--output_path=r.html"]]


def test_commands_take_a_seed_that_no_run_was_begun_with(generated):
  other = make_run(generated, "7", 0.0, "", seed=4)
  steps = next_steps.how_to_go_on("out", "r.html", quickstart_runs(generated), [other])
  text = text_of(steps)
  assert "--output_directory=out/0_seed_5" in text and "model.random_seed = 5" in text


def test_command_of_a_known_study_makes_all_that_is_missing(generated):
  line = (
    "/somewhere/bin/dl_condind_reproduce --study=my.gin '--gin_bindings=model.batch_size = 8' "
    "--model_num=1 --output_directory=out/1 '--gin_bindings=model.num_threads = 1'"
  )
  study = study_file.make_study("my", ["shared.gin"], axes=[("model.random_seed", [0, 1])])
  steps = next_steps.how_to_go_on("out", "r.html", [make_run(generated, "1", 0.0, line)], (), study)
  assert commands_of(steps) == [
    [
      "dl_condind_reproduce",
      "--study=my.gin",
      "--gin_bindings=model.batch_size = 8",
      "--engine=local",
      "--output_directory=out/{model_num}",
    ],
    ["dl_condind_report", "--study_dir=out", "--study=my.gin", "--output_path=r.html"],
  ]


def test_imports_stay_trusted(generated):
  line = "dl_condind_reproduce --study=my.gin --trust_gin_imports --model_num=1"
  study = study_file.make_study("my", ["shared.gin"], axes=[("model.random_seed", [0, 1])])
  runs = [make_run(generated, "1", 0.0, line)]
  for known in (study, None):
    commands = commands_of(next_steps.how_to_go_on("out", "r.html", runs, (), known))
    assert ["--trust_gin_imports" in words for words in commands] == [True, True]


def test_runs_of_another_study_go_on_as_the_known_one(generated):
  study = study_file.make_study("part", ["shared.gin"], axes=[("model.random_seed", [0, 1])])
  runs = [make_run(generated, "1", 0.0, "bin/dl_condind_reproduce --study=whole --model_num=1")]
  steps = next_steps.how_to_go_on("out", "r.html", runs, (), study)
  assert ["--study=part" in words for words in commands_of(steps)] == [True, True]


def test_a_known_study_needs_no_command_of_a_run(generated):
  study = study_file.make_study("my", ["shared.gin"], axes=[("model.random_seed", [0, 1])])
  runs = [make_run(generated, "1", 0.0, "bin/dl_condind_train --model_dir=out/0/model")]
  first = commands_of(next_steps.how_to_go_on("out", "r.html", runs, (), study))[0]
  assert first[:3] == ["dl_condind_reproduce", "--study=my", "--engine=local"]


def test_ways_on_are_those_of_the_methods_there_are(generated):
  vae = make_run(generated, "0", 0.0, "")
  infogan = make_run(generated, "1", 0.0, "", method="infogan", dataset="mnist", num_latent=2)
  for runs in ([vae], [infogan], [vae, infogan]):
    text = text_of(next_steps.how_to_go_on("out", "r.html", runs))
    assert ("dl_condind_visualize_model" in text) == (vae in runs)
    assert ("dl_condind_visualize_infogan" in text) == (infogan in runs)
    assert "infogan.continuous_prior = 'uniform'" in text or infogan not in runs


def test_a_damaged_command_is_one_line(generated):
  run = make_run(generated, "3", 0.0, "dl_condind_train --gin_bindings='half")
  with pytest.raises(
    errors.DatasetError, match=r"^The command of run 3 is damaged \(no closing qu"
  ):
    next_steps.command_line(run)
