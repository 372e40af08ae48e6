import logging
import threading

from absl import logging as absl_logging
import pytest

from dl_condind.utils import progress_lines


class Lines(logging.Handler):
  """Collects what is logged, and says when there are some lines."""

  def __init__(self, wanted=1):
    super().__init__()
    self.lines = []
    self.wanted = wanted
    self.came = threading.Event()

  def emit(self, record):
    self.lines.append(record.getMessage())
    if len(self.lines) >= self.wanted:
      self.came.set()


@pytest.fixture
def logged():
  """Returns the handler of absl's log, at the level of the programs."""
  handler, logger, level = Lines(), absl_logging.get_absl_logger(), absl_logging.get_verbosity()
  absl_logging.set_verbosity(absl_logging.INFO)
  logger.addHandler(handler)
  yield handler
  logger.removeHandler(handler)
  absl_logging.set_verbosity(level)


class Clock:
  """A clock that only the test moves."""

  def __init__(self):
    self.now = 100.0

  def monotonic(self):
    return self.now


def test_loop_tells_every_ten_seconds_how_long_the_rest_takes(logged, monkeypatch):
  clock = Clock()
  monkeypatch.setattr(progress_lines, "time", clock)
  done = []
  for item in progress_lines.each("abcdefgh", "Stirring, pot", 8):
    done.append(item)
    clock.now += 4.0 if item < "d" else 90.0
  assert "".join(done) == "abcdefgh"
  # After 12 s for 3 pots, then 102 s for 4; not after the last one.
  assert logged.lines[0] == "Stirring, pot 3 of 8, 20 s left"
  assert logged.lines[1] == "Stirring, pot 4 of 8, 2 min left"
  assert [line.split(",")[1] for line in logged.lines] == [f" pot {n} of 8" for n in range(3, 8)]


def test_short_loop_is_silent(logged):
  assert list(progress_lines.each(range(1000), "Counting", 1000)) == list(range(1000))
  assert logged.lines == []


def test_large_numbers_are_grouped(logged, monkeypatch):
  clock = Clock()
  monkeypatch.setattr(progress_lines, "time", clock)
  for number in progress_lines.each(range(2000), "batch", 2000):
    clock.now += 11.0 * (number == 999)
  assert logged.lines == ["batch 1,000 of 2,000, 11 s left"]


def test_heartbeat_beats_until_the_end_of_its_block(logged, monkeypatch):
  monkeypatch.setattr(progress_lines, "SECONDS_PER_HEARTBEAT", 0.01)
  logged.wanted = 3
  with progress_lines.heartbeat("Computing mig"):
    assert logged.came.wait(timeout=60)
    assert "heartbeat" in [thread.name for thread in threading.enumerate()]
  assert set(logged.lines) == {"Computing mig: 0 s so far"}
  assert "heartbeat" not in [thread.name for thread in threading.enumerate()]


def test_heartbeat_ends_with_an_error(logged):
  with pytest.raises(ValueError, match="^no$"), progress_lines.heartbeat("Failing"):
    raise ValueError("no")
  assert "heartbeat" not in [thread.name for thread in threading.enumerate()]
  assert logged.lines == []


def test_heartbeat_is_silent_while_a_loop_reports(logged, monkeypatch):
  monkeypatch.setattr(progress_lines, "SECONDS_PER_LINE", 0.0)
  monkeypatch.setattr(progress_lines, "SECONDS_PER_HEARTBEAT", 60.0)
  with progress_lines.heartbeat("Computing"):
    begun = progress_lines._lines.last_time
    list(progress_lines.each(range(3), "part", 3))
    assert progress_lines._lines.last_time > begun  # What the heartbeat counts from.
  assert logged.lines == ["part 1 of 3, 0 s left", "part 2 of 3, 0 s left"]


@pytest.mark.parametrize(
  ("seconds", "text"),
  [
    (-1, "0 s"),
    (45, "45 s"),
    (720, "12 min"),
    (12600, "3.5 h"),
    (4654 * 60 + 54, "3.2 days"),
    (864000, "10.0 days"),
  ],
)
def test_seconds(seconds, text):
  assert progress_lines.format_seconds(seconds) == text
