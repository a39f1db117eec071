"""Opens each page given as an argument in headless Chromium and checks what is to be seen.

Prints a line for each page that is in order; the first that is not ends it. Needs chromium and
chromedriver, and nothing of Python but its standard library: chromedriver speaks WebDriver
(https://www.w3.org/TR/webdriver2/), which is JSON over HTTP.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.request


class Browser:
    """A headless Chromium."""

    def __init__(self):
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for line in self.driver.stdout:
            started = re.search(r"successfully on port (\d+)", line)
            if started:
                break
        else:
            sys.exit("chromedriver did not start")
        self.base = f"http://127.0.0.1:{started[1]}/session"
        # As root, as in a container, Chromium has no sandbox of its own.
        arguments = ["--headless=new", "--disable-gpu", "--window-size=1600,1000"]
        if os.geteuid() == 0:
            arguments += ["--no-sandbox", "--disable-dev-shm-usage"]
        capabilities = {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        try:
            session = self._send("POST", "", {"capabilities": {"alwaysMatch": capabilities}})
        except BaseException:
            self.driver.kill()
            raise
        self.base += "/" + session["sessionId"]

    def _send(self, method, path, data=None):
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self.base + path, body, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            sys.exit(f"{method} {path}: {error.read().decode()}")

    def open(self, url):
        self._send("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        return self._send("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def console(self):
        return self._send("POST", "/se/log", {"type": "browser"})

    def requests(self):
        """The addresses that were asked for since this was last called."""
        entries = self._send("POST", "/se/log", {"type": "performance"})
        messages = (json.loads(entry["message"])["message"] for entry in entries)
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def dark(self, dark):
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        parameters = {"cmd": "Emulation.setEmulatedMedia", "params": {"features": [scheme]}}
        self._send("POST", "/goog/cdp/execute", parameters)

    def point(self, x, y):
        move = {"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y), "origin": "viewport"}
        pointer = {"type": "pointer", "id": "mouse", "actions": [move]}
        self._send("POST", "/actions", {"actions": [pointer]})

    def quit(self):
        try:
            self._send("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait()


# What is where: the tiles' rectangles, the boxes of their texts, the ends of the arrows.
GEOMETRY = """
const box = (e) => { const b = e.getBBox(); return [b.x, b.y, b.x + b.width, b.y + b.height]; };
const point = (p) => [p.x, p.y];
const svg = document.querySelector("svg");
return {
  size: [svg.viewBox.baseVal.width, svg.viewBox.baseVal.height],
  tiles: [...svg.querySelectorAll(".tile")].map((tile) => ({
    number: tile.dataset.tile,
    box: box(tile.querySelector("rect")),
    texts: [...tile.querySelectorAll("text")].map(box),
  })),
  arrows: [...svg.querySelectorAll(".arrow")].map((arrow) => ({
    from: arrow.dataset.from,
    to: arrow.dataset.to,
    marker: document.querySelector(getComputedStyle(arrow).markerEnd.slice(5, -2)) !== null,
    start: point(arrow.getPointAtLength(0)),
    end: point(arrow.getPointAtLength(arrow.getTotalLength())),
  })),
};
"""

TIP = """
const tip = document.getElementById("tip");
return {
  shown: !tip.hidden,
  text: tip.textContent,
  box: (({ left, top, right, bottom }) => [left, top, right, bottom])(tip.getBoundingClientRect()),
  own: [...document.querySelectorAll(".pointing .arrow.own")].map((arrow) => [arrow.dataset.from, arrow.dataset.to]),
};
"""


def require(condition, what):
    if not condition:
        sys.exit(f"{page}: {what}")


def check_geometry(found):
    boxes = {tile["number"]: tile["box"] for tile in found["tiles"]}
    width, height = found["size"]
    require(boxes, "no tiles")
    for number, (left, top, right, bottom) in boxes.items():
        require(0 <= left < right <= width and 0 <= top < bottom <= height, f"tile {number} is outside")
        for other, (l, t, r, b) in boxes.items():
            apart = right <= l or r <= left or bottom <= t or b <= top
            require(number == other or apart, f"tiles {number} and {other} overlap")
    for tile in found["tiles"]:
        left, top, right, bottom = tile["box"]
        for l, t, r, b in tile["texts"]:
            inside = left <= l and r <= right and top - 1 <= t and b <= bottom + 1
            require(inside, f"a text stands out of tile {tile['number']}: {[l, t, r, b]} of {tile['box']}")
    require(found["arrows"], "no arrows")
    for arrow in found["arrows"]:
        require(arrow["marker"], "an arrow has no tip")
        for end, number in (("start", arrow["from"]), ("end", arrow["to"])):
            x, y = arrow[end]
            left, top, right, bottom = boxes[number]
            beside = min(abs(x - left), abs(x - right)) <= 3 and top <= y <= bottom
            require(beside, f"an arrow's {end} is not at tile {number}: {[x, y]} of {boxes[number]}")


def check_pointing(browser, found):
    require(not browser.run(TIP)["shown"], "something is shown before anything is pointed at")
    visible = "return (({left, top, right, bottom}) => [left, top, right, bottom])" \
        "(arguments[0] ? document.querySelector(`[data-tile='${arguments[0]}']`).getBoundingClientRect() : null)"
    for tile in found["tiles"][:5]:
        number = tile["number"]
        browser.run(f"document.querySelector(\"[data-tile='{number}']\").scrollIntoView({{block: 'center', inline: 'center'}})")
        left, top, right, bottom = browser.run(visible, number)
        browser.point((left + right) / 2, (top + bottom) / 2)
        tip = browser.run(TIP)
        expected = browser.run(f"return document.querySelector(\"[data-tile='{number}']\").dataset.tip")
        require(tip["shown"] and tip["text"] == expected, f"pointing at tile {number} does not show it")
        require(tip["box"][0] >= 0 and tip["box"][1] >= 0, "what is shown is outside of the window")
        own = [[a["from"], a["to"]] for a in found["arrows"] if number in (a["from"], a["to"])]
        require(sorted(tip["own"]) == sorted(own), f"pointing at tile {number} marks other arrows")
    browser.run("scrollTo(0, 0)")
    browser.point(2, 2)
    require(not browser.run(TIP)["shown"], "what is shown stays")


browser = Browser()
try:
    for page in sys.argv[1:]:
        url = pathlib.Path(page).resolve().as_uri()
        browser.dark(False)
        browser.requests()
        browser.open(url)
        found = browser.run(GEOMETRY)
        check_geometry(found)
        check_pointing(browser, found)
        light = browser.run("return getComputedStyle(document.body).backgroundColor")
        browser.dark(True)
        dark = browser.run("return getComputedStyle(document.body).backgroundColor")
        require(light != dark, "dark is no other than light")
        messages = browser.console()
        require(not messages, f"the console says {messages}")
        requests = [asked for asked in browser.requests() if not asked.startswith("data:")]
        require(requests == [url], f"the page asks for {requests}")
        print(f"{page}: {len(found['tiles'])} tiles, {len(found['arrows'])} arrows")
finally:
    browser.quit()
