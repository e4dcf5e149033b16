"""The model families, one file each; importing this package registers them."""

from vgbench.models import causal_lm as _causal_lm
from vgbench.models import convnet as _convnet
from vgbench.models import imported as _imported
from vgbench.models import mlp as _mlp
from vgbench.models import recurrent as _recurrent
from vgbench.models import transformer as _transformer
from vgbench.models.network import Network, build_network

del _causal_lm, _convnet, _imported, _mlp, _recurrent, _transformer
__all__ = ["Network", "build_network"]
