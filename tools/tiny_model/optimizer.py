"""Muon for the matrices of the layers, AdamW for the embedding and the norms."""

import torch


def orthogonal(g):
    """The nearest semi-orthogonal matrices of a stack, by Newton-Schulz steps."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return (x.mT if tall else x).float()


class Muon:
    """Momentum, made orthogonal; matrices of one shape are handled together."""

    def __init__(self, matrices, momentum=0.95, decay=0.01):
        self.groups = {}
        for matrix in matrices:
            self.groups.setdefault(matrix.shape, []).append(matrix)
        self.momentum, self.decay = momentum, decay
        self.memory = {shape: torch.zeros(len(g), *shape) for shape, g in self.groups.items()}

    @torch.no_grad()
    def step(self, rate):
        """One step with this learning rate."""
        for shape, group in self.groups.items():
            gradient = torch.stack([matrix.grad for matrix in group])
            memory = self.memory[shape]
            memory.lerp_(gradient, 1 - self.momentum)
            update = orthogonal(gradient.lerp(memory, self.momentum))
            update *= max(1.0, shape[0] / shape[1]) ** 0.5
            for matrix, change in zip(group, update):
                matrix.mul_(1 - rate * self.decay).sub_(change, alpha=rate)


class Optimizer:
    """Both together, with warm-up and a decay to nearly nothing."""

    def __init__(self, model, muon_rate, adam_rate, warm_up, cool_from=0.0):
        self.matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "layers" in n]
        others = [p for n, p in model.named_parameters() if not (p.ndim == 2 and "layers" in n)]
        self.muon = Muon(self.matrices)
        self.adam = torch.optim.AdamW(others, lr=adam_rate, betas=(0.9, 0.98), weight_decay=0.0)
        self.muon_rate, self.adam_rate = muon_rate, adam_rate
        self.warm_up, self.cool_from = warm_up, cool_from

    def factor(self, step, progress):
        """Share of the full learning rate: warm-up by steps, cosine by time."""
        warm = min(1.0, (step + 1) / self.warm_up)
        rest = max(0.0, progress - self.cool_from) / (1 - self.cool_from)
        return warm * (0.02 + 0.98 * 0.5 * (1 + torch.cos(torch.tensor(3.14159 * min(rest, 1.0))).item()))

    def step(self, step, progress):
        """One step of both."""
        factor = self.factor(step, progress)
        self.muon.step(self.muon_rate * factor)
        self.adam.param_groups[0]["lr"] = self.adam_rate * factor
        self.adam.step()
