"""Make docs/pictures from a stored run: the plots, the report on a wide screen and on a phone, the terminal.

    python docs/make_pictures.py results/RUN

Plots need nothing else. Screenshots need chromium, and are left out with a word where there is none.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageChops

from loadtest.keep.read import read_run
from loadtest.show.manifest import ReadableRun
from loadtest.show.plot.pictures import NAMES, Pictures
from loadtest.show.render.terminal import short_svg
from loadtest.show.report_formats import judged, report_page
from loadtest.show.short_run import short_document

PICTURES = Path(__file__).parent / "pictures"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
SCHEMES = {"dark": 0, "light": 1}
"""What blink calls them in ``preferredColorScheme``."""

WIDTHS = (1280, 390)
TALLEST = 16_000
"""Pixels: more than any report is high; what stays empty below is cut off."""

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def main() -> None:
    """Read the run, make every picture, print its path."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of a stored run")
    parser.add_argument("--into", type=Path, default=PICTURES, help="where the pictures go")
    asked = parser.parse_args()
    asked.into.mkdir(parents=True, exist_ok=True)
    run = judged(read_run(asked.run))
    pictures = Pictures(run)
    for path in (*plots(pictures, asked.into), *pages(run, pictures, asked.into)):
        print(path)


def plots(pictures: Pictures, into: Path) -> Iterator[Path]:
    """The four plots, as SVG and as PNG."""
    for name in NAMES:
        vector, pixels = into / f"{name}.svg", into / f"{name}.png"
        vector.write_text(pictures.svg(name), encoding="utf-8", newline="\n")
        store(Image.open(io.BytesIO(pictures.png(name))), pixels)
        yield from (vector, pixels)


def pages(run: ReadableRun, pictures: Pictures, into: Path) -> Iterator[Path]:
    """The terminal as SVG; with chromium, it and the report as PNG."""
    terminal = into / "terminal.svg"
    document = short_document(run.manifest, run.totals().histograms)
    where = f"results/{run.manifest['id']}/report.html"
    terminal.write_text(short_svg(document, where=where), encoding="utf-8", newline="\n")
    yield terminal
    browser = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if browser is None:
        print(f"no screenshots: none of {', '.join(CHROMIUM)} is installed (apt-get install chromium)")
        return
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "report.html"
        page.write_text(report_page(run, pictures), encoding="utf-8")
        for width in WIDTHS:
            for scheme in SCHEMES:
                picture = into / f"report-{width}-{scheme}.png"
                yield screenshot([browser, *appearance(width, scheme)], page, picture)
        screen = Path(scratch) / "terminal.html"
        screen.write_text(f'<body style="margin: 0">{terminal.read_text("utf-8")}', encoding="utf-8")
        yield screenshot([browser, *appearance(1040, "light")], screen, into / "terminal.png")


def drawn(name: str, svg: str, png: bytes, into: Path, *, grey: bool) -> Iterator[Path]:
    """One picture as SVG and as PNG, and in grey where that is wanted."""
    vector, pixels = into / f"{name}.svg", into / f"{name}.png"
    vector.write_text(svg, encoding="utf-8", newline="\n")
    image = Image.open(io.BytesIO(png))
    store(image, pixels)
    yield from (vector, pixels)
    if grey:
        store(image.convert("L"), into / f"{name}-grey.png")
        yield into / f"{name}-grey.png"


def screenshots(name: str, html: str, into: Path) -> Iterator[Path]:
    """A page as PNG, wide and narrow, light and dark."""
    browser = next((found for each in CHROMIUM if (found := shutil.which(each))), None)
    if browser is None:
        print(f"no screenshots: none of {', '.join(CHROMIUM)} is installed (apt-get install chromium)")
        return
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / f"{name}.html"
        page.write_text(html, encoding="utf-8")
        for width in WIDTHS:
            for scheme in SCHEMES:
                picture = into / f"{name}-page-{width}-{scheme}.png"
                yield screenshot([browser, *appearance(width, scheme)], page, picture)


def appearance(width: int, scheme: str) -> tuple[str, ...]:
    """Options of chromium for a window of that width and colour scheme, higher than any page."""
    return (f"--window-size={width},{TALLEST}", f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}")


def screenshot(browser: list[str], page: Path, into: Path) -> Path:
    """A page as PNG, as high as it is."""
    with tempfile.TemporaryDirectory() as profile:
        places = (f"--user-data-dir={profile}", f"--screenshot={into.resolve()}", page.resolve().as_uri())
        subprocess.run([*browser, *QUIET, *places], check=True, capture_output=True, timeout=120)
    trim(into)
    return into


def trim(path: Path) -> None:
    """Cut the empty rows at the bottom, but for a margin."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    paper = Image.new("RGB", image.size, image.getpixel((image.width - 1, image.height - 1)))
    box = ImageChops.difference(image, paper).getbbox()
    bottom = min(image.height, (box[3] if box else image.height) + 24)
    store(image.crop((0, 0, image.width, bottom)), path)


def store(image: Image.Image, path: Path) -> None:
    """As a PNG of 256 colours, a quarter of the size; no eye tells them apart here."""
    image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
