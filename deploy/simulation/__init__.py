"""A federation in one process: its rounds without broker and engine, from the very logic that the jobs carry out.

`server` is validation and aggregation, `participants` the other side: keys, signed updates. `memory_log` is what lies
between them. `federation` lets simulated time pass: who trains when, what arrives, which timers fire. `division` deals
the examples out, `learning` is what a task trains and measures, `workers` train in processes of their own.
"""
