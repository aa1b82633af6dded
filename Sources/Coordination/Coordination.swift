// Coordination: the life of a query: admission, planning, scheduling, results.
