"""Readers that mirror, field by field, the documented rules of clients that cannot be installed from a package registry.

They are written from those rules alone and share no code with our renderers or gates, so that a mistake on one side
shows on the other. They prove what a mirror can prove and no more: the clients themselves were not run.

Each has ``read(data)``: it raises ``RefusedError`` where the client would refuse the whole document, and else gives what
the client would then know, with ``harms``: what its users would suffer though it was accepted.
"""
