"""The built-in trainer. All but `task_data` needs torch, which the client does not install: import its modules only
where they are used."""
