from dl_condind.reports.infogan import sentences as infogan_sentences


def runs_of(generated, low, high):
  """Returns runs of c = 0 and c = 0.9 with these rates at which digits change."""
  return [
    run
    for correlation, rates in ((0.0, low), (0.9, high))
    for run in generated.make_runs(
      {"digit_change_rate": rates}, method="infogan", num_latent=2, correlation=correlation
    )
  ]


def test_medians_are_told_with_their_direction(generated):
  first = infogan_sentences.describe({"a": runs_of(generated, [0.1, 0.3], [0.5])})[0]
  assert first.replace("\u00a0", " ") == (
    "Median share of traversals along which the digit changes rose from 0.200 at c = 0 (2 runs) to "
    "0.500 at c = 0.9 (1 run)."
  )


def test_settings_are_named_where_there_are_several(generated):
  settings = {
    "a": runs_of(generated, [0.1], [0.5]),
    "b": runs_of(generated, [0.1], []),
    "c": generated.make_runs({"steps": [1]}, method="infogan")
    + generated.make_runs({"steps": [1]}, method="infogan", correlation=0.9),
  }
  told = infogan_sentences.describe(settings)
  assert told[0].startswith("a. Median share")
  assert told[1] == "b. All runs have one noise correlation, so nothing is compared."
  assert told[2] == "c. The measures are missing on one side."
  assert any("one run per side decides nothing" in text for text in told[3:])


def test_what_is_said_of_a_prior_and_of_shares_needs_them(generated):
  runs = runs_of(generated, [0.1], [0.5])
  assert not any(text.startswith("R²") for text in infogan_sentences.describe({"a": runs}))
  shares = generated.make_runs({"conditional_r2_assigned": [0.3]}, method="infogan")
  assert any(text.startswith("R²") for text in infogan_sentences.describe({"a": shares}))
  for run in runs:
    run.row["train_config.infogan.continuous_prior"] = "'uniform'"
  assert not any("N(0, I)" in text for text in infogan_sentences.describe({"a": runs}))


def test_many_settings_are_left_to_the_table(generated):
  settings = {name: runs_of(generated, [0.1], [0.5]) for name in "abcd"}
  assert not any("rose" in text for text in infogan_sentences.describe(settings))
