"""The mitigations, one file a slot, each member one small function with its source;
importing this package registers them.
"""

from vgbench.mitigations import activations as _activations
from vgbench.mitigations import cells as _cells
from vgbench.mitigations import gradient_transforms as _gradient_transforms
from vgbench.mitigations import initializers as _initializers
from vgbench.mitigations import loss_scaling as _loss_scaling
from vgbench.mitigations import norms as _norms
from vgbench.mitigations import optimizers as _optimizers
from vgbench.mitigations import skips as _skips

del _activations, _cells, _initializers, _loss_scaling, _norms, _optimizers, _skips, _gradient_transforms
