"""Train for 8-bit integers, and judge the network in them: quantization-aware training.

B. Jacob et al., Quantization and training of neural networks for efficient integer-arithmetic-only
inference, CVPR 2018, arXiv:1712.05877; what A. Sinha et al. 2022, Energy efficiency of quantized neural
networks in medical imaging, did before they measured inference. By torchao's PT2E export.

Why it should save energy: an 8-bit product takes a quarter of the bytes, in inference. The training costs
more, not less: each map and each weight is rounded once more in the second half of the epochs, and a graph is
traced before the first. The Dice is that of the 8-bit network, its products computed by torch in fp32 from
8-bit figures; what inference saves is not in a training's joules.
"""

from dataclasses import replace

from zoo.recipes.recipe import Recipe

PACKAGE = "torchao"


def apply(recipe: Recipe) -> Recipe:
    """Round weights and maps from the middle of the epochs on, and keep the weights as integers."""
    return replace(recipe, int8_qat=True, int8_from=0.5)
