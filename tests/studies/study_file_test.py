import itertools

import gin
import pytest

from dl_condind.studies import study_file
from dl_condind.studies import study_list
from dl_condind.training import gin_parts  # noqa: F401 (registers the name of a binding)
from dl_condind.utils import errors


def study(axes, **settings):
  return study_file.make_study("mine", gin_files=["shared.gin"], axes=axes, **settings)


def test_the_last_axis_changes_fastest():
  axes = [("encoder.num_latent", [10, 20]), ("vae.beta", [1.0, 4.0, 6.0]), ("model.name", ["a"])]
  runs = study(axes, bindings=["model.batch_size = 3"])
  assert runs.num_runs == 6
  for model_num, (num_latent, beta) in enumerate(itertools.product([10, 20], [1.0, 4.0, 6.0])):
    gin_files, bindings = runs.run(model_num)
    assert gin_files == ["shared.gin"]
    assert bindings[0] == "model.batch_size = 3"  # So that an axis overrides it.
    assert sorted(bindings[1:]) == [
      f"encoder.num_latent = {num_latent}",
      f"model.model_num = {model_num}",
      "model.name = 'a'",
      f"vae.beta = {beta}",
    ]


def test_an_axis_of_files_is_read_after_the_shared_files():
  runs = study([("gin_file", ["a.gin", "b.gin"]), ("vae.beta", [1, 2])])
  assert [runs.run(i)[0] for i in range(4)] == [
    ["shared.gin", "a.gin"],
    ["shared.gin", "a.gin"],
    ["shared.gin", "b.gin"],
    ["shared.gin", "b.gin"],
  ]
  assert runs.run(3)[1] == ["vae.beta = 2", "model.model_num = 3"]


def test_a_study_without_axes_is_one_run():
  runs = study([])
  assert runs.num_runs == 1
  assert runs.run(0) == (["shared.gin"], ["model.model_num = 0"])


@pytest.mark.parametrize("model_num", [-1, 6])
def test_a_run_that_is_not_in_the_study_is_refused(model_num):
  runs = study([("vae.beta", [1, 2, 3]), ("model.random_seed", [0, 1])])
  message = rf"^model_num must be in \[0, 6\) for the study mine, got {model_num}"
  with pytest.raises(errors.ConfigError, match=message):
    runs.run(model_num)


@pytest.mark.parametrize(
  "axis", ["vae.beta", ("vae.beta",), ("vae.beta", []), ("vae.beta", 1), (1, [1]), ("a", [1], 2)]
)
def test_an_axis_that_is_none_is_refused(axis):
  with pytest.raises(errors.ConfigError, match=r"study\.axes must be pairs"):
    study([axis])


def test_an_axis_of_bindings(tmp_path):
  values = [["vae.beta = 1.0"], ["include 'methods/dip_vae.gin'", "dip_vae.dip_type = 'ii'"]]
  runs = study([("bindings", values), ("model.random_seed", [0, 1])])
  assert runs.run(3)[1] == [*values[1], "model.random_seed = 1", "model.model_num = 3"]
  for value in ("vae.beta = 1.0", [1]):
    with pytest.raises(errors.ConfigError, match=r'value of "bindings" must be a list of gin st'):
      study([("bindings", [value])])


def test_a_part_of_a_study_keeps_numbers_and_folder():
  axes = [("encoder.num_latent", [10, 20]), ("model.random_seed", [0, 1, 2])]
  part = study(
    axes, only=[("encoder.num_latent", [20]), ("model.random_seed", [0, 2])], folder="all"
  )
  assert part.model_nums == (3, 5)
  assert part.run(5) == study(axes).run(5)
  assert part.run_folder("output/{study}/{model_num}", 5) == "output/all/5"
  assert study(axes).run_folder("output/{study}/{model_num}", 5) == "output/mine/5"
  with pytest.raises(errors.ConfigError, match="Run 4 is not part of the study mine, which has"):
    part.run(4)


def test_two_axes_of_bindings_are_two_axes():
  lines = (["vae.beta = 1.0"], ["vae.beta = 2.0"]), (["model.batch_size = 8"], ["x = 1"])
  axes = [("bindings", list(lines[0])), ("bindings", list(lines[1]))]
  assert study(axes).run(3)[1] == [*lines[0][1], *lines[1][1], "model.model_num = 3"]
  for values in lines:
    for chosen in values:
      part = study(axes, only=[("bindings", [chosen])])
      assert len(part.model_nums) == 2
      assert all(chosen[0] in part.run(number)[1] for number in part.model_nums)
  with pytest.raises(errors.ConfigError, match=r'value of "bindings" must be a list of gin st'):
    study([("bindings", ["vae.beta = 1.0"]), axes[1]])


def test_metrics_that_would_share_a_folder_are_refused():
  message = r"study\.metrics: several have one name.*: mig, own/mig\.gin\. Rename"
  with pytest.raises(errors.ConfigError, match=message.replace("\\\\", "\\")):
    study([], metrics=["mig", "own/mig.gin", "sap_score"])
  with pytest.raises(errors.ConfigError, match=r"study\.reasoning: several have one name"):
    study([], reasoning=["values", "own/values.gin"])


@pytest.mark.parametrize("setting", ["validation", "reasoning"])
def test_what_is_done_with_representations_needs_one(setting):
  assert getattr(study([], **{setting: ["mig"]}), setting) == ("mig",)
  with pytest.raises(errors.ConfigError, match=rf"study\.{setting} needs a representation"):
    study([], representations=[], **{setting: ["mig"]})


def test_what_is_not_asked_for_is_not_in_the_settings(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / "mine.gin").write_text("include 'reasoning/spots.gin'")
  assert not {"validation", "reasoning", "own_files"} & study([]).settings(0).keys()
  settings = study([], validation=["labelled_mig"], reasoning=["mine.gin"]).settings(0)
  assert settings["validation"] == ["labelled_mig"]
  assert settings["reasoning"] == ["mine.gin"]
  assert settings["own_files"].keys() == {"mine.gin"}


@pytest.mark.parametrize(
  ("only", "message"),
  [
    ([("vae.beta", [3])], r"study\.only: no axis 'vae\.beta' of study\.axes has 3"),
    ([("vae.bta", [1])], r"study\.only: no axis 'vae\.bta'"),
    (["vae.beta"], r"study\.only must be pairs"),
  ],
)
def test_a_part_that_is_none_is_refused(only, message):
  with pytest.raises(errors.ConfigError, match=message):
    study([("vae.beta", [1, 2])], only=only)


def test_covering_runs_have_every_value():
  runs = study(
    [("vae.beta", [1, 2, 3]), ("model.random_seed", [0, 1])], only=[("vae.beta", [2, 3])]
  )
  assert runs.covering_runs() == [2, 3, 4]
  assert study([]).covering_runs() == [0]


def test_settings_are_all_that_makes_a_run():
  runs = study([("vae.beta", [1, 2])], metrics=["mig"], representations=[])
  assert runs.settings(1, ["model.batch_size = 3"]) == {
    "gin_files": ["shared.gin"],
    "bindings": ["vae.beta = 2", "model.model_num = 1", "model.batch_size = 3"],
    "metrics": ["mig"],
    "representations": [],
  }


def test_a_users_study_is_read_from_its_file(tmp_path):
  path = tmp_path / "my_study.gin"
  path.write_text(
    'study.gin_files = ["shared.gin"]\n'
    'study.axes = [("vae.beta", [1.0, 2.0])]\n'
    'study.metrics = ["mig", "my_metric.gin"]\n'
    'study.representations = ["mean"]\n'
  )
  mine = study_file.load_study(str(path))
  assert mine == study_file.Study(
    name="my_study",
    gin_files=("shared.gin",),
    bindings=(),
    axes=(("vae.beta", (1.0, 2.0)),),
    metrics=("mig", "my_metric.gin"),
    representations=("mean",),
    snapshot_metrics=(),
    only=(),
    folder="my_study",
  )
  assert not gin.config_is_locked()


def test_a_study_that_is_not_there_is_refused(tmp_path):
  with pytest.raises(errors.ConfigError, match=r"^study must be one of .*quickstart.*'quick'"):
    study_file.load_study("quick")
  with pytest.raises(errors.ConfigError, match=r"no gin file '.*absent\.gin'"):
    study_file.load_study(str(tmp_path / "absent.gin"))


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("study.axis = []", "has no parameter 'axis'"),
    ("study.axes = 3", r"study\.axes must be"),
    ("study.gin_files = [1]", r"study\.gin_files must be"),
    ("study.name = 'x'", r"study\.name is set by the program"),
  ],
)
def test_a_mistake_in_a_study_is_refused(tmp_path, text, message):
  path = tmp_path / "my_study.gin"
  path.write_text(text)
  with pytest.raises(errors.ConfigError, match=message):
    study_file.load_study(str(path))


def test_studies_of_the_package():
  assert {"quickstart", "paper_dsprites"} <= set(study_file.study_names())
  assert study_file.load_study("quickstart").num_runs == 2
  paper = study_file.load_study("paper_dsprites")
  assert paper.num_runs == 120
  gin_files, bindings = paper.run(47)  # VAE: 0 to 39, FactorVAE: 40 to 79, beta-TCVAE: 80 to 119.
  assert gin_files[-1] == "methods/factor_vae.gin"
  assert set(bindings) == {
    "encoder.num_latent = 10",
    "equicorrelated.correlation = 0.0",
    "model.random_seed = 7",
    "model.model_num = 47",
  }


def test_the_grid_of_the_paper():
  paper = study_file.load_study("paper")
  assert paper.num_runs == len(paper.model_nums) == 360
  cells = {}
  for number in paper.model_nums:
    gin_files, bindings = paper.run(number)
    values = dict(binding.split(" = ") for binding in bindings)
    assert gin_files[:2] == ["shared.gin", "posteriors/equicorrelated.gin"]
    cell = (gin_files[2], values["dataset.name"], *(
      float(values[key]) for key in ("equicorrelated.correlation", "encoder.num_latent")
    ))  # fmt: skip
    cells.setdefault(cell, []).append(int(values["model.random_seed"]))
  methods = ["methods/beta_tc_vae.gin", "methods/factor_vae.gin", "methods/vae.gin"]
  data_sets = ["'cars3d'", "'dsprites_full'", "'smallnorb'"]
  assert sorted(cells) == list(itertools.product(methods, data_sets, [0.0, 0.9], [10, 20]))
  assert all(seeds == list(range(10)) for seeds in cells.values())


@pytest.mark.parametrize(
  ("name", "number", "bindings"),
  [
    ("paper_figure1", 180, {"encoder.num_latent = 10"}),
    ("paper_figure2", 60, {"encoder.num_latent = 10", "dataset.name = 'dsprites_full'"}),
    ("paper_figure5", 180, {"encoder.num_latent = 20"}),
  ],
)
def test_figures_are_parts_of_the_papers_grid(name, number, bindings):
  part, paper = study_file.load_study(name), study_file.load_study("paper")
  assert len(part.model_nums) == number and part.folder == "paper"
  for model_num in part.model_nums:
    assert bindings <= set(part.run(model_num)[1])
    assert part.settings(model_num) == paper.settings(model_num)
  rest = set(paper.model_nums) - set(part.model_nums)
  assert not any(bindings <= set(paper.run(model_num)[1]) for model_num in rest)


def test_other_studies_of_the_package():
  sweep = study_file.load_study("correlation_sweep")
  axes = dict(sweep.axes)
  assert axes["equicorrelated.correlation"] == (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99)
  assert sweep.num_runs == 240
  assert study_file.load_study("paper_reduced").num_runs == 60
  lines = study_list.describe_studies().splitlines()
  assert [line.split()[0] for line in lines] == study_file.study_names()
  assert any(line.split()[:3] == ["paper_figure2", "60", "runs"] for line in lines)


# First and last run of a method on a data set in disentanglement_lib's numbering.
@pytest.mark.parametrize(
  ("first", "last", "dataset", "binding"),
  [
    (0, 49, "dsprites_full", "vae.beta = 1.0"),
    (400, 449, "dsprites_full", "factor_vae.gamma = 30.0"),
    (450, 499, "dsprites_full", "factor_vae.gamma = 40.0"),
    (1350, 1399, "dsprites_full", "beta_tc_vae.beta = 6.0"),
    (7200, 7249, "smallnorb", "vae.beta = 1.0"),
    (7600, 7649, "smallnorb", "factor_vae.gamma = 30.0"),
    (8550, 8599, "smallnorb", "beta_tc_vae.beta = 6.0"),
    (9000, 9049, "cars3d", "vae.beta = 1.0"),
    (9450, 9499, "cars3d", "factor_vae.gamma = 40.0"),
    (10350, 10399, "cars3d", "beta_tc_vae.beta = 6.0"),
    (600, 649, "dsprites_full", "dip_vae.lambda_od = 1.0"),
    (12550, 12599, "shapes3d", "annealed_vae.c_max = 100.0"),
  ],
)
def test_the_numbers_of_the_unsupervised_study_are_disentanglement_libs(
  first, last, dataset, binding
):
  runs = study_file.load_study("unsupervised_study_v1")
  assert runs.num_runs == 12600 and len(runs.metrics) == 9
  for model_num, seed in ((first, 0), (last, 49)):
    gin_files, bindings = runs.run(model_num)
    assert gin_files == ["shared.gin"]
    assert {f"dataset.name = '{dataset}'", binding, f"model.random_seed = {seed}"} <= set(bindings)
  for neighbour in {first - 1, last + 1} & set(range(12600)):
    assert not {f"dataset.name = '{dataset}'", binding} <= set(runs.run(neighbour)[1])


def test_the_fairness_study_has_the_runs_of_the_unsupervised_study():
  unsupervised, fair = map(study_file.load_study, ("unsupervised_study_v1", "fairness_study_v1"))
  assert fair.num_runs == 12600
  assert all(fair.run(number) == unsupervised.run(number) for number in range(0, 12600, 7))
  assert set(fair.metrics) == {*unsupervised.metrics, "fairness"} and len(fair.metrics) == 10


def test_the_numbers_of_the_abstract_reasoning_study_are_disentanglement_libs():
  unsupervised = study_file.load_study("unsupervised_study_v1")
  study = study_file.load_study("abstract_reasoning_study_v1")
  assert study.num_runs == 360 and study.metrics == unsupervised.metrics
  for number in range(360):  # dataset * 180 + model * 5 + seed
    dataset, rest = divmod(number, 180)
    model, seed = divmod(rest, 5)
    found = dict(study.values(number))
    assert found["dataset.name"] == ("shapes3d", "abstract_dsprites")[dataset]
    assert found["model.random_seed"] == seed
    assert found["bindings"] == dict(unsupervised.values(50 * model))["bindings"]


def test_a_binding_that_no_run_would_read_is_refused(tmp_path):
  path = tmp_path / "mine.gin"
  path.write_text("study.gin_files = []\nstudy.axes = []\nposterior.noise_correlation = None\n")
  message = r"mine\.gin binds posterior\.noise_correlation.*put it in study\.bindings"
  with pytest.raises(errors.ConfigError, match=message):
    study_file.load_study(str(path))


def test_a_study_may_use_macros(tmp_path):
  path = tmp_path / "mine.gin"
  path.write_text("seeds = [0, 1]\nstudy.gin_files = []\nstudy.axes = [('model.seed', %seeds)]\n")
  assert study_file.load_study(str(path)).num_runs == 2
