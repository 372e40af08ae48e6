"""The Ray engine on clusters of this machine, with workers and nodes killed at random instants."""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time

import pytest

from dl_condind.studies import attempts
from dl_condind.studies import progress
from dl_condind.studies import ray_engine
from dl_condind.utils import errors

NUM_RUNS = 8

# A cluster of two nodes of one processor; a line of input replaces the second one, killed.
CLUSTER = """
import os, sys
os.environ.update(RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0", RAY_USAGE_STATS_ENABLED="0",
                  RAY_health_check_period_ms="500", RAY_health_check_failure_threshold="3",
                  TOY_SECONDS_PER_STEP="0.2")
from ray import cluster_utils
node = dict(num_cpus=1, object_store_memory=80 * 2**20)
head = {**node, "include_dashboard": False}
cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
second = cluster.add_node(**node)
print(cluster.address, flush=True)
for _ in sys.stdin:
  cluster.remove_node(second, allow_graceful=False)
  second = cluster.add_node(**node)
  print("replaced", flush=True)
cluster.shutdown()
"""


@pytest.fixture(scope="module")
def cluster():
  """A process that keeps a cluster, whose address is its attribute."""
  pytest.importorskip("ray", reason="needs the extra [ray]")
  process = subprocess.Popen(
    [sys.executable, "-c", CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
  )
  process.address = next(line for line in process.stdout if re.match(r"[\d.]+:\d+$", line)).strip()
  yield process
  process.communicate(timeout=60)  # Closes its input, at which it ends.


def parent_of(pid):
  """Returns the process of Ray that started one that makes a run."""
  with open(f"/proc/{pid}/stat") as file:
    return int(file.read().rpartition(")")[2].split()[1])


def test_without_ray_the_extra_is_named(monkeypatch):
  monkeypatch.setitem(sys.modules, "ray", None)
  with pytest.raises(errors.ConfigError, match=r"pip install '\.\[ray\]'` in a clone"):
    ray_engine.run([], None, attempts.Limits(), progress.Progress({}))


def refusal(*arguments):
  """Returns how `ray_engine.run` refuses, in a process of its own: it leaves Ray loaded."""
  code = (
    "import sys\nfrom dl_condind.studies import attempts, progress, ray_engine\n"
    "from dl_condind.utils import cli\n"
    "threads, address, gpus = sys.argv[1:]; sys.argv = sys.argv[:1]\n"
    "limits = attempts.Limits(num_threads=int(threads))\n"
    "cli.run(lambda _: ray_engine.run("
    "[], None, limits, progress.Progress({}), address, float(gpus)))"
  )
  command = [sys.executable, "-c", code, *map(str, arguments)]
  done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
  assert done.returncode == errors.ConfigError.exit_code, done.stderr
  return done.stderr.splitlines()[-1]


def test_more_than_the_cluster_has_is_refused_instead_of_waited_for(cluster):
  line = refusal(1, cluster.address, 0.5)
  assert "has 2 CPUs and 0 GPUs, but a run needs 1 CPUs and 0.5 GPUs" in line
  assert "but a run needs 64 CPUs" in refusal(64, cluster.address, 0)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense"])
def test_a_cluster_that_is_not_there_is_one_clear_line(address):
  pytest.importorskip("ray", reason="needs the extra [ray]")
  assert f"No Ray cluster at ray_address={address}" in refusal(1, address, 0)


def test_killed_workers_and_nodes_change_no_result(cluster, driver, kills):
  generator = random.Random(2)
  num_kills = kills(1, 5)
  num_runs = NUM_RUNS * num_kills
  process = driver.start(num_runs, 2, "ray", cluster.address)
  for _ in range(num_kills):
    driver.wait_until(driver.workers)
    time.sleep(generator.uniform(0, 1))
    with contextlib.suppress(
      ProcessLookupError, FileNotFoundError, IndexError
    ):  # It may have ended by itself.
      os.kill(parent_of(driver.workers()[0]), signal.SIGKILL)
    driver.wait_until(driver.workers)
    time.sleep(generator.uniform(0, 1))
    cluster.stdin.write("replace\n")
    cluster.stdin.flush()
    assert cluster.stdout.readline() == "replaced\n"
  _, stderr = process.communicate(timeout=240)
  assert process.returncode == 0, stderr
  driver.assert_complete(num_runs)


def test_sigterm_lets_runs_save_and_ends_with_75(driver, monkeypatch):
  pytest.importorskip("ray", reason="needs the extra [ray]")
  monkeypatch.setenv("TOY_SECONDS_PER_STEP", "3")
  process = driver.start(2, 2, "ray")
  driver.wait_until(lambda: len(driver.workers()) == 2)
  process.send_signal(signal.SIGTERM)
  _, stderr = process.communicate(timeout=60)
  assert process.returncode == errors.TryAgainError.exit_code
  assert "SIGTERM: every run is saved" in stderr
  assert driver.workers() == []
