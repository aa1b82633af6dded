// PhysicalOps: vectorised operators, pipelines and their drivers.
