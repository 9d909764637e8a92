"""Says what to install before the first import of the room fails."""

from .._optional import optional

torch = optional("torch", extra="train")
optional("accelerate", extra="train")
optional("safetensors", extra="train")
