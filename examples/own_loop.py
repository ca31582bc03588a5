"""A loop of one's own: `vaecore.VAE` is a module of torch like any other, here on a DataLoader of tensors."""

import torch
from torch.utils.data import DataLoader, TensorDataset

import vaecore
from vaecore.data import MNIST, DataConfig

DIGITS = MNIST(source="embedded")

def main(data: DataConfig = DIGITS, epochs: int = 5, latent_size: int = 10) -> list[float]:
    """Train on the images of `data`; returns the mean ELBO in nats of each epoch."""
    images = data.load().splits["train"].arrays["image"]  # uint8 (N, C, H, W)
    loader = DataLoader(TensorDataset(torch.from_numpy(images)), batch_size=100, shuffle=True)
    model = vaecore.VAE(images.shape[1:], latent_size=latent_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    means = [0.0] * epochs
    for epoch in range(epochs):
        for (x,) in loader:
            elbo = model(x / 255).elbo().mean()  # `model(x)` has its terms: reconstruction by modality, KL by latent
            optimizer.zero_grad()
            (-elbo).backward()
            optimizer.step()
            means[epoch] += elbo.item() / len(loader)
        print(f"epoch {epoch + 1}: ELBO {means[epoch]:.2f} nats")
    return means


if __name__ == "__main__":
    main()
