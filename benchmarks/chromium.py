"""A headless Chromium that a script opens pages in and asks questions, over the DevTools protocol.

It talks through pipes, so that it needs neither a port nor a package.
"""

from collections.abc import Iterator
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import Any
from typing import BinaryIO

_ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run")
# Chromium reads from descriptor 3 and writes to 4.
_LAUNCHER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find() -> str | None:
  """Returns the program, None where none is installed."""
  return shutil.which("chromium") or shutil.which("google-chrome")


class Page:
  """A tab.

  Attributes:
    problems: What the page logged as errors.
  """

  def __init__(self, commands: BinaryIO, answers: BinaryIO):
    """Opens a tab; `opened` calls it."""
    self._commands, self._answers = commands, answers
    self._number, self._session = 0, None
    self.problems: list[str] = []
    target = self.call("Target.createTarget", url="about:blank")["targetId"]
    self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Log"):
      self.call(f"{domain}.enable")

  def call(self, method: str, **arguments: Any) -> dict[str, Any]:
    """Calls a method of the protocol and returns its result."""
    self._number += 1
    message = {"id": self._number, "method": method, "params": arguments}
    if self._session:
      message["sessionId"] = self._session
    self._commands.write(json.dumps(message).encode() + b"\0")
    self._commands.flush()
    while (found := self._read()).get("id") != self._number:
      pass
    if "error" in found:
      raise RuntimeError(f"{method}: {found['error']['message']}")
    return found["result"]

  def _read(self) -> dict[str, Any]:
    message = bytearray()
    while (byte := self._answers.read(1)) != b"\0":
      if not byte:
        raise RuntimeError("Chromium ended.")
      message += byte
    found = json.loads(message)
    if found.get("method") == "Runtime.exceptionThrown":
      self.problems.append(json.dumps(found["params"]["exceptionDetails"]))
    if found.get("method") == "Log.entryAdded" and found["params"]["entry"]["level"] == "error":
      self.problems.append(found["params"]["entry"]["text"])
    return found

  def open(self, path: pathlib.Path, fragment: str = "") -> None:
    """Opens a file with an address that ends in `#fragment`, and waits until it is loaded."""
    if not path.is_file():
      raise FileNotFoundError(path)
    self.call("Page.navigate", url="about:blank")  # Another fragment alone would not load it.
    self.call("Page.navigate", url=path.resolve().as_uri() + (f"#{fragment}" if fragment else ""))
    while not self.ask("location.href !== 'about:blank' && document.readyState === 'complete'"):
      pass

  def ask(self, expression: str) -> Any:
    """Returns the value of a JavaScript expression or promise, as JSON can hold it."""
    found = self.call(
      "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
    )
    if "exceptionDetails" in found:
      raise RuntimeError(f"{expression}: {found['exceptionDetails']}")
    return found["result"].get("value")

  def press(self, key: str) -> None:
    """Presses a key, such as "a" or " "."""
    text = key if len(key) == 1 else ""
    self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text)
    self.call("Input.dispatchKeyEvent", type="keyUp", key=key)


@contextlib.contextmanager
def opened() -> Iterator[Page]:
  """Yields a tab of a new Chromium, which ends with the block."""
  with contextlib.ExitStack() as stack:
    profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
    to_chromium, from_chromium = os.pipe(), os.pipe()
    # Copies that are not 3 or 4 themselves.
    ends = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (to_chromium[0], from_chromium[1])]
    os.close(to_chromium[0])
    os.close(from_chromium[1])
    commands = stack.enter_context(open(to_chromium[1], "wb"))
    answers = stack.enter_context(open(from_chromium[0], "rb"))
    launcher = [sys.executable, "-c", _LAUNCHER, *map(str, ends)]
    process = subprocess.Popen(
      [*launcher, find(), *_ARGUMENTS, "--remote-debugging-pipe", f"--user-data-dir={profile}"],
      pass_fds=ends,
      stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL,
    )
    for end in ends:
      os.close(end)
    try:
      yield Page(commands, answers)
    finally:
      process.terminate()
      process.wait()
