import gin
import pytest

from dl_condind.utils import configs
from dl_condind.utils import errors


@gin.register("ScopedOptimizer", module="scopes")
def optimizer(rate: float = 0.1, momentum: float = 0.0):
  return rate, momentum


@gin.register("OtherOptimizer", module="scopes")
def other_optimizer():
  return 7


@gin.configurable("scoped_trainer", module="scopes")
def trainer(optimizer_fn=None, other_fn=None):
  return [fn() if callable(fn) else fn for fn in (optimizer_fn, other_fn)]


SHARED = """
scoped_trainer.optimizer_fn = @vae/ScopedOptimizer
scoped_trainer.other_fn = @discriminator/ScopedOptimizer
vae/ScopedOptimizer.rate = 0.5
discriminator/ScopedOptimizer.rate = 0.25
"""


@pytest.fixture
def shared(tmp_path):
  path = tmp_path / "shared.gin"
  path.write_text(SHARED)
  return str(path)


def test_scopes_that_are_opened_take_effect(shared):
  configs.parse([shared], ["vae/ScopedOptimizer.momentum = 0.9"])
  assert trainer() == [(0.5, 0.9), (0.25, 0.0)]


def test_scope_of_a_published_file_that_nothing_opens(tmp_path):
  # As in the shared.gin of a published weakly supervised study, whose rate was never read.
  path = tmp_path / "shared.gin"
  path.write_text(SHARED.replace("@vae/", "@group_vae/"))
  with pytest.raises(errors.ConfigError) as caught:
    configs.parse([path])
  assert str(caught.value) == (
    f"{path}:4: vae/ScopedOptimizer.rate has no effect, for no reference opens the scope 'vae': "
    "refer to it as @vae/ScopedOptimizer, or leave the scope out. The scopes that are opened: "
    "'discriminator', 'group_vae'."
  )


def test_misspelt_scope_is_suggested(shared):
  with pytest.raises(errors.ConfigError, match=r"'discriminater'; did you mean 'discriminator'\?"):
    configs.parse([shared], ["discriminater/ScopedOptimizer.momentum = 0.9"])


def test_scope_without_any_reference():
  with pytest.raises(errors.ConfigError, match=r"or leave the scope out\.$"):
    configs.parse([], ["vae/ScopedOptimizer.rate = 0.5"])


@pytest.mark.parametrize(
  ("other", "made"), [("@OtherOptimizer", 7), ("None", None), ("@x/OtherOptimizer", 7)]
)
def test_another_optimizer_may_replace_the_one_with_settings(shared, other, made):
  configs.parse([shared], [f"scoped_trainer.optimizer_fn = {other}"])
  assert trainer() == [made, (0.25, 0.0)]


def test_scope_that_an_override_closes_while_its_settings_are_missed(shared):
  override = "scoped_trainer.optimizer_fn = @group_vae/ScopedOptimizer"
  with pytest.raises(errors.ConfigError, match=r"shared\.gin:4: vae/ScopedOptimizer\.rate has no"):
    configs.parse([shared], [override])
  # With settings of its own, or of all optimizers, the other scope is meant.
  configs.parse([shared], [override, "group_vae/ScopedOptimizer.rate = 0.75"])
  assert trainer()[0] == (0.75, 0.0)
  configs.parse([shared], [override, "ScopedOptimizer.momentum = 0.3"])
  assert trainer()[0] == (0.1, 0.3)


def test_inner_scopes():
  outer = ["scoped_trainer.optimizer_fn = @a/b/ScopedOptimizer", "a/ScopedOptimizer.rate = 0.5"]
  configs.parse([], outer)
  assert trainer()[0] == (0.5, 0.0)
  with pytest.raises(errors.ConfigError, match="no reference opens the scope 'b'"):
    configs.parse([], [*outer, "b/ScopedOptimizer.rate = 0.75"])
  with pytest.raises(errors.ConfigError, match="no reference opens the scope 'a/b/c'"):
    configs.parse([], [*outer, "a/b/c/ScopedOptimizer.rate = 0.75"])


def test_what_is_bound_by_hand_and_overridden_in_every_scope_has_no_effect(shared):
  message = r"ScopedOptimizer\.rate has no effect, since vae/ScopedOptimizer\.rate is bound as well"
  with pytest.raises(errors.ConfigError, match=message):
    configs.parse(
      [],
      [
        "scoped_trainer.optimizer_fn = @vae/ScopedOptimizer",
        "vae/ScopedOptimizer.rate = 0.5",
        "ScopedOptimizer.rate = 0.75",
      ],
    )
  # Another use has it, or another parameter is bound in the scope.
  configs.parse([shared], ["ScopedOptimizer.momentum = 0.75"])


def test_a_macro_opens_the_scope_of_its_name():
  bindings = ["fast = @ScopedOptimizer()", "scoped_trainer.optimizer_fn = %fast"]
  configs.parse([], [*bindings, "fast/ScopedOptimizer.rate = 0.75"])
  assert trainer()[0] == (0.75, 0.0)


def test_foreign_code_may_open_scopes(tmp_path, monkeypatch):
  (tmp_path / "opens_scopes.py").write_text("import gin\n")
  monkeypatch.syspath_prepend(tmp_path)
  bindings = ["import opens_scopes", "mine/ScopedOptimizer.rate = 0.75"]
  configs.parse([], bindings, trust_gin_imports=True)
  with gin.config_scope("mine"):
    assert gin.get_configurable("ScopedOptimizer")() == (0.75, 0.0)
