"""Puts one model of each family of posteriors of a study into `pretrained/`, with a card.

Which one is a rule, not a choice: of the finished runs of a family, that with the median MIG of the
mean representation; of an even number, the lower of the two in the middle.

    python benchmarks/publish_models.py posterior_families_spots vae_spots
"""

from collections.abc import Sequence
import pathlib
import shutil
import sys

import numpy as np

import dl_condind as dl
from dl_condind.reports import grouping
from dl_condind.reports import measures
from dl_condind.reports import study_runs
from dl_condind.reports.vae import family_claims
from dl_condind.utils import run_folder

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = ROOT / "pretrained"
MEASURES = (
  "mig_mean",
  "mig_noise_axes",
  "mig_best_rotation",
  "probe_accuracy",
  "info_e",
  "reconstruction_loss",
  "kl_loss_full",
)
CARD = """---
license: apache-2.0
tags: [disentanglement, vae]
---
# {name}

{method}, {dataset}, {num_latent} latents, noise `{family}`, {steps} steps.

Run {number} (seed {seed}) of the study `{study}`: of the {num} seeds of the family, the one with
the median MIG, the lower of two in the middle.

| measure | this model | least | median | largest of {num} seeds |
| --- | ---: | ---: | ---: | ---: |
{scores}

[The study](../../docs/results/{study}.md) says how it was trained and what the measures are.
`model/results` has the complete record: every setting, versions, the digest of the data.

With this package:

```python
import dl_condind as dl

run = dl.load_pretrained("{name}")
```

With TensorFlow alone; images are float32 in [0, 1]:

```python
import tensorflow as tf

model = tf.saved_model.load("pretrained/{name}/model/saved_model")
codes = model.signatures["gaussian_encoder"](images=tf.zeros({shape}))["mean"]
```

With the versions of the record, this trains it again, bit for bit on the same kind of processor:

```sh
dl_condind_reproduce --study={study} --model_num={number} \\
  --gin_bindings="model.num_threads = {threads}" --output_directory=output/again
```
"""


def middle(runs: Sequence[study_runs.Run]) -> study_runs.Run:
  """Returns the run with the (lower) median MIG."""
  ranked = sorted(runs, key=lambda run: run.row["mean.mig.discrete_mig"])
  return ranked[(len(ranked) - 1) // 2]


def card(name: str, study: str, family: str, runs: Sequence[study_runs.Run]) -> str:
  """Returns the card of the chosen run of a family."""
  chosen = middle(runs)
  return CARD.format(
    name=name,
    method=chosen.method_name,
    dataset=chosen.dataset,
    num_latent=chosen.num_latent,
    family=family,
    steps=f"{int(chosen.config['model.training_steps']):,}",
    number=chosen.name,
    seed=chosen.seed,
    threads=chosen.config["model.num_threads"],
    study=study,
    num=len(runs),
    scores="\n".join(_row(measures.find(measure), chosen, runs) for measure in MEASURES),
    shape=[1, *dl.load_data(chosen.dataset).observation_shape],
  )


def _row(measure: measures.Measure, chosen: study_runs.Run, runs: Sequence[study_runs.Run]) -> str:
  values = study_runs.values_of(runs, measure.name)
  numbers = (chosen.measure(measure.name), min(values), np.median(values), max(values))
  texts = (f"{number:.{measure.digits}f}" for number in numbers)
  return f"| {measure.title or measure.heading} | {' | '.join(texts)} |"


def main(study: str, prefix: str) -> None:
  """Publishes the models of a study in output/."""
  settings = grouping.group_by_setting(study_runs.read_runs(ROOT / "output" / study))
  (runs,) = settings.values()
  for family, members in family_claims.by_family(runs).items():
    name = f"{prefix}_{family.replace(' ', '_')}"
    source, target = middle(members).model, run_folder.RunFolder(FOLDER / name).model
    if target.path.parent.exists():
      shutil.rmtree(target.path.parent)
    for part in (source.saved_model, source.results.path, source.identity):
      copied = target.path / part.name
      copied.parent.mkdir(parents=True, exist_ok=True)
      shutil.copytree(part, copied) if part.is_dir() else shutil.copy2(part, copied)
    (FOLDER / name / "README.md").write_text(card(name, study, family, members), "utf-8")
    print(f"{name}: run {middle(members).name} of {len(members)}")


if __name__ == "__main__":
  main(*sys.argv[1:])
