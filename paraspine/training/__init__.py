"""Train a network: loop, schedule, early stopping, exact resume.

`fit` trains a network that the caller made on data in memory. It is a function of its arguments:
the same ones give the same weights on the same machine, whether or not the process was killed and
run again on the way.
"""

from paraspine.training.data import Data
from paraspine.training.fitting import History, fit
from paraspine.training.schedule import learning_rate, momentum
from paraspine.training.settings import Settings, loss_for

__all__ = ["Data", "History", "Settings", "fit", "learning_rate", "loss_for", "momentum"]
