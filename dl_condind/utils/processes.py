"""Signals to processes: to stop at a good place, and to end with the process that started them."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
from typing import Any

from dl_condind.utils import errors

PARENT = "DL_CONDIND_PARENT"  # Environment variable: the process to end with.

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
  """Lets Linux send SIGTERM to this process when its parent ends, if PARENT says so.

  An engine that is killed cannot stop what it started: this does. Elsewhere than on Linux nothing
  happens, and a process that was left behind works on, holding the lock of its folder.
  """
  parent = os.environ.pop(PARENT, None)  # What this process starts has another parent.
  if parent is None or not sys.platform.startswith("linux"):
    return
  ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
  if os.getppid() != int(parent):  # It had ended before.
    os.kill(os.getpid(), signal.SIGTERM)


class Interruption(contextlib.AbstractContextManager):
  """Notes SIGTERM and SIGINT while it is entered, so that work can stop at a good place.

  A second signal acts as if nobody had listened to the first. Only the main thread can listen.

  Attributes:
    signal_name: The signal that came, None as long as none did.
  """

  def __init__(self, overwrite: bool = False):
    """Listens to nothing yet.

    Args:
      overwrite: Whether the work began by deleting what was there; the same call would delete it
        again.
    """
    self.signal_name: str | None = None
    self._again = "the same command again" + (" without overwrite" if overwrite else "")
    self._previous: dict[int, Any] = {}

  def __enter__(self):
    if threading.current_thread() is threading.main_thread():
      for number in (signal.SIGTERM, signal.SIGINT):
        self._previous[number] = signal.signal(number, self._note)
    return self

  def _note(self, number: int, frame: object) -> None:
    del frame
    self.signal_name = signal.Signals(number).name
    self._restore()

  def _restore(self) -> None:
    while self._previous:
      signal.signal(*self._previous.popitem())

  def check(self, state: str) -> None:
    """Stops here if a signal came.

    Args:
      state: What is safe, for the message.

    Raises:
      TryAgainError: If a signal came.
    """
    if self.signal_name:
      raise errors.TryAgainError(f"{self.signal_name}: {state}; run {self._again} to continue.")

  def __exit__(self, *exc_info) -> None:
    self._restore()
