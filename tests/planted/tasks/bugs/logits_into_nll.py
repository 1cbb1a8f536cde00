# planted: NLLLoss gets raw logits where it needs log-probabilities
# must: loss_function
# may: loss_at_init, overfit_batch, init_bias, bigger_net, learning_rate, prediction_dynamics, zero_input, metrics
# data: digits
"""The log_softmax was lost when the model was rewritten."""

from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((28, 28)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 5, 2, 2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 5, 2, 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 49, 64),
        nn.ReLU(),
        nn.Linear(64, num_classes),
    )


def build_loss():
    return nn.NLLLoss()
