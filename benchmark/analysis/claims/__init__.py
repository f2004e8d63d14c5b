"""The ledger of claims: what people say about depth, each with its rule fixed before the data (PROTOCOL 14 to 22)."""
