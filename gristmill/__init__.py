"""gristmill: from a Common Crawl archive to a hybrid Mamba-2 reasoning model, on one graph of manifests.

This package is the front door: the command line (`gristmill.cli`), manifest loading (`gristmill.manifests`),
the demonstration (`gristmill.demo`), and the ground that every other package stands on (`gristmill.base`).
"""

__version__ = "0.1.0"
