"""A search that runs, steered from another process: requests in its folder, and how it stands.

Not here: what a request does to trials (`search.run.ledger`), the commands (`search.cli`).
"""
