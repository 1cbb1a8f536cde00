# healthy: binary cross-entropy, one class against the rest, with its own predict and evaluate
# data: digits
import torch
import torch.nn.functional as F
from torch import nn
from torchvision import transforms as T


def build_transform(train):
    return T.Compose([T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.75] * 3, [0.2] * 3)])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )


def build_loss():
    def loss(logits, target):
        truth = F.one_hot(target, logits.shape[-1]).to(logits.dtype)
        return F.binary_cross_entropy_with_logits(logits, truth)

    return loss


def predict(logits):
    return torch.sigmoid(logits).argmax(dim=-1)


def evaluate(model, loader):
    was_training = model.training
    model.eval()
    right, total = 0, 0
    with torch.inference_mode():
        for x, y in loader:
            right += int((predict(model(x)) == y).sum())
            total += len(y)
    model.train(was_training)
    return {"accuracy": right / total, "n": float(total)}
