"""What the probes of clients share: how a check is made, and how a probe says what came of it.

A probe is a program: HOST PORT USER DATABASE as arguments, exit status 0 if all is well, 1 if a check failed, 77 if the
client is not installed. Its checks say what PostgreSQL 15 does; `run.py --server` holds them against one.
"""

import contextlib
import sys
import traceback

SKIPPED = 77


class Probe:
    def __init__(self, client):
        self.client = client
        if len(sys.argv) < 5:
            sys.exit(f"usage: {sys.argv[0]} HOST PORT USER DATABASE")
        self.host, self.port, self.user, self.database = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
        self.passed = 0
        self.failed = 0

    @property
    def url(self):
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.database}"

    def equal(self, what, got, wanted):
        if got == wanted:
            self.passed += 1
        else:
            self.fail(what, f"got {got!r}, wanted {wanted!r}")

    def true(self, what, value):
        self.equal(what, bool(value), True)

    def raises(self, what, code, work, state=lambda error: getattr(error, "sqlstate", None)):
        """The work must fail with this SQLSTATE."""
        try:
            work()
        except Exception as error:
            self.equal(what, state(error), code)
        else:
            self.fail(what, f"did not fail, wanted {code}")

    def fail(self, what, why):
        self.failed += 1
        print(f"{self.client}: {what}: {why}")

    @contextlib.contextmanager
    def part(self, name):
        """A failure within ends this part and not the probe."""
        try:
            yield
        except Exception as error:
            self.fail(name, f"{type(error).__name__}: {error}".strip())
            if "-v" in sys.argv:
                traceback.print_exc()

    def end(self):
        print(f"{self.client}: {self.passed} checks passed, {self.failed} failed")
        sys.exit(1 if self.failed else 0)


def skip(client, why):
    print(f"{client}: skipped: {why}")
    sys.exit(SKIPPED)
