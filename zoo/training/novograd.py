"""Novograd without waiting for the GPU: MONAI's numbers from a few kernels over all tensors at once."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class ForeachNovograd(torch.optim.Optimizer):
    """Novograd (arXiv:1905.11286) and its AMSGrad variant, as `monai.optimizers.Novograd` without decay.

    MONAI asks of each tensor, in each step, whether its second moment is still 0, and so waits for the GPU
    as often. Here the moments of all tensors are one vector, and the question is put to it on the device.
    Gradients are left as they are, where MONAI divides them in place.

    Args:
        params: weights, or groups of weights.
        lr: learning rate.
        betas: how much of the first and of the second moment stays in each step.
        eps: added to the root of the second moment.
        amsgrad: divide by the largest second moment so far.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: float = 1e-8,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "amsgrad": amsgrad})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step with the gradients that are there; weights without one stay."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self._step(group, weights)
        return loss

    def _step(self, group: dict[str, Any], weights: list[Tensor]) -> None:
        beta1, beta2 = group["betas"]
        gradients = [weight.grad for weight in weights]
        states = [self._state(weight, group["amsgrad"]) for weight in weights]
        first = [state["exp_avg"] for state in states]

        norms = torch.stack(torch._foreach_norm(gradients)) ** 2
        second = torch.stack([state["exp_avg_sq"] for state in states])
        # The first gradient that is not all 0 starts the moment; it is not averaged with that 0.
        second = torch.where(second == 0, norms, beta2 * second + (1 - beta2) * norms)
        _keep(states, "exp_avg_sq", second)
        if group["amsgrad"]:
            second = torch.maximum(torch.stack([state["max_exp_avg_sq"] for state in states]), second)
            _keep(states, "max_exp_avg_sq", second)

        torch._foreach_mul_(first, beta1)
        torch._foreach_addcdiv_(first, gradients, list((second.sqrt() + group["eps"]).unbind()))
        torch._foreach_add_(weights, first, alpha=-group["lr"])

    def _state(self, weight: Tensor, amsgrad: bool) -> dict[str, Tensor]:
        state = self.state[weight]
        if not state:
            state["exp_avg"] = torch.zeros_like(weight)
            for name in ("exp_avg_sq", "max_exp_avg_sq") if amsgrad else ("exp_avg_sq",):
                state[name] = torch.zeros((), device=weight.device)
        return state


def _keep(states: list[dict[str, Tensor]], name: str, values: Tensor) -> None:
    for state, value in zip(states, values.unbind(), strict=True):
        state[name] = value
