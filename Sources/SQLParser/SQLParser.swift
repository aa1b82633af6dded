// SQLParser: lexer, syntax tree, parser and printer of the SQL dialect. It knows nothing of catalogues or types.
//
//   Lexer/     text to tokens
//   Syntax/    the tree: names, expressions, queries, statements
//   Parsing/   tokens to tree, one file for each family of statements
//   Printing/  tree to text
