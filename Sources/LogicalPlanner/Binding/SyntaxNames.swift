// Names for types that exist twice: once in the syntax tree and once in bound plans.

import QueryPlan
import SQLFunctions
import SQLParser

typealias Expression = QueryPlan.Expression
typealias SyntaxExpression = SQLParser.Expression
typealias WindowFrame = QueryPlan.WindowFrame
typealias SyntaxWindowFrame = SQLParser.WindowFrame
typealias TableFunction = SQLFunctions.TableFunction
typealias SyntaxTableFunction = SQLParser.TableFunction
