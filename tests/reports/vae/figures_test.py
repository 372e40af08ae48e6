import numpy as np
import pytest
from scipy import integrate
from scipy import stats

from dl_condind.reports import charts
from dl_condind.reports import comparisons
from dl_condind.reports import grouping
from dl_condind.reports.vae import figures as vae_figures


def settings_of(generated, *cells):
  runs = []
  for method, dataset, num_latent in cells:
    for correlation in (0.0, 0.9):
      measures = {
        "mig_mean": [0.3, 0.2],
        "reconstruction_loss": [30.0, 31.0],
        "kl_loss": [20.0, 21.0],
        "total_correlation": [5.0, 6.0],
      }
      runs += generated.make_runs(
        measures, method=method, dataset=dataset, num_latent=num_latent, correlation=correlation
      )
  return grouping.group_by_setting(runs)


def draw(settings):
  return vae_figures.draw(settings, comparisons.compare_all(settings))


def test_figures_of_a_grid(generated):
  cells = [
    (method, dataset, 10)
    for method in ("vae", "beta_tc_vae")
    for dataset in ("dsprites_full", "smallnorb")
  ]
  drawn = draw(settings_of(generated, *cells, ("vae", "dsprites_full", 20)))
  of_cell = ("reconstruction_loss", "kl_loss", "total_correlation")
  of_cell += ("total_correlation_over_kl", "reconstruction_loss_over_kl")
  assert [found.name for found in drawn] == [
    "mig_mean_10_latents",
    "mig_mean_20_latents",
    *(f"{name}_dsprites_full_10_latents" for name in of_cell),
    *(f"{name}_smallnorb_10_latents" for name in of_cell),
    *(f"{name}_dsprites_full_20_latents" for name in of_cell),
  ]
  mig, mig_20, reconstruction, *_ = drawn
  assert mig.title == "MIG, mean representation: 10 latents"
  assert [panel.title for panel in mig.content.panels] == [
    f"{method}, {dataset}"
    for method in ("VAE", "beta-TCVAE")
    for dataset in ("dsprites_full", "smallnorb")
  ]
  assert "as in Figure 1" in mig.caption and "as in Figure 5" in mig_20.caption
  assert reconstruction.title == "Reconstruction error: dsprites_full, 10 latents"
  assert [panel.title for panel in reconstruction.content.panels] == ["VAE", "beta-TCVAE"]
  labels = [found.content.panels[0].y.label for found in drawn[2:5]]
  assert labels == ["reconstruction error [nats]", "factorized KL [nats]", "TC estimate [nats]"]
  points = [(mark.x, mark.y, mark.style) for mark in drawn[5].content.panels[0].marks]
  assert points == [(20, 5, 0), (21, 6, 0), (20, 5, 1), (21, 6, 1)]


def test_what_has_no_value_is_not_drawn(generated):
  settings = grouping.group_by_setting(generated.make_runs({"mig_sampled": [0.1]}))
  assert [found.name for found in draw(settings)] == ["mig_sampled_10_latents"]
  empty = grouping.group_by_setting(generated.make_runs({"seconds": [1.0]}))
  assert draw(empty) == []


def test_kl_of_a_latent_is_that_of_its_marginal():
  mean = np.array([[0.5, 0.0]])
  scale_tril = np.array([[[0.8, 0.0], [0.6, 0.3]]])
  deviations = 0.8, np.hypot(0.6, 0.3)
  expected = [
    integrate.quad(
      lambda z, m=m, s=s: (
        stats.norm.pdf(z, m, s) * (stats.norm.logpdf(z, m, s) - stats.norm.logpdf(z))
      ),
      -9,
      9,
    )[0]
    for m, s in zip(mean[0], deviations, strict=True)
  ]
  np.testing.assert_allclose(vae_figures.kl_of_latents(mean, scale_tril), expected, rtol=1e-6)


def test_rows_are_sorted_by_kl_and_unused_latents_are_faded():
  images = np.arange(3).reshape(3, 1, 1, 1, 1) / 3
  rows = vae_figures._sorted_rows(images, np.array([0.5, 0.001, 2.0]))
  assert [(row.label, row.detail, row.is_faded) for row in rows] == [
    ("z2", "KL 2.00", False),
    ("z0", "KL 0.50", False),
    ("z1", "KL 0.00", True),
  ]
  assert [row.images.item() for row in rows] == pytest.approx([2 / 3, 0, 1 / 3])


def test_intervals_of_the_figures_are_those_of_the_table(generated):
  runs = [
    run
    for correlation in (0.0, 0.9)
    for run in generated.make_runs(
      {"mig_mean": np.random.default_rng(1).normal(0.3, 0.1, 6).tolist()}, correlation=correlation
    )
  ]
  settings = grouping.group_by_setting(runs)
  tables = comparisons.compare_all(settings)
  (panel,) = vae_figures.draw(settings, tables)[0].content.panels
  lines = [line for line in panel.lines if line.kind == charts.INTERVAL]
  intervals = [tuple(y for _, y in line.points) for line in lines]
  assert intervals == [entry.summary.interval for entry in tables["mig_mean"].values()]
