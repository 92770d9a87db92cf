"""CDN purge: tells a cache which of the few mutable addresses have changed. Nothing depends on it: they live for a
minute anyway, and immutable objects are never purged.

The drivers make their provider's documented HTTP calls. They were tried against a server of our own that records what
it is asked, and never against a real CDN.
"""
