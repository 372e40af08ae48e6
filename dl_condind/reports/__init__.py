"""From the runs of a study to statistics, verdicts and one page."""
