"""Locks on files: the system gives one back when the process that holds it ends."""

import fcntl
from typing import IO


def take(file: IO, wait: bool = False) -> bool:
  """Takes the only writer's lock of an open file and returns whether no other process has it.

  Args:
    file: The file. The lock is held until it is closed.
    wait: Whether to wait for another process to give the lock back.

  Raises:
    OSError: If the disk has no locks.
  """
  try:
    fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
  except BlockingIOError:
    return False
  return True
