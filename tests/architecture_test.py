"""Which module may import which: imports point down."""

import ast
import functools
import graphlib
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest

import dl_condind

ROOT = pathlib.Path(__file__).parents[1]
PROGRAMS = sorted(path.name for path in (ROOT / "bin").glob("dl_condind_*"))

STAGES = {"visualize", "evaluation", "postprocessing", "training"}

# What a package may import beside itself.
BELOW = {
  "utils": set(),
  "data": {"utils"},
  "posteriors": {"utils"},
  "networks": {"utils"},
  "methods": {"networks", "posteriors", "data", "utils"},
  "saved_models": {"methods", "utils"},
  "training": {"saved_models", "methods", "networks", "posteriors", "data", "utils"},
  "postprocessing": {"saved_models", "methods", "posteriors", "data", "utils"},
  "evaluation": {"saved_models", "methods", "posteriors", "data", "utils"},
  "visualize": {"evaluation", "saved_models", "methods", "data", "utils"},
  "reasoning": {
    "visualize",
    "training",
    "saved_models",
    "methods",
    "networks",
    "data",
    "utils",
  },
  "explorer": {"visualize", "evaluation", "saved_models", "data", "utils"},
  "laboratory": set(),
  "studies": {*STAGES, "reasoning", "saved_models", "methods", "data", "utils"},
  "runs": {"explorer", "reasoning", *STAGES, "saved_models", "methods", "data", "utils"},
  "reports": {"studies", "visualize", "saved_models", "utils"},
  "programs": {
    "reports",
    "studies",
    "explorer",
    "reasoning",
    "visualize",
    "evaluation",
    "postprocessing",
    "training",
    "saved_models",
    "data",
    "utils",
  },
}

SEMI_SUPERVISED = {"s2_vae", "s2_factor_vae", "s2_mine_vae", "supervised_encoder"}

# The layers inside packages, from the top. No module imports one of its own layer.
LAYERS = {
  "training": [
    {"train", "gin_description"},
    {"trainer", "gin_parts", "gin_labels"},
    {"training_loop", "run_identity", "run_seeds", "initial_weights"},
    {"checkpoints", "runtime", "training_progress"},
  ],
  "saved_models": [
    {"export", "pretrained"},
    {"keras_networks", "onnx_networks", "stored_infogan", "stored_vae"},
    {"stored_model"},
    {"saved_model"},
    {"allowed_models", "model_errors", "network_layers"},
    {"allowed_graphs"},
    {"allowed_operations"},
  ],
  "methods": [
    SEMI_SUPERVISED,
    {name.rpartition(".")[2] for name in dl_condind.MODELS.values()}
    - {"vae", "infogan", *SEMI_SUPERVISED},
    {"pair_vae", "labelled_vae"},
    {"vae", "infogan"},
    {"gaussian_encoder_model"},
    {
      *("base_model", "discriminator_watch", "image_inputs", "losses", "optimizers"),
      *("annealers", "mutual_information", "supervised_losses"),
    },
  ],
  "reasoning": [
    {"reason"},
    {"solver"},
    {"two_stage_model"},
    {"embeddings", "relational_network"},
    {"network_settings", "panel_codes"},
  ],
  "networks": [
    {"small_networks"},
    {"architectures", "infogan_networks"},
    {"deconvolution", "network_parts"},
  ],
}
# The layers inside `evaluation`, from the top. A module imports those below and its own folder.
EVALUATION_LAYERS = [
  {"evaluate_udr"},
  {"evaluate", "validate"},
  {"stored_representations", "side_by_side", "infogan.stored_generators"},
  {"metrics", "scoring", "infogan.digit_classifier"},
  {"metric", "gin_settings", "decoder_samples", "code_table", "infogan"},
  {"posterior_samples"},
  {"representation", "densities", "information", "probes", "latent_axes"},
  {"codes"},
  {"checks"},
]
MODELS = ("dl_condind.methods", "dl_condind.saved_models", "dl_condind.training")
# Only these know models.
EVALUATION_OF_MODELS = {
  "evaluate",
  "evaluate_udr",
  "validate",
  "stored_representations",
  "infogan.stored_generators",
  "infogan.digit_classifier",
}
TENSORFLOW = {"tensorflow", "keras", "tensorflow_probability", "tf_keras"}


def imports_of(path):
  """Returns the full names of the modules that a file imports anywhere in it."""
  found = set()
  for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
    if isinstance(node, ast.Import):
      found |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f"{path} has a relative import"
      # `from package import module`, or `from module import Name`.
      found |= {f"{node.module}.{alias.name}" for alias in node.names}
  return found


def name_of(path):
  parts = path.relative_to(ROOT).with_suffix("").parts
  return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def imports_of_modules():
  return {name_of(path): imports_of(path) for path in (ROOT / "dl_condind").rglob("*.py")}


def modules_in(package):
  return {
    name: imports
    for name, imports in imports_of_modules().items()
    if f"{name}.".startswith(package)
  }


def third_party(imports):
  return {name.partition(".")[0] for name in imports}


def test_imports_name_modules_of_the_package():
  assert len(imports_of_modules()) > 30
  for name, imports in imports_of_modules().items():
    for imported in imports:
      if imported.startswith("dl_condind."):
        assert imported in imports_of_modules(), f"{name} imports {imported}, which is no module"


def test_imports_have_no_cycle():
  graphlib.TopologicalSorter(imports_of_modules()).prepare()


def test_packages_import_only_those_below():
  packages = {name.split(".")[1] for name in imports_of_modules() if "." in name}
  assert packages == BELOW.keys()
  for name, imports in imports_of_modules().items():
    own = name.split(".")[1] if "." in name else None
    for imported in imports:
      package, _, rest = imported.removeprefix("dl_condind").removeprefix(".").partition(".")
      if imported.startswith("dl_condind") and rest and package != own:
        assert package in BELOW.get(own, set()), f"{name} imports {imported}"


@pytest.mark.parametrize("folder", LAYERS)
def test_modules_import_only_the_layers_below(folder):
  layer_of = {name: number for number, layer in enumerate(LAYERS[folder]) for name in layer}
  package = f"dl_condind.{folder}"
  modules = {name: imports for name, imports in modules_in(package).items() if name != package}
  assert {name.removeprefix(f"{package}.") for name in modules} == layer_of.keys()
  for name, imports in modules.items():
    for imported in imports & modules.keys():
      upper, lower = (layer_of[module.rpartition(".")[2]] for module in (name, imported))
      assert upper < lower, f"{name} imports {imported}"


def test_evaluation_imports_only_the_layers_below():
  layer_of = {name: number for number, layer in enumerate(EVALUATION_LAYERS) for name in layer}
  package = "dl_condind.evaluation."
  used = set()

  def part(name):
    """Returns the longest entry of the table that the module is or belongs to."""
    parts = name.removeprefix(package).split(".")
    names = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    found = next((entry for entry in names if entry in layer_of), None)
    assert found, f"{name} is in no layer"
    used.add(found)
    return found

  for name, imports in modules_in(package).items():
    if name == package[:-1]:
      continue
    for imported in imports:
      if imported.startswith(package) and part(imported) != part(name):
        assert layer_of[part(name)] < layer_of[part(imported)], f"{name} imports {imported}"
    if part(name) not in EVALUATION_OF_MODELS:
      assert not {i for i in imports if i.startswith(MODELS)}, name
  assert used == layer_of.keys()


def test_tensorflow_is_only_where_models_are():
  allowed = (
    "dl_condind.methods",
    "dl_condind.networks",
    "dl_condind.posteriors",
    "dl_condind.reasoning",
    "dl_condind.saved_models",
    "dl_condind.training",
    "dl_condind.postprocessing.postprocess",
    "dl_condind.evaluation.infogan.digit_classifier",
    "dl_condind.data.input_pipeline",
  )
  for name, imports in imports_of_modules().items():
    if not name.startswith(allowed):
      assert not third_party(imports) & TENSORFLOW, name


def test_errors_name_arguments_rather_than_flags():
  # A caller from Python has no flags; `cli.in_flags` names them to users of the programs.
  modules = [
    path
    for path in (ROOT / "dl_condind").rglob("*.py")
    if path.stem not in ("cli", "sweep_flags") and path.parent.name != "programs"
  ]
  assert len(modules) > 30
  for path in modules:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
      if isinstance(node, ast.Raise):
        for part in ast.walk(node):
          if isinstance(part, ast.Constant) and isinstance(part.value, str):
            text = re.sub(r"`.*?`|dl_condind_\w+ --\S+", "", part.value)
            assert not re.search(r"(?<!\w)--\w", text), f"{path}:{part.lineno}: {part.value}"


def test_matplotlib_is_only_where_figures_are():
  for name, imports in imports_of_modules().items():
    if not name.startswith("dl_condind.visualize"):
      assert "matplotlib" not in third_party(imports), name


def test_html_is_only_in_the_templates_of_reports():
  for name, imports in modules_in("dl_condind.reports").items():
    assert ("jinja2" in third_party(imports)) == (name == "dl_condind.reports.page"), name
    path = (ROOT / name.replace(".", "/")).with_suffix(".py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if path.is_file() else ():
      if isinstance(node, ast.Constant) and isinstance(node.value, str):
        assert not re.search(r"</?[a-z]+[ >]", node.value), f"{path}:{node.lineno}: {node.value}"


# Names of what is in the folder of a run, which only `utils.run_folder` and `run_search` know.
RUN_PATHS = {
  *("postprocessed", "saved_model", "tf_checkpoint", "visualizations"),
  *("run.json", "train.gin", "train.json", "train_log.jsonl", "visualization.json"),
}
PATHS_FROM_RUN_FOLDER = BELOW.keys() - {"data", "programs"}


def test_one_module_knows_the_paths_of_a_run():
  for package in PATHS_FROM_RUN_FOLDER:
    for path in (ROOT / "dl_condind" / package).rglob("*.py"):
      if path.stem in ("run_folder", "run_search"):
        continue
      for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant):
          assert node.value not in RUN_PATHS, f"{path}:{node.lineno}: {node.value}"
        is_parents = isinstance(node, ast.Attribute) and node.attr == "parents"
        assert not is_parents or path.stem == "gin_texts", f"{path}:{node.lineno}"


# Where a kind of model may be named in code; `run_config.kind` tells the kind of a run.
KINDS_ARE_NAMED_IN = ("methods.", "reports.infogan", "reports.families", "visualize.visualize_")
KINDS_ARE_NAMED_IN += ("reports.measures", "visualize.infogan_", "utils.run_config")


def test_one_function_tells_kinds_of_models_apart():
  for package in ("studies", "reports", "visualize", "utils"):
    for name in modules_in(f"dl_condind.{package}."):
      if name.removeprefix("dl_condind.").startswith(KINDS_ARE_NAMED_IN):
        continue
      path = (ROOT / name.replace(".", "/")).with_suffix(".py")
      path = path if path.is_file() else ROOT / name.replace(".", "/") / "__init__.py"
      for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        word = getattr(node, "attr", None) or getattr(node, "id", None) or ""
        assert "infogan" not in word.lower(), f"{path}:{node.lineno}: {word}"


def test_gin_is_used_without_its_tensorflow_part():
  for name, imports in imports_of_modules().items():
    assert not {i for i in imports if i.startswith("gin.tf")}, name


def loaded_by(statements):
  """Returns the top-level modules that a fresh process has loaded after some statements."""
  program = f"{statements}\nimport sys\nprint(*sys.modules)"
  done = subprocess.run(
    [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
  )
  return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_the_package_loads_nothing_slow():
  loaded = loaded_by("import dl_condind")
  assert "dl_condind" in loaded
  assert not loaded & {*TENSORFLOW, "numpy", "scipy", "sklearn", "matplotlib", "gin"}


def test_metrics_and_data_work_without_tensorflow():
  modules = {
    *modules_in("dl_condind.evaluation.metrics."),
    *modules_in("dl_condind.data.ground_truth."),
    *modules_in("dl_condind.utils."),
    "dl_condind.evaluation.representation",
    "dl_condind.studies.study_file",
  }
  loaded = loaded_by("\n".join(f"import {name}" for name in sorted(modules)))
  assert "sklearn" in loaded
  assert not loaded & {*TENSORFLOW, "matplotlib"}


def test_each_program_is_a_file_of_bin_and_an_installed_command():
  project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
  modules = [path.stem for path in (ROOT / "dl_condind" / "programs").glob("[!_]*.py")]
  assert [name.removeprefix("dl_condind_") for name in PROGRAMS] == sorted(modules)
  commands = {f"dl_condind_{name}": f"dl_condind.programs.{name}:run" for name in modules}
  assert project["scripts"] == commands
  for program, command in commands.items():
    name = command.rpartition(":")[0].rpartition(".")[2]
    text = (ROOT / "bin" / program).read_text(encoding="utf-8")
    assert f"  {name}.run()\n" in text


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_is_fast_and_shows_the_flags(program):
  path = ROOT / "bin" / program
  module = ROOT / "dl_condind" / "programs" / f"{program.removeprefix('dl_condind_')}.py"
  source = module.read_text(encoding="utf-8")
  done = subprocess.run(
    [sys.executable, "-X", "importtime", path, "--help"],
    capture_output=True,
    text=True,
    check=False,
    cwd=ROOT,
  )
  assert done.returncode == 0
  loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
  assert "dl_condind.utils.cli" in loaded
  assert not third_party(loaded) & {*TENSORFLOW, "sklearn", "matplotlib"}
  summary, *others = ast.get_docstring(ast.parse(source)).splitlines()
  assert summary in done.stdout
  examples = [line for line in others if line.startswith(" ")]
  shown = done.stdout.splitlines()
  assert examples and [line for line in examples if line not in shown] == []
  assert all(line in source for line in examples)  # Not glued by a backslash that is an escape.
  for node in ast.walk(ast.parse(source)):
    if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("flags.DEFINE_"):
      assert f"--{'[no]' if 'bool' in ast.unparse(node.func) else ''}{node.args[0].value}:" in (
        done.stdout
      )
