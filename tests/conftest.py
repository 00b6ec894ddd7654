"""Shared by all tests."""

import os
import shutil
from pathlib import Path

import pytest
from support import ROOT, SHARED, run_snakemake

# Minutes each, the longest first. In a parallel run the files are given out in this order, so that
# no process is left alone with one of them at the end, and the short unit tests fill the gaps.
LONG = [
    ROOT / f"tests/{name}.py"
    for name in ("slurm/test_slurm", "workflow/test_real_data", "workflow/test_bad_input",
                 "workflow/test_reproduce", "workflow/test_kang", "test_tutorial",
                 "workflow/test_enrichment_stage")
]  # fmt: skip


def pytest_collection_modifyitems(items):
    units = ROOT / "tests/unit"

    def order(item):
        if item.path in LONG:
            return LONG.index(item.path)
        return len(LONG) + item.path.is_relative_to(units)

    items.sort(key=order)


@pytest.fixture(scope="session")
def shared():
    """Folder of the real data set and its reference values, which are not part of the project."""
    if not (SHARED / "data" / "kang_pbmc.h5ad").is_file():
        pytest.skip(f"no reference data: {SHARED} is absent (set STATEDIFF_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def snakemake_run():
    return run_snakemake


@pytest.fixture(scope="session")
def kompot_python():
    """The Python of an environment with kompot 0.8.0, which `make kompot` makes."""
    python = os.environ.get("STATEDIFF_KOMPOT", ROOT / ".venv/kompot/bin/python")
    if not Path(python).is_file():
        pytest.skip("no environment with kompot: run `make kompot` (or set STATEDIFF_KOMPOT)")
    return python


@pytest.fixture
def browser():
    """A browser without a window of its own, and without a network."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("no chromium with chromedriver (Debian: chromium, chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage",
                     "--enable-unsafe-swiftshader", "--proxy-server=127.0.0.1:9",
                     "--host-resolver-rules=MAP * ~NOTFOUND"):  # fmt: skip
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    size = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    yield browser
    browser.quit()
