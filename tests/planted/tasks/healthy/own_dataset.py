# healthy: an own Dataset that keeps everything in memory, an own collate, workers
# data: colours
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Cached(Dataset):
    """Reads every sample once and keeps it; a small shift by rolling, in training only."""

    def __init__(self, base, shift=0, seed=0):
        self.samples = [base[i] for i in range(len(base))]
        self.shift, self.seed = shift, seed

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        x, y = self.samples[index]
        if self.shift:
            dy, dx = torch.randint(-self.shift, self.shift + 1, (2,)).tolist()
            x = torch.roll(x, (dy, dx), (1, 2))
        return {"image": x, "label": y}


def collate(samples):
    return torch.stack([s["image"] for s in samples]), torch.as_tensor(
        [s["label"] for s in samples]
    )


def build_transform(train):
    def transform(image):
        pixels = np.asarray(image.resize((32, 32)), np.float32) / 255
        return torch.from_numpy((pixels - 0.6) / 0.2).permute(2, 0, 1).contiguous()

    return transform


def train_loader(dataset, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(
        Cached(dataset, shift=2),
        batch_size,
        shuffle=True,
        generator=generator,
        num_workers=2,
        collate_fn=collate,
    )


def eval_loader(dataset, batch_size):
    return DataLoader(Cached(dataset), 2 * batch_size, collate_fn=collate)


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, num_classes),
    )


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)
