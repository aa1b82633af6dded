"""The tree of a generated query: what prints it, and what reduction walks over.

A node is a list of parts, each text or another node, with a role that says how it may shrink:

    expression   may become any expression of the same type below it, a NULL or a plain literal
    query        may become another query below it
    list         may lose items down to `least`
    optional     may vanish
    plain        holds others together
"""


class Node:
    __slots__ = ("parts", "role", "type", "separator", "least")

    def __init__(self, parts, role="plain", type=None, separator="", least=0):
        self.parts = list(parts)
        self.role = role
        self.type = type
        self.separator = separator
        self.least = least

    def __str__(self):
        return self.separator.join(str(part) for part in self.parts)

    def nodes(self):
        """This node and all below it, from the top down."""
        queue = [self]
        for node in queue:
            yield node
            queue.extend(part for part in node.parts if isinstance(part, Node))


def expression(type, *parts):
    return Node(parts, "expression", type)


def items(parts, least=1, separator=", "):
    return Node(parts, "list", separator=separator, least=least)


def optional(*parts):
    return Node(parts, "optional")


def query(*parts):
    return Node(parts, "query")


class Reducer:
    """Makes a tree smaller as long as `persists(text)` stays true. It changes the tree in place."""

    def __init__(self, persists, attempts_max=600):
        self.persists = persists
        self.attempts_left = attempts_max
        self.tried = set()

    def reduce(self, root):
        progress = True
        while progress and self.attempts_left > 0:
            progress = False
            for node in list(root.nodes()):
                if self.attempts_left <= 0:
                    break
                progress = self.shrink(root, node) or progress
        return root

    def attempt(self, root, node, parts):
        before = node.parts
        node.parts = parts
        text = str(root)
        if text in self.tried or self.attempts_left <= 0:
            node.parts = before
            return False
        self.tried.add(text)
        self.attempts_left -= 1
        if self.persists(text):
            return True
        node.parts = before
        return False

    def shrink(self, root, node):
        if node.role == "optional":
            return bool(node.parts) and self.attempt(root, node, [])
        if node.role == "list":
            return self.shrink_list(root, node)
        if node.role not in ("expression", "query"):
            return False
        whole = str(node)
        below = [n for n in node.nodes() if n is not node and n.role == node.role and n.type == node.type]
        candidates = sorted((n for n in below if str(n) != whole), key=lambda n: len(str(n)))[:12]
        if node.role == "expression":
            for literal in literals_of(node.type):
                if len(literal) < len(whole) and self.attempt(root, node, [literal]):
                    return True
        for candidate in candidates:
            if self.attempt(root, node, [candidate]):
                return True
        return False

    def shrink_list(self, root, node):
        progress, size = False, max(1, len(node.parts) // 2)
        while size >= 1 and self.attempts_left > 0:
            position = 0
            while position < len(node.parts):
                rest = node.parts[:position] + node.parts[position + size:]
                if len(rest) >= node.least and len(rest) < len(node.parts) and self.attempt(root, node, rest):
                    progress = True
                else:
                    position += size
            size //= 2
        return progress


def literals_of(type):
    from scalars import TYPES

    description = TYPES.get(type)
    return [] if description is None else [description.plain, f"NULL::{description.sql}"]
