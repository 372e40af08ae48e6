"""Processes that end with the one that started them."""

import ctypes
import os
import signal
import sys

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
