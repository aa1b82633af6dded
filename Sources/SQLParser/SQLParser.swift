// SQLParser: lexer, syntax tree and parser of the SQL dialect. It knows nothing of catalogues or types.
