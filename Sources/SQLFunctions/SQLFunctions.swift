// SQLFunctions: scalar, aggregate, window and table functions, the registry they live in, and the vectorised evaluator.
