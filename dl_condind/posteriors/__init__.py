"""The families of the approximate posterior q(z|x), one module each, under one interface."""

import importlib
import pkgutil

from dl_condind.posteriors import posterior

Encoded = posterior.Encoded
Posterior = posterior.Posterior

__all__ = ["Encoded", "Posterior"]

# Every family in this folder is a name of this package, and has its gin name registered.
for _found in pkgutil.iter_modules(__path__):
  _module = importlib.import_module(f"{__name__}.{_found.name}")
  for _name, _value in vars(_module).items():
    if isinstance(_value, type) and issubclass(_value, Posterior):
      globals()[_name] = _value
      __all__ += [_name] if _name not in __all__ else []
