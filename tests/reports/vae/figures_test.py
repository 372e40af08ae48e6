from dl_condind.reports import grouping
from dl_condind.reports.vae import figures as vae_figures
from dl_condind.visualize import figures


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


def test_figures_of_a_grid(generated):
  cells = [
    (method, dataset, 10)
    for method in ("vae", "beta_tc_vae")
    for dataset in ("dsprites_full", "smallnorb")
  ]
  drawn = vae_figures.draw(settings_of(generated, *cells, ("vae", "dsprites_full", 20)))
  assert [found.name for found in drawn] == [
    "mig_mean_10_latents",
    "mig_mean_20_latents",
    "terms_dsprites_full_10_latents",
    "kl_dsprites_full_10_latents",
    "terms_smallnorb_10_latents",
    "kl_smallnorb_10_latents",
    "terms_dsprites_full_20_latents",
    "kl_dsprites_full_20_latents",
  ]
  mig, mig_20, terms, scatter, *_ = drawn
  assert [axes.get_title() for axes in mig.figure.axes] == [
    f"{method} on {dataset}, 10 latents"
    for method in ("VAE", "beta-TCVAE")
    for dataset in ("dsprites_full", "smallnorb")
  ]
  assert "as in Figure 1" in mig.caption and "as in Figure 5" in mig_20.caption
  labels = [axes.get_ylabel() for axes in terms.figure.axes[::2]]
  assert labels == ["reconstruction error [nats]", "factorized KL [nats]", "TC estimate [nats]"]
  points = [line.get_xydata().tolist() for line in scatter.figure.axes[0].lines]
  assert points == [[[20, 5], [21, 6]]] * 2
  assert all(figures.to_png(found.figure).startswith(b"\x89PNG") for found in drawn[:4])


def test_what_has_no_value_is_not_drawn(generated):
  settings = grouping.group_by_setting(generated.make_runs({"mig_sampled": [0.1]}))
  assert [found.name for found in vae_figures.draw(settings)] == ["mig_sampled_10_latents"]
  empty = grouping.group_by_setting(generated.make_runs({"seconds": [1.0]}))
  assert vae_figures.draw(empty) == []
