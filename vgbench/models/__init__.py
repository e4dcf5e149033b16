"""The model families, one file each; importing this package registers them."""

from vgbench.models import mlp as _mlp
from vgbench.models.stack import Network, build_network

del _mlp
__all__ = ["Network", "build_network"]
