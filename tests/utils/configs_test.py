from collections.abc import Sequence
import contextlib
import pathlib
import random
import subprocess
import sys
import warnings

import gin
import pytest

from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import gin_texts


@gin.configurable(module="probe.nets", denylist=["images"])
def probe_net(
  images=None,
  units: int = 10,
  rate: float = 0.5,
  name: str = "net",
  use_bias: bool = False,
  sizes: Sequence[int] = (1, 2),
  activation: str | None = None,
  optimizer=None,
  steps=3,
):
  del images, use_bias
  return units, rate, name, sizes, activation, optimizer, steps


@gin.register("ProbeOptimizer", module="probe.train")
class Optimizer:
  def __init__(self, learning_rate=0.1, fused=False):
    self.learning_rate = learning_rate
    self.fused = fused


@gin.register("ProbeBase", module="probe.classes")
class Base:
  def __init__(self, weight=1.0, size=1):
    self.weight = weight
    self.size = size


@gin.register("ProbeHeir", module="probe.classes")
class Heir(Base):
  pass


@gin.register("ProbeLastHeir", module="probe.classes")
class LastHeir(Heir):
  def __init__(self, weight=1.0):
    super().__init__(weight)


@gin.configurable("probe_model", module="probe")
def model(net=gin.REQUIRED):
  return net


def write(path: pathlib.Path, text: str) -> pathlib.Path:
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text, encoding="utf-8")
  return path


def test_parse_files_then_bindings_and_locks(tmp_path):
  first = write(tmp_path / "a.gin", "probe_net.units = 1\nprobe_net.rate = 1\n")
  second = write(tmp_path / "b.gin", "probe_net.units = 2\nprobe_net.name = 'b'\n")
  configs.parse([first, second], ["probe_net.name = 'c'", "probe_net.name = 'd'"])
  assert probe_net()[:3] == (2, 1, "d")
  assert gin.config_is_locked()
  with pytest.raises(RuntimeError, match="locked"):
    gin.bind_parameter("probe_net.units", 3)


def test_parse_forgets_what_was_parsed_before(tmp_path):
  configs.parse([], ["probe_net.units = 7"])
  configs.parse([write(tmp_path / "a.gin", "probe_net.rate = .1")])
  assert probe_net()[:2] == (10, 0.1)


def test_scopes_and_module_qualified_selectors():
  configs.parse(
    [],
    [
      "vae/ProbeOptimizer.learning_rate = 1e-4",
      "train.ProbeOptimizer.fused = True",
      "probe_net.optimizer = @vae/probe.train.ProbeOptimizer()",
    ],
  )
  optimizer = probe_net()[5]
  assert (optimizer.learning_rate, optimizer.fused) == (1e-4, True)


def test_references_and_macros():
  configs.parse(
    [],
    [
      "units = 4",
      "probe_net.units = %units",
      "probe_net.sizes = [%units, 3]",
      "probe_model.net = @probe_net()",
      "a/probe_model.net = 0.25",
      "probe_net.rate = @a/probe_model()",
      "probe_net.steps = @a/probe_model",  # Its default, 3, does not forbid that.
    ],
  )
  units, rate, _, sizes, *_, steps = model()
  assert (units, sizes, rate) == (4, [4, 3], 0.25)
  assert callable(steps)


def test_a_class_has_what_is_bound_for_the_class_it_inherits_from():
  bindings = ["ProbeBase.weight = 2.0", "ProbeBase.size = 3", "a/ProbeBase.weight = 5.0"]
  configs.parse([], [*bindings, "probe_model.net = @a/ProbeHeir()"])
  base, heir, last = (gin.get_configurable(made) for made in (Base, Heir, LastHeir))
  assert [made().weight for made in (base, heir, last)] == [2.0, 2.0, 2.0]
  assert heir().size == 3 and last().size == 1  # Which it cannot be given.
  with gin.config_scope("a"):
    assert heir().weight == 5.0
  assert configs.operative().values["ProbeHeir.weight"] == "2.0"


def test_what_a_class_is_given_itself_goes_before_what_it_inherits():
  configs.parse([], ["ProbeHeir.weight = 3.0", "ProbeBase.weight = 2.0"])
  found = [gin.get_configurable(made)().weight for made in (Base, Heir, LastHeir)]
  assert found == [2.0, 3.0, 3.0]


def test_block_syntax(tmp_path):
  configs.parse([write(tmp_path / "a.gin", "probe_net:\n  units = 3\n  name = 'x'\n")])
  assert probe_net()[0] == 3
  with pytest.raises(errors.ConfigError, match=r"a\.gin:1: nothing configurable .*'prob_net'"):
    configs.parse([write(tmp_path / "a.gin", "prob_net:\n  units = 3\n")])


@pytest.mark.parametrize(
  ("binding", "message"),
  [
    ("prob_net.units = 1", "nothing configurable is called 'prob_net'; did you mean 'probe_net'?"),
    ("qqqqq.units = 1", "nothing configurable is called 'qqqqq'; is the `import` of its module"),
    ("ProbeOptimiser.fused = True", "did you mean 'ProbeOptimizer'?"),
    ("probe_model.net = @prob_net()", "nothing configurable is called 'prob_net'; did you mean"),
    ("probe_model.net = [@a/prob_net]", "nothing configurable is called 'prob_net'; did you mean"),
    ("probe_net.unit = 1", "probe_net has no parameter 'unit'; did you mean 'units'?"),
    ("probe_net.zzz = 1", "probe_net has no parameter 'zzz'; it has: units, rate, name"),
    ("probe_net.images = 1", "probe_net.images is set by the program, not by gin"),
    ("probe_net.units = 1.5", "probe_net.units must be int, got 1.5."),
    ("probe_net.units = 1e3", "probe_net.units must be int, got 1000.0."),
    ("probe_net.units = 'abc'", "probe_net.units must be int, got 'abc'."),
    ("probe_net.units = True", "probe_net.units must be int, got True."),
    ("probe_net.units = None", "probe_net.units must be int, got None."),
    ("probe_net.rate = '1'", "probe_net.rate must be float, got '1'."),
    ("probe_net.rate = False", "probe_net.rate must be float, got False."),
    ("probe_net.rate = 1e999", "too large for a float"),
    ("probe_net.name = 3", "probe_net.name must be str, got 3."),
    ("probe_net.use_bias = 1", "probe_net.use_bias must be bool, got 1."),
    ("probe_net.sizes = 3", r"probe_net.sizes must be collections.abc.Sequence[int], got 3."),
    ("probe_net.sizes = 'ab'", "got 'ab'."),
    ("probe_net.sizes = [1, 2.5]", "got [1, 2.5]."),
    ("probe_net.sizes = [True]", "got [True]."),
    ("probe_net.activation = 1", "probe_net.activation must be str | None, got 1."),
    ("probe_net.steps = 1.5", "probe_net.steps must be int, got 1.5."),
    ("ProbeOptimizer.learning_rate = 'x'", "ProbeOptimizer.learning_rate must be float, got 'x'."),
    ("probe_net.name = dsprites_full", "strings need quotes"),
    ("probe_net.name = /data/x", "strings need quotes"),
    ("probe_net.name = ", "strings need quotes"),
    ("probe_net.units 3", "Couldn't parse statement"),
    ("probe_net.units = 1 2", "Expected newline"),
    ("probe_net.sizes = (1", "gin_bindings"),
    ("probe_net.sizes = {[1]: 2}", "unhashable"),
    ("= 3", "Unexpected token"),
    ("probe_net.units = %unit", "macro %unit is not defined."),
    ("probe_net.units = %gin.REQUIRED", "set to `%gin.REQUIRED` but not subsequently overridden"),
    ("steps = 3", "no value uses macro %steps"),
    ("import os", "`import os` would run code"),
    ("from os import path", "`from os import path` would run code"),
    ("import dl_condindx", "would run code"),
    ("import dl_condind.nothing", "`import dl_condind.nothing` failed: No module named"),
    ("from __gin__ import dynamic_registration", "dynamic registration is not supported"),
    ("include 'nowhere.gin'", "no gin file 'nowhere.gin'; looked in: ., "),
    ("include 3", "Expected file path"),
  ],
)
def test_mistake_in_binding_is_one_line(binding, message):
  with pytest.raises(errors.ConfigError) as caught:
    configs.parse([], [binding])
  text = str(caught.value)
  assert message in text
  assert "\n" not in text
  if "REQUIRED" not in binding:
    assert text.startswith(f"gin_bindings={binding!r}: ")


def test_mistake_in_file_names_its_line(tmp_path):
  path = write(tmp_path / "a.gin", "# comment\nprobe_net.units = 1\n\nprobe_net.rates = 1\n")
  with pytest.raises(errors.ConfigError, match=rf"^{path}:4: probe_net has no parameter 'rates'"):
    configs.parse([path])
  write(path, "probe_net.units = 1\nprobe_net.name = dsprites\n")
  with pytest.raises(errors.ConfigError, match=rf"^{path}:2: cannot read .*dsprites.*need quotes"):
    configs.parse([path])


def test_ambiguous_selector():
  gin.register("probe_twin", module="probe.one")(lambda: 1)
  gin.register("probe_twin", module="probe.two")(lambda: 2)
  with pytest.raises(errors.ConfigError, match=r"ambiguous.*probe\.one\.probe_twin, probe\.two"):
    configs.parse([], ["probe_model.net = @probe_twin()"])


def test_undefined_macro_suggests():
  with pytest.raises(errors.ConfigError, match="macro %unit is not defined; did you mean 'units'"):
    configs.parse([], ["units = 3", "probe_net.units = %unit"])


def test_overridden_binding_may_use_undefined_macro():
  configs.parse([], ["probe_net.units = %later", "probe_net.units = 2"])
  assert probe_net()[0] == 2


@pytest.mark.parametrize(
  ("bindings", "ring"),
  [
    (["a = %a", "probe_net.units = %a"], "%a -> %a"),
    (["a = [%b]", "b = (1, {2: %a})", "probe_net.units = %a"], "%a -> %b -> %a"),
    (["probe_model.net = @probe_model()"], "@probe_model -> @probe_model"),
    (["probe_model.net = @probe_model"], "@probe_model -> @probe_model"),
    (["probe_net.rate = @probe_model()", "probe_model.net = [@probe_net()]"], "@probe_net -> "),
    (["probe_net.rate = %r", "r = @probe_net()"], "@r/probe_net"),
    (["a/probe_model.net = @b/probe_model()", "b/probe_model.net = @a/probe_model()"], "@a/"),
    (["b/probe_model.net = @c/probe_model()", "c/probe_model.net = @b/probe_model"], "@b/"),
  ],
)
def test_values_that_refer_to_themselves(bindings, ring):
  with pytest.raises(errors.ConfigError, match="the values refer to themselves: ") as caught:
    configs.parse([], bindings)
  assert ring in str(caught.value)
  assert "\n" not in str(caught.value)


def test_scopes_tell_references_apart():
  configs.parse([], ["probe_model.net = @a/probe_model()", "a/probe_model.net = 3"])
  assert model() == 3


@pytest.mark.parametrize("length", [60, 3000])
def test_long_chain_of_macros(length):
  chain = [f"m{i} = %m{i + 1}" for i in range(length)]
  with pytest.raises(errors.ConfigError, match="more than 50 deep"):
    configs.parse([], ["\n".join([*chain, f"m{length} = 1", "probe_net.units = %m0"])])


def test_macros_that_multiply():
  doubling = [f"m{i} = [%m{i + 1}, %m{i + 1}]" for i in range(40)]
  with pytest.raises(errors.ConfigError, match="to more than 1000000 in all"):
    configs.parse([], ["\n".join([*doubling, "m40 = 1", "probe_net.steps = %m0"])])


@pytest.mark.parametrize(
  ("bindings", "message"),
  [
    (["m = 'x'", "probe_net.units = %m"], "probe_net.units must be int, got 'x' from %m."),
    (["m = %n", "n = 1.5", "probe_net.units = %m"], "probe_net.units must be int, got 1.5 from %m"),
    (["m = 3", "probe_net.sizes = %m"], "must be collections.abc.Sequence[int], got 3 from %m."),
    (["m = 1" + "0" * 400, "probe_net.units = %m"], "an integer must be in [-2**63 + 1, 2**63"),
  ],
)
def test_macro_of_the_wrong_type(bindings, message):
  with pytest.raises(errors.ConfigError) as caught:
    configs.parse([], bindings)
  assert message in str(caught.value)


@pytest.mark.parametrize(
  "second", ["probe_net.units = 2", "nets.probe_net.units = 2", "probe_net:\n  units = 2"]
)
def test_same_binding_twice_in_one_file(tmp_path, second):
  path = write(tmp_path / "a.gin", f"probe_net.units = 1\n{second}\n")
  with pytest.raises(errors.ConfigError, match=r"units was already set on line 1"):
    configs.parse([path])


def test_same_binding_in_other_scope_is_another(tmp_path):
  text = "probe_net.units = 1\nx/probe_net.units = 2\nprobe_model.net = @x/probe_net()\n"
  configs.parse([write(tmp_path / "a.gin", text)])
  assert probe_net()[0] == 1
  assert model()[0] == 2


def test_same_value_twice_in_one_file(tmp_path):
  # As a test configuration of disentanglement_lib has it.
  configs.parse([write(tmp_path / "a.gin", "probe_net.units = 4\nprobe_net.units = 4\n")])
  assert probe_net()[0] == 4


def test_including_file_overrides(tmp_path):
  write(tmp_path / "sub" / "shared.gin", "probe_net.units = 1\nprobe_net.name = 'shared'\n")
  path = write(tmp_path / "a.gin", "include 'sub/shared.gin'\nprobe_net.units = 2\n")
  configs.parse([path])
  assert probe_net()[:3] == (2, 0.5, "shared")


def test_include_is_found_beside_the_including_file(tmp_path, monkeypatch):
  write(tmp_path / "x" / "one.gin", "include 'deep/two.gin'\n")
  write(tmp_path / "x" / "deep" / "two.gin", "include 'three.gin'\n")
  write(tmp_path / "x" / "deep" / "three.gin", "probe_net.units = 3\n")
  monkeypatch.chdir(tmp_path)
  configs.parse(["x/one.gin"])
  assert probe_net()[0] == 3


def test_file_is_found_in_shipped_folder(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  folder = gin_texts.gin_config_folder()
  assert (folder / "README.md").is_file()
  try:
    configs.parse(["README.md"])
  except errors.ConfigError as error:  # Prose is no gin file, but it was found.
    assert str(error).startswith(f"{folder / 'README.md'}:")


def test_missing_file_names_places(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(errors.ConfigError) as caught:
    configs.parse(["no.gin"])
  assert str(caught.value) == (
    f"no gin file 'no.gin'; looked in: ., {gin_texts.gin_config_folder()}."
  )
  path = write(tmp_path / "x" / "a.gin", "\ninclude 'no.gin'\n")
  with pytest.raises(
    errors.ConfigError, match=rf"^{path}:2: no gin file 'no\.gin'.*{path.parent},"
  ):
    configs.parse([path])


def test_include_cycle(tmp_path):
  a = write(tmp_path / "a.gin", "include 'b.gin'\n")
  b = write(tmp_path / "b.gin", "# x\ninclude 'a.gin'\n")
  with pytest.raises(errors.ConfigError, match=rf"^{b}:2: {a} includes itself"):
    configs.parse([a])
  write(tmp_path / "c.gin", "include 'c.gin'\n")
  with pytest.raises(errors.ConfigError, match="includes itself"):
    configs.parse([tmp_path / "c.gin"])


def test_file_may_be_included_twice(tmp_path):
  write(tmp_path / "base.gin", "probe_net.units = 5\n")
  a = write(tmp_path / "a.gin", "include 'base.gin'\n")
  b = write(tmp_path / "b.gin", "include 'base.gin'\n")
  configs.parse([a, b])
  assert probe_net()[0] == 5


def test_long_chain_of_includes(tmp_path):
  for i in range(100):
    write(tmp_path / f"{i}.gin", f"include '{i + 1}.gin'\n")
  with pytest.raises(errors.ConfigError, match="more than 20 deep"):
    configs.parse([tmp_path / "0.gin"])


def test_trusted_import_runs_and_is_kept(tmp_path, monkeypatch):
  write(tmp_path / "configs_probe_extension.py", "LOADED = True\n")
  monkeypatch.syspath_prepend(tmp_path)
  with pytest.raises(errors.ConfigError, match="allow it by trust_gin_imports=True"):
    configs.parse([], ["import configs_probe_extension"])
  assert "configs_probe_extension" not in sys.modules
  configs.parse([], ["import configs_probe_extension"], trust_gin_imports=True)
  assert sys.modules["configs_probe_extension"].LOADED
  assert "import configs_probe_extension" in configs.operative().text


def test_own_module_may_be_imported():
  configs.parse([], ["import dl_condind.utils.files", "from dl_condind.utils import errors"])
  assert "import dl_condind.utils.files" in configs.operative().text


@pytest.mark.parametrize("depth", [30, 400, 4000])
@pytest.mark.parametrize("brackets", ["[]", "()", "{}"])
def test_nesting_bomb(depth, brackets):
  opening, closing = brackets[0], brackets[1]
  opening = "{1: " if opening == "{" else opening + ("1, " if opening == "(" else "")
  with pytest.raises(errors.ConfigError):
    configs.parse([], [f"probe_net.optimizer = {opening * depth}1{closing * depth}"])


def test_file_that_is_not_text(tmp_path):
  path = tmp_path / "a.gin"
  path.write_bytes(b"probe_net.name = '\xff'\n")
  with pytest.raises(errors.ConfigError, match=r"a\.gin is not a gin file: byte 18 is not UTF-8"):
    configs.parse([path])
  with pytest.raises(errors.ConfigError, match="no gin file"):
    configs.parse([tmp_path])


def test_failed_parse_leaves_no_bindings():
  with pytest.raises(errors.ConfigError):
    configs.parse([], ["probe_net.units = 5", "probe_net.units = 'x'"])
  assert probe_net()[0] == 10
  assert not gin.config_is_locked()


def test_operative_config_in_raw_gin_text():
  configs.parse(
    [],
    [
      "probe_model.net = @x/probe_net()",
      "x/probe_net.name = 'a = \"b\" = 1'",
      "probe_net.optimizer = @ProbeOptimizer",
      "x/probe_net.rate = 1",
      f"x/probe_net.sizes = {list(range(100))}",
      "act = 'relu'",
      "probe_net.activation = %act",
    ],
  )
  model()
  config = configs.operative().values
  assert config["probe_model.net"] == "@x/probe_net()"
  assert config["x/probe_net.name"] == repr('a = "b" = 1')
  assert config["x/probe_net.optimizer"] == "@ProbeOptimizer"
  assert config["x/probe_net.rate"] == "1"
  assert config["x/probe_net.units"] == "10"
  assert config["x/probe_net.sizes"] == repr(list(range(100)))
  assert config["x/probe_net.activation"] == "%act"
  assert config["act"] == "'relu'"
  assert "x/probe_net.images" not in config


def test_operative_config_can_be_parsed_again(tmp_path):
  configs.parse([], [f"probe_net.name = '{'word ' * 40}'", "probe_net.rate = 1e-08"])
  before = probe_net()
  path = write(tmp_path / "saved.gin", configs.operative().text)
  config = configs.operative().values
  configs.parse([path])
  assert probe_net() == before
  assert configs.operative().values == config
  assert config["probe_net.rate"] == "1e-08"


def test_query(tmp_path):
  text = "dataset.name = 'a = b'\nx/dataset.name = 'no'\nm.f = @g()\nm.l = \\\n    [1,\n     2]\n"
  path = write(tmp_path / "train.gin", text)
  assert configs.query(path, "dataset.name") == "a = b"
  assert configs.query(path, "x/dataset.name") == "no"
  assert configs.query(path, "m.f") == "@g()"
  assert configs.query(path, "m.l") == [1, 2]
  with pytest.raises(errors.ConfigError, match=r"train\.gin does not bind model\.x"):
    configs.query(path, "model.x")
  with pytest.raises(errors.ConfigError, match=r"Cannot read .*no\.gin: No such file"):
    configs.query(tmp_path / "no.gin", "dataset.name")


def test_mutated_text_raises_only_config_errors(tmp_path):
  text = """
include "base.gin"
import dl_condind.utils.files
width = 32
probe_net.units = %width  # units
probe_net.sizes = [1, (2), -3]
probe_net.name = "a" 'b'
vae/ProbeOptimizer.learning_rate = 1e-4
probe_model.net = @vae/probe_net()
probe_net:
  rate = 0.5
  optimizer = {"a": @probe.train.ProbeOptimizer, 'b': None}
"""
  write(tmp_path / "base.gin", "probe_net.use_bias = True\n")
  rng = random.Random(0)
  alphabet = "abs.=@%/()[]{}'\"\\,:#-\n\t 019\x00\x0cé\ud800;$?!*"
  num_refused = 0
  for _ in range(200):
    mutated = text
    for _ in range(rng.randint(1, 4)):
      start = rng.randrange(len(mutated))
      end = min(len(mutated), start + rng.choice([0, 0, 1, 5, 40]))
      insert = rng.choice(["", rng.choice(alphabet), mutated[start:end] * 2])
      mutated = mutated[:start] + insert + mutated[end:]
    path = tmp_path / "mutated.gin"
    path.write_bytes(mutated.encode("utf-8", "surrogatepass"))
    with warnings.catch_warnings():
      warnings.simplefilter("ignore")  # Python's, about odd literals.
      try:
        configs.parse([path])
      except errors.ConfigError as error:
        num_refused += 1
        assert str(error).strip()
      with contextlib.suppress(errors.ConfigError):
        configs.parse([], [mutated])
  assert 50 < num_refused < 200


def test_import_needs_no_tensorflow():
  code = "import sys, dl_condind.utils.configs; sys.exit('tensorflow' in sys.modules)"
  subprocess.run([sys.executable, "-c", code], check=True)


def test_values_of_a_configuration_are_replaced_in_both_forms(tmp_path):
  configs.parse([], ["probe_net.name = 'before'", "probe_net.rate = 0.5"])
  probe_net()
  before = configs.operative()
  after = before.replaced({"probe_net.name": "'after'", "probe_net.rate": None})
  assert before.values["probe_net.rate"] == "0.5"
  assert after.values == {
    **{key: value for key, value in before.values.items() if key != "probe_net.rate"},
    "probe_net.name": "'after'",
  }
  path = write(tmp_path / "saved.gin", after.text)
  assert configs.query(path, "probe_net.name") == "after"
  with pytest.raises(errors.ConfigError, match=r"does not bind probe_net\.rate"):
    configs.query(path, "probe_net.rate")
