"""One process at a time makes a workspace, and a killed one holds nothing."""

import signal
import subprocess
import sys

import pytest

from paraspine.arrays import RunError
from paraspine.graph.lock import lock_workspace

CODE = (
    "import sys, time; from paraspine.graph.lock import lock_workspace\n"
    "lock_workspace(sys.argv[1], sys.argv[2]); print('held', flush=True); time.sleep(60)"
)


def holder(workspace, folder):
    words = [sys.executable, "-c", CODE, workspace, str(folder)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def test_another_process_is_refused_until_the_first_is_killed(tmp_path):
    process = holder("quick", tmp_path)
    try:
        with pytest.raises(RunError, match=rf"runs/quick is being .*process {process.pid}\)\. Wa"):
            lock_workspace("quick", tmp_path)
        lock_workspace("quick-mine", tmp_path)  # another cohort's runs are in nobody's way
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    lock_workspace("quick", tmp_path)
