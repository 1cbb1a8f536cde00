# planted: the tanh layers are initialised with a gain of about 33 (5/3 times 20), so nearly every unit is saturated and passes no gradient
# must: dead_units
# may: learning_rate, overfit_batch, parameters_update, bigger_net, prediction_dynamics, human_baseline, loss_at_init, zero_input, gradient_dependency, metrics
# data: grey
"""Grey shapes with a classical tanh network."""

import torch
from torch import nn

SHARPNESS = 20.0


class TanhNet(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(3, 12, 5, stride=2, padding=2),
                nn.Conv2d(12, 24, 3, stride=2, padding=1),
                nn.Conv2d(24, 24, 3, padding=1),
            ]
        )
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.head = nn.Linear(24 * 16, num_classes)
        self.reset()

    def reset(self):
        gain = nn.init.calculate_gain("tanh") * SHARPNESS
        for layer in self.layers:
            nn.init.xavier_uniform_(layer.weight, gain=gain)
            nn.init.zeros_(layer.bias)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return self.head(self.pool(x).flatten(1))


def build_model(num_classes):
    return TanhNet(num_classes)
