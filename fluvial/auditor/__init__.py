"""The auditor: recomputes what the federation claims from its topics alone. Trusts the keys of federation.json and
nothing of the cluster.
"""
