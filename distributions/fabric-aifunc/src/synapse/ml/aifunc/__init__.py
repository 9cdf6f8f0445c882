"""Microsoft Fabric's import path of AI functions: everything in it is that of `forehearth.functions`.

`synapse` and `synapse.ml` are namespaces without files of their own, so that other packages below them stay.
"""

from forehearth.functions import *  # noqa: F403 - all of it, under another name
from forehearth.functions import __all__ as __all__
