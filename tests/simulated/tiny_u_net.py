"""A U-Net that trains in a moment, for `pytest -p tests.simulated.tiny_u_net`; others stay as they are."""

from tests.simulated.tiny_slices import network
from zoo.model import build

real = build.create_network


def create_network(recipe):
    return network() if recipe.architecture == "unet" else real(recipe)


build.create_network = create_network
