"""What a case costs beside the others, from what is known without measuring: for `--energy-shard`.

All shards must come to the same figures, whatever machine they run on, so no time is taken here.
"""

from __future__ import annotations

import zoo

# A training step takes time beside its products (launching, loading), as much as so many of them per slice:
# least squares of seconds against products over the networks of results/xeon-2c-cpu-fc60/0002 (12.0 s and
# 2.70e-8 s per product at 64 px), SQNet left out, which slows down once it has collapsed.
OVERHEAD_MACS = 4.4e8


def estimate_load(arch: str, technique: str, image_size: int) -> float:
    """Return the products of one slice's forward pass, with what a step takes beside them."""
    share = zoo.recipe(arch, technique).resolution ** 2
    return OVERHEAD_MACS + share * zoo.macs_per_slice(arch, image_size)
