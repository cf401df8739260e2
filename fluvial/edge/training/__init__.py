"""The built-in trainer, the architectures and the data files that tasks may name. `task_data`, `data_files` and
`architectures` do without torch, which the client does not install; import the others only where they are used."""
