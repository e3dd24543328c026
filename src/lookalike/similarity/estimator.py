"""The part of scikit-learn's contract that every fitted thing shares, without importing scikit-learn."""

from __future__ import annotations

import inspect
from typing import Any, Self

from lookalike.core.errors import InputError, NotFittedError

__all__ = ["Estimator"]


class Estimator:
    """Something with parameters, which it only stores, and with fitted names that end in ``_``.

    Examples
    --------
    >>> class Half(Estimator):
    ...     def __init__(self, share=0.5): self.share = share
    >>> Half(share=0.2).get_params(), Half()
    ({'share': 0.2}, Half())
    >>> Half().set_params(share=0.1)
    Half(share=0.1)
    """

    @classmethod
    def parameters(cls) -> dict[str, Any]:
        """Return the names of the constructor's parameters with their defaults."""
        signature = inspect.signature(cls)
        return {name: parameter.default for name, parameter in signature.parameters.items()}

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 scikit-learn's signature
        """Return what the constructor was given."""
        return {name: getattr(self, name) for name in self.parameters()}

    def set_params(self, **params: Any) -> Self:
        """Change what the constructor was given.

        Raises
        ------
        InputError
            There is no such parameter.
        """
        known = self.parameters()
        for name, value in params.items():
            if name not in known:
                raise InputError(f"{type(self).__name__} has no parameter '{name}': it has {', '.join(known)}")
            setattr(self, name, value)
        return self

    def fresh(self) -> Self:
        """Return one with the same parameters that is not fitted."""
        return type(self)(**self.get_params())

    def _need_fit(self) -> None:
        """Raise unless something was fitted: some name that ends in ``_`` is there."""
        if not any(name.endswith("_") and not name.startswith("_") for name in vars(self)):
            raise NotFittedError(type(self).__name__)

    def __repr__(self) -> str:
        defaults = self.parameters()
        changed = [f"{name}={value!r}" for name, value in self.get_params().items() if value != defaults[name]]
        return f"{type(self).__name__}({', '.join(changed)})"
