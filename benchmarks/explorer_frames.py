"""Measures how many frames per second an explorer shows in headless Chromium.

Plays the traversals of all models of a page for some seconds, as its button does, and counts the
frames, each of which decodes and draws one image of every model. Chromium shows at most 60 frames
per second. Run it on an idle machine.

Usage: python benchmarks/explorer_frames.py --page=output/quickstart/explorer.html
"""

import os
import pathlib

from absl import app
from absl import flags
import chromium

_PAGE = flags.DEFINE_string("page", None, "Explorer to measure.", required=True)
_SECONDS = flags.DEFINE_integer("seconds", 5, "Time of a round.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Times that it is measured.", lower_bound=1)

_FRAMES_PER_SECOND = """
new Promise((resolve) => {
  const times = [];
  const tick = (now) => {
    times.push(now);
    const seconds = (now - times[0]) / 1000;
    if (seconds < SECONDS) requestAnimationFrame(tick);
    else resolve((times.length - 1) / seconds);
  };
  togglePlay(null, 0);
  requestAnimationFrame(tick);
}).finally(pause)
"""
_MILLISECONDS = """
(() => {
  const start = performance.now();
  for (let i = 0; i < 50; i++) models.forEach(drawNow);
  return (performance.now() - start) / 50;
})()
"""


def main(_) -> None:
  """Prints a table."""
  if not chromium.find():
    raise app.UsageError("Chromium is not on the PATH.")
  print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the start\n")
  print("| round | models | frames per second | ms to decode and draw a frame |")
  print("| ---: | ---: | ---: | ---: |")
  with chromium.opened() as page:
    page.open(pathlib.Path(_PAGE.value))
    for number in range(1, _ROUNDS.value + 1):
      frames = page.ask(_FRAMES_PER_SECOND.replace("SECONDS", str(_SECONDS.value)))
      milliseconds = page.ask(_MILLISECONDS)
      print(f"| {number} | {page.ask('models.length')} | {frames:.1f} | {milliseconds:.1f} |")


if __name__ == "__main__":
  app.run(main)
