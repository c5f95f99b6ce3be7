"""Makes samples/layer3.h5: the third layer of a small trained network with its real input.

A network of three convolutions and one linear layer is trained on the digits bundled with scikit-learn
(1797 images of 8x8; BSD-3-Clause; a copy of the test set of the UCI "Optical Recognition of Handwritten
Digits"). The trace holds its third convolution, 64 to 64 channels, 3x3, as it sees the first images of
the test set: dot products of K = 576 terms. It takes some seconds, on one thread with a fixed seed.

    make_sample.py [FILE.h5]

needs torch, scikit-learn and h5py (Debian: python3-torch python3-sklearn python3-h5py). The same versions
on the same kind of processor give the same bytes.
"""
import pathlib
import sys

import h5py
import sklearn
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from dump_torch import dump

SEED, EPOCHS, BATCH, IMAGES = 1, 12, 32, 4


def load():
    """Images [N,1,8,8] in 0..1 and labels: training images, test images, training labels, test labels."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    return train_test_split(images, torch.tensor(digits.target), test_size=0.25, random_state=SEED)


def train(images, labels):
    """The trained network."""
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(64 * 4 * 4, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    return model.eval()


def main():
    here = pathlib.Path(__file__).resolve().parent
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "samples" / "layer3.h5"
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)

    train_images, test_images, train_labels, test_labels = load()
    model = train(train_images, train_labels)
    with torch.no_grad():
        accuracy = (model(test_images).argmax(1) == test_labels).float().mean().item()
        before = model[:5](test_images[:IMAGES])
    print(f"test accuracy {accuracy:.2%} of {len(test_images)} images")
    if accuracy < 0.97:
        sys.exit("make_sample: trained to less than 97 %, nothing written")

    layer = nn.Sequential()
    layer.add_module("layer3", model[5])
    path.parent.mkdir(parents=True, exist_ok=True)
    dump(layer, before, path)
    with h5py.File(path, "a") as file:
        file.attrs["model"] = "CNN on 8x8 digits: 3 convolutions (32, 64, 64 channels, 3x3), linear 1024-10"
        file.attrs["sample"] = f"the first {IMAGES} test images"
        file.attrs["test_accuracy"] = accuracy
        file.attrs["source"] = f"digits of scikit-learn {sklearn.__version__}, trained by traces/make_sample.py"
        file.attrs["license"] = "BSD-3-Clause (scikit-learn, with its copy of UCI optdigits)"
        for name, data in file["layer3"].items():
            print(f"layer3/{name} {data.shape} {data.dtype}")
        output, weight = file["layer3/output"], file["layer3/weight"]
        print(f"{output.size * weight[0].size} MACs, K = {weight[0].size}")
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
