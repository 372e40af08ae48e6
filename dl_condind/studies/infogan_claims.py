"""What Yang et al. (2020), arXiv:1911.10922, see in pictures of InfoGANs, as claims on numbers.

Figure 3 shows one InfoGAN of each kind: with c = 0 one code turns the digits and one changes their
width; with c = 0.9 no factor of variation belongs to a code, and codes change the digit. Figure 4
shows that both converge. Cells are of MNIST, with the paper's number of codes and weight.
"""

from dl_condind.studies import claims
from dl_condind.studies import comparisons

NOTE = (
  "Of InfoGANs the paper shows pictures of one at c = 0 and one at c = 0.9, and gives no numbers. "
  "The claims here are on measures that would show what it sees in them, of the metric "
  "infogan_disentanglement and of the losses in the last fifth of training, on MNIST with two "
  "continuous codes of weight 0.1 and what else methods/infogan.gin says of the objective. The "
  "mutual information penalty of Figure 4 is not among them: it may be below 0, where a change by "
  "a share says nothing."
)

_SETTING = {
  "dataset.name": "mnist",
  "infogan.info_weight": "0.1",
  "infogan.num_continuous": "2",
  "infogan.continuous_prior": "normal",  # From here on what methods/infogan.gin takes for unsaid.
  "infogan.num_categories": "10",
  "infogan.categorical_weight": "1.0",
}
_FIGURE_3 = "Section 5.2, Figure 3"
_FIGURE_4 = "Appendix E, Figure 4"


def judge(settings: comparisons.Settings, tables: comparisons.Tables) -> list[claims.Claim]:
  """Returns the paper's claims on InfoGANs with their verdicts.

  Args:
    settings: Runs of each cell of InfoGANs, as `study_runs.group_by_setting` returns them.
    tables: Their comparisons, as `comparisons.compare_all` returns them.
  """
  names = [
    name
    for name, runs in settings.items()
    if all(runs[0].setting(key) == value for key, value in _SETTING.items())
  ]

  def judged(text: str, source: str, measure: str, test: claims.Test) -> claims.Claim:
    return claims.decide(text, source, claims.find(names, tables[measure], test, "InfoGAN"))

  return [
    *(
      judged(text, _FIGURE_3, measure, claims.directed(measure))
      for text, measure in (
        (
          "Codes differ less in what they change: the gap of R² between the best and the second "
          "code falls",
          "conditional_r2_mean_gap",
        ),
        (
          "Codes have less of a nameable factor each: R² with an attribute of their own falls",
          "conditional_r2_assigned",
        ),
        ("Codes change the digit along more of their traversals", "digit_change_rate"),
      )
    ),
    *(
      judged(
        f"Training converges as well: the loss of the {name} is nearly unchanged",
        _FIGURE_4,
        measure,
        claims.unchanged,
      )
      for name, measure in (
        ("discriminator", "discriminator_loss"),
        ("generator", "generator_loss"),
      )
    ),
  ]
