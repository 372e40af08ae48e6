"""Puts one model of each method and noise of a study into `pretrained/`, with a card.

Which one is a rule, not a choice: of the runs of a method and noise, that with the median MIG of
the mean representation; of an even number, the lower of the two in the middle. With a table the
rule is applied to its runs, and those chosen have to be trained again in output/.

    python benchmarks/publish_models.py posterior_families_spots
    python benchmarks/publish_models.py paper_reduced docs/results/paper_reduced/runs.csv
"""

from collections.abc import Sequence
import pathlib
import sys
import tarfile

import numpy as np

import dl_condind as dl
from dl_condind.reports import grouping
from dl_condind.reports import measures
from dl_condind.reports import study_runs
from dl_condind.reports.vae import family_claims
from dl_condind.saved_models import pretrained
from dl_condind.utils import run_folder

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = ROOT / "pretrained"
MIG = "mean.mig.discrete_mig"
ELBO = "train_results.elbo"
MEASURES = (
  "mig_mean",
  "mig_noise_axes",
  "mig_best_rotation",
  "probe_accuracy",
  "info_e",
  "reconstruction_loss",
  "kl_loss_full",
)
AGAIN = """
The study's run was trained on another kind of processor, which rounds otherwise: there MIG is
{mig:.3f}. This model was trained by the command below.
"""
CARD = """---
license: apache-2.0
tags: [disentanglement, vae]
---
# {name}

{method}, {dataset} ({source}), {num_latent} latents, noise `{family}`, {steps} steps.

Run {number} (seed {seed}) of the study `{study}`: of the {num} seeds with this noise, the one with
the median MIG, the lower of two in the middle.
{again}
| measure | this model | least | median | largest of {num} seeds |
| --- | ---: | ---: | ---: | ---: |
{scores}

[The study](../../docs/results/{study}.md) says how it was trained and what the measures are.

With this package:

```python
import dl_condind as dl

run = dl.load_pretrained("{name}")
```

With TensorFlow alone, after `tar -xJf model.tar.xz`; images are float32 in [0, 1]:

```python
import tensorflow as tf

model = tf.saved_model.load("model/saved_model")
codes = model.signatures["gaussian_encoder"](images=tf.zeros({shape}))["mean"]
```

`model/results` in the archive has the complete record: every setting, versions, the digest of the
data. With these versions, this trains it again, bit for bit on the same kind of processor:

```sh
dl_condind_reproduce --study={study} --model_num={number} \\
  --gin_bindings="model.num_threads = {threads}" --output_directory=output/again
```
"""


def middle(runs: Sequence[study_runs.Run]) -> study_runs.Run:
  """Returns the run with the (lower) median MIG."""
  ranked = sorted(runs, key=lambda run: run.row[MIG])
  return ranked[(len(ranked) - 1) // 2]


def by_noise(runs: Sequence[study_runs.Run]) -> dict[str, list[study_runs.Run]]:
  """Returns the runs of a setting by the name of their noise."""
  labels = study_runs.correlation_labels(runs)
  return family_claims.by_family(runs) or {
    f"c = {label}": study_runs.of_correlation(runs, label) for label in labels
  }


def card(
  name: str,
  study: str,
  noise: str,
  runs: Sequence[study_runs.Run],
  trained: study_runs.Run,
) -> str:
  """Returns the card of the chosen run of a method and noise.

  Args:
    name: Name of the model.
    study: Name of the study.
    noise: Name of the noise.
    runs: All seeds.
    trained: The chosen run in output/; with a table, it was trained again.
  """
  chosen = middle(runs)
  rows = (_row(measures.find(measure), trained, runs) for measure in MEASURES)
  is_other = not np.isclose(trained.row[ELBO], chosen.row[ELBO], rtol=1e-6, atol=0)
  return CARD.format(
    name=name,
    method=chosen.method_name,
    dataset=chosen.dataset,
    source=trained.provenance["dataset_source"],
    num_latent=chosen.num_latent,
    family=noise,
    steps=f"{int(chosen.config['model.training_steps']):,}",
    number=chosen.name,
    seed=chosen.seed,
    threads=chosen.config["model.num_threads"],
    study=study,
    num=len(runs),
    again=AGAIN.format(mig=chosen.row[MIG]) if is_other else "",
    scores="\n".join(row for row in rows if row),
    shape=[1, *dl.load_data(chosen.dataset).observation_shape],
  )


def _row(measure: measures.Measure, trained: study_runs.Run, runs: Sequence[study_runs.Run]) -> str:
  values = study_runs.values_of(runs, measure.name)
  if not values:
    return ""
  numbers = (trained.measure(measure.name), min(values), np.median(values), max(values))
  texts = (f"{number:.{measure.digits}f}" for number in numbers)
  return f"| {measure.title or measure.heading} | {' | '.join(texts)} |"


def publish(source: run_folder.StageFolder, archive: pathlib.Path) -> None:
  """Writes model and record into an archive; the same files give the same bytes."""
  parts = (source.saved_model, source.results.path, source.identity)
  paths = [path for part in parts for path in [part, *part.rglob("*")] if path.is_file()]
  with tarfile.open(archive, "w:xz") as tar:
    for path in sorted(paths):
      entry = tar.gettarinfo(path, f"model/{path.relative_to(source.path)}")
      entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, "", ""
      entry.mode = 0o644
      with path.open("rb") as file:
        tar.addfile(entry, file)


def chosen_of(runs: Sequence[study_runs.Run]) -> dict[str, tuple[str, list[study_runs.Run]]]:
  """Returns the name of each model -> its noise, and the runs that it is the middle of."""
  found = {}
  for of_setting in grouping.group_by_setting(runs).values():
    for noise, members in by_noise(of_setting).items():
      dataset = members[0].dataset.removesuffix("_full")
      slug = noise.replace(" = ", "").replace(" ", "_")
      found[f"{members[0].method}_{dataset}_{slug}"] = noise, members
  return found


def main(study: str, table: str | None = None) -> None:
  """Publishes the models of a study in output/."""
  output = ROOT / "output" / study
  models = chosen_of(study_runs.read_table(table) if table else study_runs.read_runs(output))
  numbers = {name: middle(members).name for name, (_, members) in models.items()}
  folders = {name: run_folder.RunFolder(output / numbers[name]).model for name in models}
  missing = [numbers[name] for name in models if not folders[name].saved_model.is_dir()]
  if missing:
    sys.exit(f"Train first: dl_condind_reproduce --study={study} --model_nums={','.join(missing)}")
  trained = {run.name: run for run in study_runs.read_runs(output)}
  for name, (noise, members) in models.items():
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    publish(folders[name], folder / pretrained.ARCHIVE)
    (folder / "README.md").write_text(
      card(name, study, noise, members, trained[numbers[name]]), "utf-8"
    )
    print(f"{name}: run {numbers[name]}, the middle of {len(members)}")


if __name__ == "__main__":
  main(*sys.argv[1:])
