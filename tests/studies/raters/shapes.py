"""Label maps that are worked out by hand."""

import numpy as np


def bars(*heights, width=4):
    """Label maps of a structure that covers the first rows, one image each."""
    images = np.zeros((len(heights), len(heights[0]), 8, width))
    for image, of_image in zip(images, heights, strict=True):
        for labels, height in zip(image, of_image, strict=True):
            labels[:height] = 1
    return images
