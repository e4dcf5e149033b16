"""The model families, one file each; importing this package registers them."""

from vgbench.models import mlp as _mlp
from vgbench.models import recurrent as _recurrent
from vgbench.models.network import Network, build_network

del _mlp, _recurrent
__all__ = ["Network", "build_network"]
