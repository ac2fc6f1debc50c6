"""A library's network behind the zoo's size check: what every extra is."""

from torch import Tensor, nn

from zoo.architectures._input import require_multiple


class Checked(nn.Module):
    """Run a library's network on slices of the sizes that it takes."""

    def __init__(self, net: nn.Module, multiple: int, name: str, smallest: int = 1) -> None:
        super().__init__()
        self.net, self.multiple, self.name, self.smallest = net, multiple, name, smallest

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, self.multiple, self.name, self.smallest)
        return self.net(x)
