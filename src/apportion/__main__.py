"""`python -m apportion` is the command `apportion`."""

from .cli import main

main()
