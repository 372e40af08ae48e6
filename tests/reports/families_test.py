import types

import pytest

from dl_condind.reports import families
from dl_condind.reports import grouping
from dl_condind.utils import errors


def test_infogans_are_a_family_of_their_own(generated):
  (infogan,) = generated.make_runs(
    {"digit_change_rate": [0.25]}, method="infogan", dataset="mnist", num_latent=3
  )
  (vae,) = generated.make_runs({"mig_mean": [0.1]})
  assert [families.of(run).name for run in (infogan, vae)] == ["InfoGAN", "VAE"]
  assert (infogan.method_name, infogan.num_latent) == ("InfoGAN", "3")
  assert infogan.measure("digit_change_rate") == 0.25
  infogan_name, vae_name = (
    "InfoGAN on mnist, 3 continuous codes",
    "VAE on dsprites_full, 10 latents",
  )
  settings = grouping.group_by_setting([infogan, vae])
  assert list(settings) == [infogan_name, vae_name]
  vaes, infogans = families.FAMILIES
  assert families.by_family(settings) == {
    vaes: {vae_name: [vae]},
    infogans: {infogan_name: [infogan]},
  }
  assert list(families.by_family({"a": [infogan]})) == [infogans]


def test_families_have_the_same_parts():
  for name in ("claims", "figures", "sentences"):
    vae, infogan = (getattr(family, name) for family in families.FAMILIES)
    parts = [_public(module) for module in (vae, infogan)]
    common = parts[0] & parts[1]
    assert (
      common
      >= {
        "claims": {"judge", "NOTE", "PROTOCOL"},
        "figures": {"draw", "draw_models"},
        "sentences": {
          *("INTRODUCTION", "NEXT_STEPS", "describe", "explain_columns"),
          *("name_latents", "name_networks", "name_learning_rates"),
        },
      }[name]
    )


def _public(module):
  return {
    name
    for name, value in vars(module).items()
    if not name.startswith("_") and not isinstance(value, types.ModuleType)
  }


def test_kind_without_a_report_is_refused(generated):
  (run,) = generated.make_runs({"mig_mean": [0.1]})
  run.row["train_provenance.kind"] = "other"
  with pytest.raises(errors.ConfigError, match="kind 'other', a report shows vae and infogan"):
    families.of(run)
