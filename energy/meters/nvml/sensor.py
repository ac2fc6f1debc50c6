"""How NVIDIA's power sensors look at their boards, as far as a board's name and architecture tell.

Yang et al., Part-time Power Measurements (SC'24, arXiv 2312.02741), table 2: over how long each value is a
mean, as a share of the time from one value to the next. What they did not measure is taken for the boards of
which a quarter was seen, the commonest of those that do not see all.
"""

from __future__ import annotations

from types import MappingProxyType

PASCAL, VOLTA, TURING = 4, 5, 6  # nvml.h, NVML_DEVICE_ARCH_*
QUARTER = 0.25  # A100 and H100: 25 of 100 ms
BY_NAME = MappingProxyType({"GH200": 0.2, "RTX 3090": 1.0})  # 20 of 100 ms; 100 of 100 ms
BY_ARCHITECTURE = MappingProxyType({PASCAL: 0.5, VOLTA: 0.5, TURING: 1.0})  # 10 of 20 ms; 100 of 100 ms


def seen_share(name: str, architecture: int | None) -> float:
    """Return the part of the time that the board's sensor looks at.

    >>> seen_share("NVIDIA H200", 9), seen_share("NVIDIA GeForce RTX 3090", 7)
    (0.25, 1.0)
    """
    named = [share for part, share in BY_NAME.items() if part in name]
    return named[0] if named else BY_ARCHITECTURE.get(architecture or 0, QUARTER)
