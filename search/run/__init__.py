"""The folder of a run and what is recorded in it: ledger, recovery, rows, copies of it.

Not here: who trains (`search.tune`), who asks (`search.study`).
"""
