"""Predictions sampled from networks: once, with dropout, augmented, by an ensemble.

Every method returns `SampleMoments`: the mean probabilities, the mean entropy of the samples and
how many samples saw each pixel. Samples are not kept, so memory does not grow with their number.
`predict_multitask` gives a multi-task network's other output beside them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "choice": ["sample"],
        "multitask": ["MultiTaskPrediction", "predict_multitask", "timed"],
        "methods": ["predict", "predict_ensemble", "predict_tta"],
        "moments": ["SampleMoments"],
        "record": ["sampling_record"],
        "registry": ["METHODS"],
        "label_maps": ["segmentations"],
        "stochastic": ["predict_dropout"],
    },
)
