"""The scripts that draw the page's pictures: Vega, Vega-Lite and Vega-Embed as one text."""

from contextlib import suppress
from functools import cache
from importlib.metadata import version

import vl_convert

from vgbench.boundary.cache import cache_folder
from vgbench.boundary.files import write_bytes
from vgbench.report.page.pack import compressed


@cache
def drawing_scripts() -> str:
    """The scripts, compressed; kept in the user's cache folder, since to bundle them takes a second.

    Where the folder cannot be used, they are bundled as without it.
    """
    place = cache_folder() / "pages" / f"vega-{version('vl-convert-python')}.txt"
    with suppress(OSError):
        return place.read_text("ascii")
    bundled = compressed(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    with suppress(OSError):
        write_bytes(place, bundled.encode())
    return bundled
