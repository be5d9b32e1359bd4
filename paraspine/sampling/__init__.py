"""Predictions sampled from networks: once, with dropout, augmented, by an ensemble.

Every method returns `SampleMoments`: the mean probabilities, the mean entropy of the samples and
how many samples saw each pixel. Samples are not kept, so memory does not grow with their number.
`joint` gives a multi-task network's other output beside them.
"""

from paraspine.sampling.choice import sample
from paraspine.sampling.joint import Joint, joint, timed
from paraspine.sampling.methods import augmented, ensemble, single
from paraspine.sampling.moments import SampleMoments
from paraspine.sampling.record import sampling_record
from paraspine.sampling.segmentations import segmentations
from paraspine.sampling.stochastic import dropout

__all__ = [
    "Joint",
    "SampleMoments",
    "augmented",
    "dropout",
    "ensemble",
    "joint",
    "sample",
    "sampling_record",
    "segmentations",
    "single",
    "timed",
]
