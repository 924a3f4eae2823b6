"""The command line, `./handover`: verbs on transfers, through the API; verbs that set Handover up, on its database."""
