# planted: weights of standard deviation one: logits in the hundreds at the start
# must: loss_at_init
# may: overfit_batch, learning_rate, zero_input, dead_units, prediction_dynamics, bigger_net, init_bias
# data: digits
"""normal_ with its default deviation."""

from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((28, 28)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


def build_model(num_classes):
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 49, 64),
        nn.ReLU(),
        nn.Linear(64, num_classes),
    )
    for name, p in model.named_parameters():
        if name.endswith("weight"):
            nn.init.normal_(p)
        else:
            nn.init.zeros_(p)
    return model
