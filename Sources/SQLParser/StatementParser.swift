// The parser's entry points.

import Diagnostics

/// Bounds that keep any text from costing too much memory or stack.
package struct ParserLimits: Sendable {
    /// Longest text in bytes; beyond it 54000.
    package var textBytes = 16 << 20
    /// How deep constructs may nest (parentheses, subqueries, CASE, unary operators, joins); beyond it 54001.
    package var nesting = 200
    /// How high a tree may grow, chains such as `1 + 1 + 1` and joins included; beyond it 54001. Code that walks a
    /// tree may recurse this deep.
    package var treeHeight = 1_000
    package init() {}
}
