"""`strata speed`: seconds of a training as most people would write it, as a bare loop, and as Strata runs it.

`plain` and `bare` are what Strata is compared with, each a program of its own; `contenders` keeps one process of each,
`measure` asks them in turns, `whole` times a small study from the command to its end, `table` says what was found.
"""
