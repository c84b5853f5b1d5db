"""Pages in a real browser, where one is installed: no message on the console, no request, and its lines of JavaScript run."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import reports
from golden.images import STORED

from fooling.report import HTML, write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


@pytest.mark.skipif(BROWSER is None, reason="no chromium is installed: pages are not opened in a browser")
@pytest.mark.parametrize("name", ["audit", "finished"])
def test_a_page_in_a_browser(tmp_path: Path, name: str) -> None:
    if name == "audit":
        reports.make_audit(tmp_path / name)
    else:
        shutil.copytree(STORED / name, tmp_path / name)
    write_report(tmp_path / name)
    log = tmp_path / "net.json"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--disable-background-networking"]
    options += [f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}", "--virtual-time-budget=2000", "--dump-dom"]
    address = (tmp_path / name / HTML).as_uri()
    found = subprocess.run([str(BROWSER), *options, address], capture_output=True, text=True, timeout=60, check=True)
    assert "CONSOLE" not in found.stderr
    assert "sort by this column" in found.stdout  # a script has made buttons of the heads of tables
    assert found.stdout.count("<script") == 1
    if name == "finished":
        assert not re.search(r'<input[^>]*\bhidden=""', found.stdout)
    requests = re.findall(r'"url":\s*"(https?://[^"]*|ftp://[^"]*)"', log.read_text(encoding="utf-8", errors="replace"))
    assert [url for url in requests if not re.search(r"//[\w.]*(google|gvt1)[\w.]*\.com/", url)] == []  # the browser's own
