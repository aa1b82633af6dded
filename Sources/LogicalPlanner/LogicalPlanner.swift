// LogicalPlanner: binder and optimiser: syntax tree to optimised logical plan.
