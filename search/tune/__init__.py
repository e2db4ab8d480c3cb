"""Everything that knows Ray: driver, Tune's searcher and trainable, clusters, file transfer.

Not here: what a trial's reports mean (`search.run.ledger`).
"""
