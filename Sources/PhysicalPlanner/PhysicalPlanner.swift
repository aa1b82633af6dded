// PhysicalPlanner: operator choice, distribution and stage cutting: logical plan to stages.
