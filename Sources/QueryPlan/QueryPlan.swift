// QueryPlan: bound expressions, logical and physical plan nodes as plain data, and their printer.
