"""paraspine: rater disagreement and network uncertainty in paraspinal muscle segmentation.

Each module is a room with one purpose; import the one that you need, for example
``from paraspine import manifest, metrics``. Importing the package itself loads none of them, so
it takes no time: PyTorch and MONAI load only where a network is built.
"""

__version__ = "0.1.0"
