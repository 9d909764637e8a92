"""A headless Chromium over its debugging pipe: a page is waited for, looked at and used, and no port is opened."""

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# Chromium reads commands from descriptor 3 and writes answers to 4.
_ON_3_AND_4 = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe")


class ProtocolError(Exception):
    """The browser refused a command."""


class Browser:
    """One browser with one page.

    Attributes:
        told: what pages wrote to the console, and errors that they did not catch.
        requested: addresses that pages asked for.
    """

    def __init__(self, profile):
        read_commands, self._commands = os.pipe()
        self._answers, write_answers = os.pipe()
        launcher = [sys.executable, "-c", _ON_3_AND_4, str(read_commands), str(write_answers)]
        self._process = subprocess.Popen(
            [*launcher, CHROMIUM, *_FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(read_commands, write_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_commands)
        os.close(write_answers)
        self._number, self._session, self._rest = 0, None, b""
        self.told, self.requested = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def open(self, path, *, width=1400, dark=False):
        """Load a file, and wait until all of its figures are drawn."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.as_uri())
        self.wait_for("document.readyState == 'complete' && document.documentElement?.dataset.drawn == 'all'")

    def wait_for(self, condition, seconds=60):
        """Wait until a condition in JavaScript holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(ProtocolError):  # for a moment, a page that loads anew can be asked nothing
                if self.value(condition):
                    return
            time.sleep(0.05)
        raise TimeoutError(f"{condition} did not become true within {seconds} s; the page told {self.told}")

    def value(self, expression):
        """What an expression in JavaScript gives, as plain data."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key):
        """Press a key on the keyboard."""
        text = {"Enter": "\r"}.get(key)
        code = {"Enter": 13, "Tab": 9}[key]
        down = {"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", **down, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def call(self, method, **parameters):
        """One command of the DevTools protocol, and its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise ProtocolError(f"{method}: {answer['error']}")
                return answer["result"]

    def close(self):
        """End the browser."""
        with contextlib.suppress(OSError):
            os.close(self._commands)
            os.close(self._answers)
        self._process.terminate()
        self._process.wait(20)

    def _next(self):
        while b"\0" not in self._rest:
            if not select.select([self._answers], [], [], 120)[0]:
                raise TimeoutError("the browser does not answer")
            part = os.read(self._answers, 1 << 20)
            if not part:
                raise ConnectionError("the browser has ended")
            self._rest += part
        line, self._rest = self._rest.split(b"\0", 1)
        message = json.loads(line)
        told = message.get("params", {})
        match message.get("method"):
            case "Runtime.consoleAPICalled":
                self.told.append(told["args"])
            case "Runtime.exceptionThrown":
                self.told.append(told["exceptionDetails"])
            case "Log.entryAdded":
                self.told.append(told["entry"])
            case "Network.requestWillBeSent":
                self.requested.append(told["request"]["url"])
            case _:
                pass
        return message
