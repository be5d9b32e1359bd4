"""Segmentation networks by name: `build`, `save` and `load`.

A network computes logits ``(B, C, H, W)`` from images ``(B, channels, H, W)`` in two steps,
``decode(encode(images))``, so that test-time dropout, which lives in the decoder only, needs the
encoder once for any number of samples. Multi-task networks say more than that in one pass:
``outputs(images)`` gives what each of their ``tasks`` asks for, by name.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "files": ["load", "loader", "save"],
        "multitask": ["MultiTaskTransUNet", "MultiTaskUNet"],
        "architectures": ["NETWORKS"],
        "network": ["Network"],
        "pretrained": ["PretrainedReport", "load_pretrained"],
        "registry": [
            "build",
            "known_options",
            "names",
            "options",
            "parameter_count",
            "parameter_counts",
            "tasks",
        ],
        "transunet": ["TransUNet"],
        "unet": ["UNet"],
    },
)
