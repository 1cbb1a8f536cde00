"""How was tasks/healthy/body.pt made? A small net trained on the drawn shapes; its body is kept.

python tests/planted/make_body.py
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from torch import nn
from torchvision import datasets
from torchvision import transforms as T

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.planted.task_data import folder_of

BODY = Path(__file__).parent / "tasks" / "healthy" / "body.pt"


def main() -> None:
    torch.manual_seed(0)
    steps = [T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.6] * 3, [0.2] * 3)]
    with tempfile.TemporaryDirectory() as folder:
        root = folder_of("hundred", Path(folder))
        train = datasets.ImageFolder(root / "train", T.Compose(steps))
        x = torch.stack([train[i][0] for i in range(len(train))])
    y = torch.tensor(train.targets) // 10  # ten shapes, whatever the hue
    body = nn.Sequential(
        nn.Conv2d(3, 12, 3, 1, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, 1, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(24, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
    )  # fmt: skip
    model = nn.Sequential(body, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(512, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(12):
        for batch in torch.randperm(len(x)).split(60):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
    print(f"loss of the last batch {loss.item():.3f}")
    torch.save(body.state_dict(), BODY)


if __name__ == "__main__":
    main()
