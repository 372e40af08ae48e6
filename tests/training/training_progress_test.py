import io
import re
import sys

from absl import logging
import numpy as np
import pytest

from dl_condind.training import training_progress


class Terminal(io.StringIO):
  """What is written to a terminal."""

  def isatty(self):
    return True


@pytest.fixture
def connect(monkeypatch):
  """Returns a function that connects a program to a terminal, which it returns.

  A function, since pytest replaces the streams between a fixture and its test.
  """

  def make():
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(logging, "get_verbosity", lambda: logging.INFO)
    return terminal

  return make


MEANINGS = {"reconstruction_loss": "lower is better"}


def train(show, values=((20, 5.0), (40, 3.25), (100, -2.5))):
  """Shows three states of a training of 100 steps."""
  names = ("loss", "reconstruction_loss")
  with training_progress.Progress(0, 100, names, MEANINGS, show) as progress:
    for step, value in values:
      progress.update(step, {name: np.array([9.0, value]) for name in names})


def at_once(show):
  return training_progress.dataclasses.replace(show, seconds=0)


@pytest.mark.parametrize("make", [training_progress.in_program, training_progress.in_python])
def test_terminal_has_one_line_that_moves(connect, make):
  terminal = connect()
  train(at_once(make(100)))
  shown = terminal.getvalue()
  lines = re.split("[\r\n]+", shown)
  states = [line for line in lines if "steps/s" in line]
  assert re.search(r"40%.* 40/100 steps, \S+ steps/s, \d+ s left, loss 3.25, rec", shown)
  assert states[-1].startswith("100%") and "loss -2.50" in states[-1]
  assert shown.count("is negative, which is not an error: lower is better.") == 1
  assert "\nreconstruction_loss is negative" in shown or "\rreconstruction_loss is neg" in shown
  # A line break ends the bar and what was said, nothing else.
  assert shown.count("\n") == 2 and shown.endswith("\n")


def test_messages_of_the_log_do_not_touch_the_bar(connect):
  terminal = connect()
  handler = logging.get_absl_handler()
  before = list(handler.filters)
  show = at_once(training_progress.in_program(100))
  try:
    show.function(training_progress.State(40, 100, 2.0, {"loss": 1.0}))
    position = len(terminal.getvalue())
    assert handler.filters[-1].filter(None)
    erased = terminal.getvalue()[position:]
    assert erased.startswith("\r") and not erased.strip()
  finally:
    show.close()
  assert handler.filters == before


def test_interrupted_training_leaves_the_cursor_on_a_new_line(connect):
  terminal = connect()

  def interrupted():
    with training_progress.Progress(
      0, 100, ("loss",), {}, at_once(training_progress.in_program(100))
    ) as progress:
      progress.update(20, {"loss": np.array([1.0])})
      raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    interrupted()
  assert terminal.getvalue().endswith("\n")


def test_lines_elsewhere(capsys):
  train(at_once(training_progress.in_python(100)))
  lines = capsys.readouterr().out.splitlines()
  assert [line.partition(",")[0] for line in lines[:3]] == [
    f"step {n} of 100" for n in (20, 40, 100)
  ]
  assert lines[3] == "reconstruction_loss is negative, which is not an error: lower is better."
  assert len(lines) == 4


def test_a_quiet_program_has_no_bar(connect, monkeypatch):
  terminal = connect()
  monkeypatch.setattr(logging, "get_verbosity", lambda: logging.WARNING)
  train(at_once(training_progress.in_program(100)))
  assert not terminal.getvalue()
