#!/usr/bin/env python3
"""The dashboard in a browser, beside a coordinator and two workers that have something to do, and beside a server with users.

    Tests/DashboardTests/dashboard_test.py --martlet .build/debug/martlet [--screenshots DIRECTORY] [--documents]

Needs Python's playwright and a chromium (Debian's package); says so and ends well where they are missing, unless
--required is given. Prints one line for each check and ends with 1 if one has failed.
"""
import argparse
import base64
import gzip
import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-headless-shell")
LONG_QUERY = (
    'SELECT n_name, count(*), sum(l_extendedprice * (1 - l_discount)) AS revenue FROM "sf1".customer '
    'JOIN "sf1".orders ON c_custkey = o_custkey JOIN "sf1".lineitem ON l_orderkey = o_orderkey '
    'JOIN "sf1".nation ON c_nationkey = n_nationkey GROUP BY n_name ORDER BY revenue DESC'
)
failures = []


def check(name, holds, detail=""):
    print(f"{'ok  ' if holds else 'FAIL'} {name}{f' ({detail})' if detail != '' else ''}", flush=True)
    if not holds:
        failures.append(name)


def until(condition, seconds=20.0):
    """Seconds that it took, or None if it did not come."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if condition():
            return time.monotonic() - start
        time.sleep(0.02)
    return None


class Cluster:
    """A coordinator and two workers as processes."""

    def __init__(self, martlet):
        self.martlet = martlet
        self.logs = tempfile.TemporaryDirectory()
        self.processes = []
        coordinator = self.start("coordinator", "--pg-port", "0", "--grpc-port", "0", "--http-port", "0")
        ready = dict(part.split("=") for part in coordinator.ready.split()[1:])
        self.host, port = ready["http"].rsplit(":", 1)
        self.port = int(port)
        self.workers = [
            self.start("worker", "--join", ready["grpc"], "--id", f"worker-{number}", "--grpc-port", "0")
            for number in (1, 2)
        ]
        if until(lambda: sum(w["state"] == "active" for w in self.get("/v1/workers")) == 2) is None:
            raise SystemExit("the workers did not join")

    def start(self, *arguments):
        log = open(os.path.join(self.logs.name, f"{len(self.processes)}.log"), "w")
        process = subprocess.Popen([self.martlet, *arguments], stdout=subprocess.PIPE, stderr=log, text=True)
        self.processes.append(process)
        process.ready = process.stdout.readline()
        if not process.ready.startswith("ready"):
            raise SystemExit(f"{' '.join(arguments)} did not start")
        return process

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=120)
        try:
            headers = {"content-type": "application/json"} if body is not None else {}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def get(self, path):
        return self.call("GET", path)

    def query(self, sql):
        return self.call("POST", "/v1/query", {"sql": sql})

    def begin(self, sql):
        return self.call("POST", "/v1/queries", {"sql": sql})["id"]

    @property
    def address(self):
        return f"http://{self.host}:{self.port}"

    def stop(self):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


class Load(threading.Thread):
    """Small queries without end, some of them wrong, and now and then one for the workers."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster, self.is_over = cluster, threading.Event()
        self.start()

    def run(self):
        number = 0
        while not self.is_over.wait(0.05):
            number += 1
            try:
                self.cluster.query("SELECT n_name, r_name FROM tiny.nation JOIN tiny.region ON n_regionkey = r_regionkey")
                if number % 9 == 0:
                    self.cluster.query("SELECT 1 / (n_nationkey - 3) FROM tiny.nation")
                if number % 12 == 0:
                    self.cluster.query('SELECT l_shipmode, count(*), sum(l_quantity) FROM "sf0.1".lineitem GROUP BY 1')
            except (OSError, ValueError):
                pass

    def stop(self):
        self.is_over.set()
        self.join()


# Text against what is behind it, by WCAG's formula; and names of what can be used.
AUDIT = r"""() => {
  const found = [];
  const channel = (c) => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255];
  };
  const over = (top, below) => top.slice(0, 3).map((c, i) => c * top[3] + below[i] * (1 - top[3]));
  const light = (c) => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const behind = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) layers.push(rgba(getComputedStyle(one).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('.visually-hidden, .skip, title, noscript, button:disabled')) continue;
    const style = getComputedStyle(element);
    const isDrawing = element instanceof SVGElement;
    const ground = behind(isDrawing ? element.closest('svg').parentElement : element);
    const ink = over(rgba(isDrawing ? style.fill : style.color), ground);
    const [a, b] = [light(ink), light(ground)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const isLarge = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.6 && style.fontWeight >= 600);
    if (ratio < (isLarge ? 3 : 4.5)) found.push(`contrast ${ratio.toFixed(2)}: ${walker.currentNode.data.trim().slice(0, 30)}`);
  }
  for (const element of document.querySelectorAll('a, button, input, select, textarea, [role=button], [role=grid], [role=meter], svg[role=img]')) {
    if (!element.checkVisibility()) continue;
    const labels = element.labels ? [...element.labels].map((l) => l.textContent).join(' ') : '';
    const by = element.getAttribute('aria-labelledby');
    const name = element.getAttribute('aria-label') || (by && document.getElementById(by)?.textContent) || labels || element.textContent;
    if (!name || !name.trim()) found.push(`no name: ${element.outerHTML.slice(0, 60)}`);
  }
  if (document.querySelectorAll('h1').length !== 1) found.push('not one h1');
  if (!document.querySelector('main') || !document.querySelector('nav[aria-label]')) found.push('landmarks');
  if (document.documentElement.scrollWidth > innerWidth) found.push(`wider than the window: ${document.documentElement.scrollWidth}`);
  return found;
}"""


def audit(page, name):
    found = page.evaluate(AUDIT)
    check(f"{name}: names, roles, contrast, width", not found, "; ".join(found[:4]))


def bundle(martlet):
    directory = os.path.join(os.path.dirname(os.path.realpath(martlet)), "../../dashboard")
    if not os.path.exists(os.path.join(directory, "app.js")):
        directory = os.path.join(os.path.dirname(os.path.realpath(martlet)), "dashboard")
    size = 0
    for name in ("index.html", "app.js", "app.css"):
        with open(os.path.join(directory, name), "rb") as file:
            size += len(gzip.compress(file.read()))
    check("the bundle is at most 200 KB compressed", size <= 200_000, f"{size} bytes")


def latencies(cluster):
    """Milliseconds in the middle of many calls over one connection."""
    connection = http.client.HTTPConnection(cluster.host, cluster.port, timeout=30)
    def median(method, path, body=None, count=200):
        times = []
        for _ in range(count):
            start = time.perf_counter()
            connection.request(method, path, body, {"content-type": "text/plain"} if body else {})
            connection.getresponse().read()
            times.append((time.perf_counter() - start) * 1000)
        return statistics.median(times[count // 10:])
    for name, limit, arguments in [
        ("status call", 5, ("GET", "/v1/queries?limit=20")),
        ("worker health", 2, ("GET", "/v1/workers")),
        ("simple query", 10, ("POST", "/v1/query", "SELECT count(*) FROM tiny.nation")),
    ]:
        value = median(*arguments)
        check(f"{name}: median at most {limit} ms", value <= limit, f"{value:.2f} ms")
    connection.close()


def documented(name):
    """Where the guide keeps its picture of a page; None if it shows none of it."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    guide = os.path.join(root, "docs", "guides", "dashboard.md")
    with open(guide, encoding="utf-8") as file:
        return os.path.join(os.path.dirname(guide), f"dashboard-{name}.png") if f"(dashboard-{name}.png)" in file.read() else None


def run(cluster, browser, screenshots, documents=False):
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.set_default_timeout(60_000)
    errors = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))

    def shot(name, of=page):
        if screenshots:
            of.screenshot(path=os.path.join(screenshots, f"{name}.png"), animations="disabled", timeout=90_000)
        picture = documented(name) if documents else None
        if picture:
            of.screenshot(path=picture, animations="disabled", timeout=90_000)
            print(f"written: {os.path.relpath(picture)}")

    def visit(address, title):
        page.goto(cluster.address + address)
        page.get_by_role("heading", level=1, name=title).wait_for()

    # First paint: the middle of three browsers' profiles that have nothing of the page.
    paints = []
    for _ in range(3):
        fresh = browser.new_context()
        first = fresh.new_page()
        first.goto(cluster.address + "/")
        first.get_by_text("worker-1").first.wait_for()
        paints.append(first.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        fresh.close()
    paint = statistics.median(paints)
    check("first paint within a second", paint <= 1000, f"{paint:.0f} ms")
    visit("/", "Overview")
    page.get_by_text("worker-1").first.wait_for()

    # Overview, live.
    load = Load(cluster)
    started = until(lambda: int(page.locator(".tile", has_text="Failed").locator("small").inner_text().split()[-1].replace(",", "")) > 20)
    check("overview: counts rise without reloading", started is not None)
    time.sleep(6)
    check("overview: two workers are active", page.get_by_text("of 2 active").count() == 1)
    check("overview: charts have lines", page.locator(".chart path").count() >= 7)
    audit(page, "overview")
    shot("overview")

    # A worker.
    page.get_by_role("link", name="worker-1").click()
    page.get_by_role("heading", level=1, name="worker-1").wait_for()
    check("worker: has a history", until(lambda: page.locator(".chart path").count() >= 4) is not None)
    busy = page.locator(".tile", has_text="Processors").locator("dd")
    check("worker: is seen at work", until(lambda: float(busy.inner_text().split()[0]) > 0, 30) is not None)
    audit(page, "worker")
    shot("worker")

    # Queries, filtered and searched.
    visit("/#/queries", "Queries")
    page.get_by_role("button", name="Failed").click()
    check("queries: failed ones", until(lambda: page.get_by_text("division by zero").count() > 0) is not None)
    check("queries: only those", until(lambda: page.locator("td .badge-finished").count() == 0, 5) is not None)
    page.get_by_role("button", name="All").click()
    page.get_by_label("Search queries").fill("nothing is like this")
    check("queries: search", until(lambda: page.get_by_text("No query is like that.").count() == 1) is not None)
    page.get_by_label("Search queries").fill("")
    audit(page, "queries")
    shot("queries")

    # One query from its start to its end.
    identifier = cluster.begin(LONG_QUERY)
    page.goto(f"{cluster.address}/#/queries/{identifier}")
    check("query: is seen running", until(lambda: page.locator(".title-line .badge-running").count() == 1, 10) is not None)
    check("query: its plan is drawn while it runs", until(lambda: page.locator(".operator").count() > 5, 10) is not None)
    check("query: ends without reloading", until(lambda: page.locator(".title-line .badge-finished").count() == 1, 60) is not None)
    check("query: rows are on the edges", page.locator(".edge text").count() > 3)
    check("query: tasks on both workers", all(page.locator(".gantt-row", has_text=f"worker-{n}").count() for n in (1, 2)))
    page.locator(".operator").first.focus()
    page.keyboard.press("Enter")
    check("query: an operator opens by keyboard", page.locator(".operator-facts").count() == 1)
    audit(page, "query")
    shot("query")

    # Cancelled from the page.
    identifier = cluster.begin("SELECT pg_sleep(120)")
    page.goto(f"{cluster.address}/#/queries/{identifier}")
    page.get_by_role("button", name="Cancel query").click()
    check("query: cancels", until(lambda: page.locator(".title-line .badge-cancelled").count() == 1, 10) is not None)

    # The editor.
    visit("/#/sql", "SQL editor")
    field = page.get_by_role("combobox", name="SQL")
    field.fill("SELECT * FROM tiny.na")
    field.press("End")
    field.press("Control+ ")
    page.get_by_role("option", name="nation").wait_for()
    field.press("Enter")
    check("editor: completes from the schema", until(lambda: field.input_value() == "SELECT * FROM tiny.nation", 5) is not None)
    field.press("Control+Enter")
    check("editor: rows", until(lambda: page.get_by_role("gridcell", name="ALGERIA", exact=True).count() == 1) is not None)
    page.get_by_role("button", name="Chart").click()
    check("editor: a chart", page.locator(".result-card .chart rect").count() > 10)
    page.get_by_role("button", name="Table").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export CSV").click()
    with open(download.value.path(), encoding="utf-8") as file:
        check("editor: exports", len(file.read().splitlines()) == 26)
    field.fill("SELECT n FROM generate_series(1, 50000) AS g(n)")
    field.press("Control+Enter")
    check("editor: many rows", until(lambda: page.get_by_text("50,000 rows").count() == 1) is not None)
    check("editor: few of them are drawn", page.get_by_role("row").count() < 80)
    page.locator(".results").evaluate("element => element.scrollTo(0, element.scrollHeight)")
    check("editor: scrolls to the last", until(lambda: page.get_by_role("gridcell", name="50000", exact=True).count() == 1) is not None)
    field.fill("SELECT 1,\n  wrong FROM tiny.nation")
    field.press("Control+Enter")
    page.get_by_role("alert").wait_for()
    page.get_by_role("button", name="Show where").click()
    check("editor: shows where an error is",
          field.evaluate("e => e.value.slice(e.selectionStart, e.selectionEnd)") == "wrong")
    field.fill("SELECT pg_sleep(120)")
    field.press("Control+Enter")
    page.get_by_role("button", name="Cancel", exact=True).click()
    check("editor: cancels", until(lambda: cluster.get("/v1/queries?state=running&search=pg_sleep") == [], 10) is not None)
    field.fill("SELECT o_orderpriority, count(*) AS orders, sum(o_totalprice) AS total\nFROM tiny.orders\nGROUP BY o_orderpriority\nORDER BY 1")
    field.press("Control+Enter")
    page.get_by_role("gridcell", name="1-URGENT").wait_for()
    audit(page, "editor")
    shot("editor")

    # The schema.
    visit("/#/schema", "Schema")
    page.get_by_label("Search tables and columns").fill("l_shipdate")
    page.get_by_role("button", name="lineitem").first.click()
    check("schema: columns", until(lambda: page.locator("td", has_text="l_shipdate").count() == 1) is not None)
    audit(page, "schema")
    shot("schema")

    # Dark, and a phone.
    phone = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark").new_page()
    phone.on("pageerror", lambda error: errors.append(str(error)))
    for address in ("/", "/#/queries", "/#/sql", "/#/schema", f"/#/queries/{identifier}"):
        phone.goto(cluster.address + address)
        phone.get_by_role("heading", level=1).wait_for()
        time.sleep(0.5)
        audit(phone, f"phone, dark, {address[:11]}")
    phone.goto(cluster.address + "/")
    phone.get_by_text("worker-1").first.wait_for()
    shot("phone", phone)

    # Keyboard.
    visit("/#/", "Overview")
    page.reload()
    page.get_by_text("worker-1").first.wait_for()
    page.keyboard.press("Tab")
    check("keyboard: the first stop skips to the content", page.evaluate("document.activeElement.className") == "skip")
    page.keyboard.press("Enter")
    check("keyboard: the content has the focus", page.evaluate("document.activeElement.id") == "main")

    # A worker dies.
    cluster.workers[1].send_signal(signal.SIGKILL)
    lost = until(lambda: page.locator("tr", has_text="worker-2").locator(".badge-lost").count() == 1, 10)
    check("a killed worker is shown lost within 3 s", lost is not None and lost <= 3, f"{lost} s" if lost is None else f"{lost:.2f} s")
    check("queries go on", "rows" in cluster.query("SELECT count(*) FROM \"sf0.01\".lineitem"))
    shot("lost")
    load.stop()
    check("no error on the console", not errors, "; ".join(errors[:3]))


USERS = """coordinator:
  http-port: {port}
  pg-port: 0
  grpc-port: 0
users:
  anna:
    password: correct horse
  ben:
    password: battery
{carl}"""
CARL = """  carl:
    password: staple
    administrator: true
"""


class GuardedServer:
    """A server whose configuration has users. It can be ended and started again on the same port."""

    def __init__(self, martlet):
        self.martlet = martlet
        self.directory = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.directory.name, "martlet.yaml")
        self.port = 0
        self.start()

    def write(self, carl=CARL):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(USERS.format(port=self.port, carl=carl))

    def start(self):
        self.write()
        self.process = subprocess.Popen(
            [self.martlet, "standalone", "--config", self.path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ready = self.process.stdout.readline()
        if not ready.startswith("ready"):
            raise SystemExit("the server with users did not start")
        self.port = int(dict(part.split("=") for part in ready.split()[1:])["http"].rsplit(":", 1)[1])

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    def begin(self, user, password, sql):
        credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", "/v1/queries", json.dumps({"sql": sql}), {
                "content-type": "application/json", "authorization": f"Basic {credentials}"})
            return json.loads(connection.getresponse().read())["id"]
        finally:
            connection.close()

    def stop(self):
        self.process.kill()
        self.process.wait()


def users(server, browser, screenshots):
    """Who may see what: names and passwords as the browser asks for them."""
    errors = []

    def open_page(user=None, password=None):
        credentials = {"username": user, "password": password} if user else None
        page = browser.new_context(viewport={"width": 1280, "height": 860}, http_credentials=credentials).new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page, page.goto(server.address + "/")

    def refusal(headers=None):
        """What a browser shows when its question for a name was not answered, or wrongly."""
        page = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
        answer = page.request.get(server.address + "/", headers={"accept": "text/html,*/*", **(headers or {})})
        page.set_content(answer.text())
        if screenshots:
            page.screenshot(path=os.path.join(screenshots, "sign-in.png"))
        asks = answer.headers.get("www-authenticate", "").startswith("Basic")
        return answer.status == 401 and asks and page.get_by_role("heading", level=1, name="Sign in").count() == 1

    check("users: nobody gets in without a name", refusal())
    wrong = base64.b64encode(b"anna:wrong").decode()
    check("users: nor with a wrong password", refusal({"authorization": f"Basic {wrong}"}))

    anna, response = open_page("anna", "correct horse")
    anna.get_by_role("heading", level=1, name="Overview").wait_for()
    check("users: the right password", response.status == 200)
    check("users: live events come", until(lambda: anna.locator(".connection.is-live").count() == 1) is not None)
    check("users: the page says who", until(lambda: anna.locator(".user", has_text="anna").count() == 1) is not None)

    own = server.begin("anna", "correct horse", "SELECT 'of anna', pg_sleep(60)")
    other = server.begin("ben", "battery", "SELECT 'of ben', pg_sleep(60)")
    anna.goto(server.address + "/#/queries")
    check("users: own queries", until(lambda: anna.get_by_text("of anna").count() == 1) is not None)
    check("users: none of others", anna.get_by_text("of ben").count() == 0)
    anna.goto(f"{server.address}/#/queries/{other}")
    check("users: a query of another is not there", until(lambda: anna.get_by_role("alert").count() == 1) is not None)
    audit(anna, "users, no such query")
    anna.goto(server.address + "/#/sql")
    field = anna.get_by_role("combobox", name="SQL")
    field.fill("SELECT session_user")
    field.press("Control+Enter")
    check("users: statements are the user's", until(lambda: anna.get_by_role("gridcell", name="anna", exact=True).count() == 1) is not None)

    carl, _ = open_page("carl", "staple")
    carl.goto(server.address + "/#/queries")
    check("users: an administrator sees all", until(
        lambda: carl.get_by_text("of anna").count() == 1 and carl.get_by_text("of ben").count() == 1) is not None)
    for identifier in (own, other):
        carl.goto(f"{server.address}/#/queries/{identifier}")
        carl.get_by_role("button", name="Cancel query").click()
        check("users: an administrator cancels", until(
            lambda: carl.locator(".title-line .badge-cancelled").count() == 1) is not None)

    # Carl is taken out of the configuration while he looks on.
    server.write(carl="")
    server.process.send_signal(signal.SIGHUP)
    carl.goto(server.address + "/#/sql")
    field = carl.get_by_role("combobox", name="SQL")

    def refused():
        field.fill("SELECT 1")
        field.press("Control+Enter")
        return until(lambda: carl.locator(".failure", has_text="28").count() == 1, 1) is not None
    check("users: who is no user any more is told so", until(refused) is not None)
    if screenshots:
        carl.screenshot(path=os.path.join(screenshots, "no-user.png"))

    # The server goes, and comes back.
    anna.goto(server.address + "/#/")
    anna.get_by_role("heading", level=1, name="Overview").wait_for()
    server.stop()
    check("users: a lost server is shown", until(lambda: anna.locator(".lost").count() == 1) is not None)
    if screenshots:
        anna.screenshot(path=os.path.join(screenshots, "lost-server.png"))
    server.start()
    check("users: the page finds it again", until(lambda: anna.locator(".connection.is-live").count() == 1) is not None)
    check("users: no error of the page", not errors, "; ".join(errors[:3]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--martlet", required=True)
    parser.add_argument("--screenshots", metavar="DIRECTORY", help="write a picture of every page there")
    parser.add_argument("--documents", action="store_true", help="write the pictures that the guide shows anew")
    parser.add_argument("--required", action="store_true")
    arguments = parser.parse_args()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = None
    missing = [name for name, there in (("playwright (pip install playwright)", sync_playwright), ("chromium", CHROMIUM)) if not there]
    if missing:
        print(f"skipped: {' and '.join(missing)} not found")
        return 1 if arguments.required else 0
    if arguments.screenshots:
        os.makedirs(arguments.screenshots, exist_ok=True)
    cluster = Cluster(arguments.martlet)
    try:
        bundle(arguments.martlet)
        latencies(cluster)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            run(cluster, browser, arguments.screenshots, arguments.documents)
            server = GuardedServer(arguments.martlet)
            try:
                users(server, browser, arguments.screenshots)
            finally:
                server.stop()
            browser.close()
    finally:
        cluster.stop()
    print(f"{len(failures)} failed" if failures else "all hold")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
