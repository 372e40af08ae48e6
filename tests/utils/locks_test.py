import subprocess
import sys

from dl_condind.utils import locks

HOLDS = """
import sys
from dl_condind.utils import locks
file = open(sys.argv[1], "ab")
print(locks.take(file), flush=True)
sys.stdin.read()
"""


def test_lock_goes_with_its_process(tmp_path):
  command = [sys.executable, "-c", HOLDS, tmp_path / "lock"]
  holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
  assert holder.stdout.readline() == "True\n"
  with open(tmp_path / "lock", "ab") as file:
    assert not locks.take(file)
    holder.kill()
    assert locks.take(file, wait=True)
  holder.communicate()
