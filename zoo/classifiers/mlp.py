"""MLP: Learning representations by back-propagating errors.

D. E. Rumelhart, G. E. Hinton, R. J. Williams, 1986. doi:10.1038/323533a0

Slices (N, in_channels, S, S) to logits (N, classes), S of 32 or more; 541,057 parameters for slices of 64
pixels at one channel in and one class out.

The pixels of a slice, two hidden layers of 128 with ReLUs, a logit. Selvan et al. 2024 (arXiv:2303.10181)
list an MLP as a baseline; neither its depth nor its width is published, so both are ours.
"""

from torch import nn

from zoo.classifiers._size_check import require_size

MULTIPLE = 1
WIDTH = 128


def build(image_size: int, in_channels: int, classes: int) -> nn.Module:
    """Build an MLP with fresh weights."""
    require_size(image_size, MULTIPLE, "mlp")
    hidden = [nn.Linear(in_channels * image_size**2, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(WIDTH, classes))
