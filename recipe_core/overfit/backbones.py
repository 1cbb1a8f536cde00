"""Which network did the nearest paper use? Copy it; do not be a hero.

The recipe's advice for the model is to take the simplest network of the paper nearest to one's
problem and to start with that; for classification the safe answer is a ResNet-50. Parameters and
operations are those of torchvision's models at 224 px (1,000 classes).
"""

from __future__ import annotations

from dataclasses import dataclass

from recipe_core.kernel.errors import UnknownName


@dataclass(frozen=True)
class Backbone:
    """A network to copy.

    name        as torchvision's registry and RunConfig.model know it
    parameters  weights to learn, with a head of 1,000 classes
    gflops      multiply-adds of one forward pass at 224 px, 10⁹
    least_px    smallest sensible input side in pixels
    when        the sentence that chooses it
    paper       where it comes from
    """

    name: str
    title: str
    parameters: int
    gflops: float
    least_px: int
    when: str
    paper: str


BACKBONES = (
    Backbone("resnet50", "ResNet-50", 25_557_032, 4.09, 33,
             "The safe first choice for photos: every paper compares itself with it, and its "
             "recipes are known.", "He et al. 2016, arXiv:1512.03385"),
    Backbone("resnet18", "ResNet-18", 11_689_512, 1.81, 16,
             "The same idea at half the size: for small pictures, few thousand samples, or when "
             "there is no GPU.", "He et al. 2016, arXiv:1512.03385"),
    Backbone("resnet34", "ResNet-34", 21_797_672, 3.66, 16,
             "Between the two, with the simpler block; often enough for medium data sets.",
             "He et al. 2016, arXiv:1512.03385"),
    Backbone("convnext_tiny", "ConvNeXt-T", 28_589_128, 4.46, 32,
             "A ResNet-50 brought up to date; fine-tunes well on photos, wants more epochs from "
             "scratch.", "Liu et al. 2022, arXiv:2201.03545"),
    Backbone("efficientnet_b0", "EfficientNet-B0", 5_288_548, 0.39, 33,
             "Few parameters and operations: when the model must be small in the end; slow to "
             "train for its size.", "Tan & Le 2019, arXiv:1905.11946"),
    Backbone("mobilenet_v3_large", "MobileNetV3-L", 5_483_032, 0.22, 33,
             "For phones: copy it only if that is where it will run.",
             "Howard et al. 2019, arXiv:1905.02244"),
    Backbone("densenet121", "DenseNet-121", 7_978_856, 2.83, 29,
             "What papers on medical pictures (chest X-rays) mostly start from.",
             "Huang et al. 2017, arXiv:1608.06993"),
    Backbone("vit_b_16", "ViT-B/16", 86_567_656, 17.56, 224,
             "Only with pretrained weights: from scratch it needs millions of pictures.",
             "Dosovitskiy et al. 2021, arXiv:2010.11929"),
)  # fmt: skip


def backbone(name: str) -> Backbone:
    """The backbone of this name. Raises UnknownName."""
    known = {b.name: b for b in BACKBONES}
    if name not in known:
        raise UnknownName("backbone", name, known)
    return known[name]
