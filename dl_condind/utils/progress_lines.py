"""Log lines that show how far long work has come, and that it still goes on."""

from collections.abc import Iterable
from collections.abc import Iterator
import contextlib
import threading
import time
from typing import TypeVar

from absl import logging

SECONDS_PER_LINE = 10.0
SECONDS_PER_HEARTBEAT = 30.0

_Item = TypeVar("_Item")


class _Lines:
  """Logs lines and remembers when: a heartbeat is silent while a loop reports."""

  def __init__(self):
    self.last_time = time.monotonic()

  def log(self, line: str) -> None:
    self.last_time = time.monotonic()
    logging.info("%s", line)


_lines = _Lines()


def each(items: Iterable[_Item], what: str, num_items: int) -> Iterator[_Item]:
  """Yields items, and logs every ten seconds how many are done and how long the others take.

  A loop that ends within ten seconds logs nothing.

  Args:
    items: What is worked on, one after another.
    what: What is counted, as the line begins, such as "Evaluating the losses, batch".
    num_items: Number of items.
  """
  start = last = time.monotonic()
  for number, item in enumerate(items, start=1):
    yield item
    now = time.monotonic()
    if now - last >= SECONDS_PER_LINE and number < num_items:
      last = now
      left = (now - start) / number * (num_items - number)
      _lines.log(f"{what} {number:,} of {num_items:,}, {format_seconds(left)} left")


@contextlib.contextmanager
def heartbeat(what: str) -> Iterator[None]:
  """Logs every half minute without another line of this module how long the block has taken.

  Args:
    what: What the block does, as the line begins, such as "Computing mig".
  """
  ended = threading.Event()
  start = time.monotonic()
  _lines.last_time = start

  def beat() -> None:
    while not ended.wait(_lines.last_time + SECONDS_PER_HEARTBEAT - time.monotonic()):
      now = time.monotonic()
      if now - _lines.last_time >= SECONDS_PER_HEARTBEAT:
        _lines.log(f"{what}: {format_seconds(now - start)} so far")

  thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
  thread.start()
  try:
    yield
  finally:
    ended.set()
    thread.join()


def format_seconds(seconds: float) -> str:
  """Returns a duration such as `45 s`, `12 min`, `3.5 h` or `2.1 days`."""
  for limit, unit, name in ((100, 1, "s"), (6000, 60, "min"), (72 * 3600, 3600, "h")):
    if seconds < limit:
      digits = 1 if name == "h" else 0
      return f"{max(seconds, 0) / unit:.{digits}f} {name}"
  return f"{seconds / 86400:.1f} days"
