"""UNETR: Transformers for 3D Medical Image Segmentation.

A. Hatamizadeh, Y. Tang, V. Nath, D. Yang, A. Myronenko, B. Landman, H. Roth, D. Xu, 2021. arXiv:2103.10504

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 16; 87,315,377 parameters at
one channel in and one class out.

MONAI's UNETR with its defaults, as people use it today, in two dimensions: a transformer of the size of ViT-B
on patches of 16 x 16 pixels, and a convolutional decoder that looks at four of its depths. Two differences.
MONAI's takes slices of a single size; here the places learnt for 256 x 256 pixels are interpolated for other
sizes, as ViT's paper does (A. Dosovitskiy et al., arXiv:2010.11929, section 3.2). And twelve normalisations
for an attention across inputs, of which there is none, are taken away (18,432 parameters that would get no
gradient).
"""

from torch import Tensor, nn
from torch.nn import functional as F

from zoo.architectures._input import require_multiple

MULTIPLE = 16  # a patch
UNPRUNABLE = (
    "vit.blocks.7.attn.qkv makes several vectors for each token, and it takes them for channels of one"
)
GRID = (16, 16)  # patches of a slice of 256 x 256 pixels
DEPTHS = (3, 6, 9)  # blocks, from 0, whose tokens the decoder sees beside the last ones


class UNETR(nn.Module):
    """MONAI's layers, called one by one so that the size may vary."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        from monai.networks import nets

        sides = tuple(MULTIPLE * patches for patches in GRID)
        self.net = nets.UNETR(in_channels, classes, sides, spatial_dims=2)
        for block in self.net.vit.blocks:
            del block.norm_cross_attn

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "monai_unetr")
        net = self.net
        shallow, middle, deep, last = self.encode(x)  # 768 @ 1/16 each
        y = net.decoder5(last, net.encoder4(deep))  # 128 @ 1/8
        y = net.decoder4(y, net.encoder3(middle))  # 64 @ 1/4
        y = net.decoder3(y, net.encoder2(shallow))  # 32 @ 1/2
        return net.out(net.decoder2(y, net.encoder1(x)))

    def encode(self, x: Tensor) -> list[Tensor]:
        """Map (N, in_channels, H, W) to four (N, 768, H / 16, W / 16), from shallow to deep."""
        vit = self.net.vit
        patches = vit.patch_embedding.patch_embeddings(x)
        grid = patches.shape[-2:]
        tokens = (patches + self.places(grid)).flatten(2).transpose(1, 2)
        seen = []
        for depth, block in enumerate(vit.blocks):
            tokens = block(tokens)
            if depth in DEPTHS:
                seen.append(tokens)
        seen.append(vit.norm(tokens))
        return [tokens.transpose(1, 2).unflatten(2, grid) for tokens in seen]

    def places(self, grid: tuple[int, ...]) -> Tensor:
        """Return the learnt places (1, 768, *grid)."""
        places = self.net.vit.patch_embedding.position_embeddings.transpose(1, 2).unflatten(2, GRID)
        return places if tuple(grid) == GRID else F.interpolate(places, tuple(grid), mode="bilinear")


def build(in_channels: int, classes: int) -> nn.Module:
    """Build MONAI's UNETR with fresh weights."""
    return UNETR(in_channels, classes)
