"""Look at an archive as it is and propose a plan: the beginnings of files, never the whole.

``walk`` lists, ``look`` opens beginnings in worker processes, ``core/survey`` thinks, and
``plan_file`` and ``toml_file`` write what a person corrects and ``upload`` runs.
"""
