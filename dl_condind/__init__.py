"""Disentangled representation learning with a posterior that can be chosen.

    import dl_condind as dl

    data = dl.load_data("dsprites_full")
    model = dl.BetaTCVAE(beta=6.0, posterior=dl.posteriors.Equicorrelated(0.9))
    run = dl.train(model, data, directory="output/mine", steps=4000, learning_rate=5e-4, seed=0)
    codes = run.encode(images)
    scores = dl.evaluate(run, data, ["mig", "dci"])

Importing this package loads nothing else. TensorFlow is loaded when a name that needs it is used.
"""

import importlib
import importlib.util  # gin uses it without importing it.
import os
import sys
from typing import Any

__version__ = "0.1.0"

# TensorFlow reads this when it is first imported, and by default switches oneDNN on for some
# processors only. Without it a training step takes about twice as long.
if "tensorflow" not in sys.modules:
  os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# Name -> module that has it. Of models, importing the module also registers the gin name.
MODELS = {
  "AdaGVAE": "dl_condind.methods.group_vae",
  "AdaMLVAE": "dl_condind.methods.ml_vae",
  "AnnealedVAE": "dl_condind.methods.annealed_vae",
  "BetaTCVAE": "dl_condind.methods.beta_tc_vae",
  "BetaVAE": "dl_condind.methods.vae",
  "DIPVAE": "dl_condind.methods.dip_vae",
  "FactorVAE": "dl_condind.methods.factor_vae",
  "GroupVAE": "dl_condind.methods.group_vae",
  "InfoGAN": "dl_condind.methods.infogan",
  "MLVAE": "dl_condind.methods.ml_vae",
  "S2BetaTCVAE": "dl_condind.methods.s2_vae",
  "S2BetaVAE": "dl_condind.methods.s2_vae",
  "S2DIPVAE": "dl_condind.methods.s2_vae",
  "S2FactorVAE": "dl_condind.methods.s2_factor_vae",
  "S2MineVAE": "dl_condind.methods.s2_mine_vae",
  "SupervisedEncoder": "dl_condind.methods.supervised_encoder",
}
_NAMES = MODELS | {
  "BaseVAE": "dl_condind.methods.vae",
  "FactorDistribution": "dl_condind.data.ground_truth.factor_distributions",
  "GroundTruthData": "dl_condind.data.ground_truth.ground_truth_data",
  "Pairs": "dl_condind.data.batches",
  "PartlyLabelled": "dl_condind.data.partly_labelled",
  "Puzzles": "dl_condind.data.puzzles",
  "evaluate": "dl_condind.runs.evaluate",
  "load": "dl_condind.runs.load",
  "load_data": "dl_condind.runs.data",
  "load_pretrained": "dl_condind.runs.pretrained",
  "metric": "dl_condind.evaluation.metric",
  "named_factor_distribution": "dl_condind.data.ground_truth.factor_presets",
  "pretrained_models": "dl_condind.saved_models.pretrained",
  "reason": "dl_condind.runs.reason",
  "train": "dl_condind.runs.train",
}
_MODULES = {
  "annealers": "dl_condind.methods.annealers",
  "losses": "dl_condind.methods.losses",
  "networks": "dl_condind.networks",
  "optimizers": "dl_condind.methods.optimizers",
  "posteriors": "dl_condind.posteriors",
  "supervised_losses": "dl_condind.methods.supervised_losses",
}

__all__ = sorted([*_NAMES, *_MODULES])


def __getattr__(name: str) -> Any:
  if name in _MODULES:
    return importlib.import_module(_MODULES[name])
  if name in _NAMES:
    return getattr(importlib.import_module(_NAMES[name]), name)
  raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
  return [*__all__, "__version__"]
