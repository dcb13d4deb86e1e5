# SPDX-License-Identifier: MIT
"""68_sidecar_page.py URL NAME DIRECTORY: what a person sees of an incident; pictures of it are left in the directory."""
import sys

from browser import Browser

url, odd, directory = sys.argv[1:4]
browser = Browser()
ROWS = "[...document.querySelectorAll('#live tbody button.name')].map(b => b.textContent)"


def contrast(one, other):
    def luminance(colour):
        parts = [c / 255 for c in colour]
        parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def check_slow_call(least):
    """The one call of 8 s is a cell of the picture, however much time a column covers."""
    browser.until("state.picture && state.history && state.picture.columns.length === state.history.columns.length")
    pixel = browser.eval("""(() => {
      const picture = state.picture, at = picture.columns.findIndex(({ column }) => column.calls >= 20000);
      const { column, rows } = picture.columns[at], row = Math.max(...rows.keys());
      if (rows.get(row)[0] !== 1) return [rows.get(row), column];
      const x = heatSpan(picture, column)[0], y = Math.round(picture.field - (row + 1) * picture.layout.high);
      return [...document.getElementById("heat").getContext("2d").getImageData(x, y, 1, 1).data];
    })()""")
    assert len(pixel) == 4 and pixel[3] == 255, pixel
    assert browser.eval("state.history.columns.length") >= least
    return pixel[:3]


def check_colours():
    colours = browser.eval("coloursNow()")
    for name in ("ok-least", "bad-least", "bad", "quantile"):
        assert contrast(colours[name], colours["back"]) >= 3, (name, colours)
    for name in ("text", "dim", "bad"):
        assert contrast(colours[name], colours["back"]) >= 4.5, (name, colours)
    for kind in ("ok", "bad"):
        assert contrast(colours[kind + "-most"], colours["back"]) > contrast(colours[kind + "-least"], colours["back"])
    return colours


try:
    # -- The list: what is wrong is first, and said ----------------------------------------------------------------
    browser.look(1280, 800, "light")
    browser.go(url + "/")
    browser.until(ROWS + ".length === 4")
    assert browser.eval(ROWS)[0] == "payment_api", browser.eval(ROWS)
    assert browser.eval("document.getElementById('still').hidden")
    look = browser.until("document.getElementById('look').textContent")
    assert "payment_api: ● OPEN" in look and "1 open" in look, look
    assert odd in browser.eval(ROWS), browser.eval(ROWS)
    assert browser.eval("document.querySelectorAll('#live img, #live script').length") == 0
    assert browser.eval("document.querySelector('#live thead th:nth-child(2)').getAttribute('aria-sort')") == "descending"
    check_colours()
    browser.until("[...document.querySelectorAll('canvas.strip')].every(c => c.getAttribute('aria-label'))")
    browser.picture(directory + "/list.png")

    # -- By keyboard ------------------------------------------------------------------------------------------------
    browser.press("/")
    assert browser.eval("document.activeElement.type") == "search"
    for key in "sea":
        browser.press(key)
    browser.until(ROWS + ".join() === 'search'")
    # What is wrong is said, also where a filter hides it.
    assert "1 open" in browser.until("document.getElementById('look').textContent")
    browser.eval("document.activeElement.select()")
    browser.press("Backspace", 8)
    browser.until(ROWS + ".length === 4")
    browser.press("Escape")
    browser.press("ArrowDown")
    assert browser.eval("document.activeElement.textContent") == "payment_api"
    browser.press("Enter")
    browser.until("state.history && document.querySelector('#live h2').textContent === 'payment_api'")
    assert browser.eval("location.search") == "?component=payment_api", browser.eval("location.search")
    facts = browser.until("document.querySelector('#live dl').innerText")
    assert "opened in this time\n3" in facts and "20,021" in facts, facts
    cell = check_slow_call(1)
    assert contrast(cell, browser.eval("coloursNow().back")) >= 3, cell
    told = browser.eval("document.getElementById('told').textContent")
    for _ in range(1000):
        browser.press("ArrowLeft")
        told = browser.eval("document.getElementById('told').textContent")
        if "20,0" in told or browser.eval("state.column") == 0:
            break
    assert "20,021 calls, 20 failed (0.10 %)" in told or "20,0" in told, told
    assert "p50 976 us–1.07 ms" in told, told
    browser.press("m")
    browser.press("ArrowRight")
    assert "Mark " in browser.eval("document.getElementById('told').textContent")
    browser.eval("document.querySelector('details').open = true")
    assert browser.eval("document.querySelectorAll('details tbody tr').length") >= 1
    browser.picture(directory + "/component.png")

    # -- One slow call at every zoom --------------------------------------------------------------------------------
    for seconds in (300, 3600, 21600, 86400):
        browser.go(f"{url}/?component=payment_api&range={seconds}")
        browser.until(f"state.history && state.range === {seconds}")
        check_slow_call(1)
    # Failed calls alone are the failed calls.
    browser.go(url + "/?component=payment_api&outcome=bad")
    browser.until("state.picture && state.picture.columns.some(({ rows }) => rows.size)")
    assert browser.eval("Math.max(...state.picture.columns.flatMap(({ rows }) => [...rows.values()].map(([ok]) => ok)))") == 0
    browser.press("p")
    browser.until("document.body.innerText.includes('PAUSED')")
    browser.press("p")
    browser.press("Escape")
    browser.until("!document.querySelector('#live table').closest('section').hidden && " + ROWS + ".length === 4")
    assert browser.eval("location.search") == ""
    # While it is paused, another component is not shown with the numbers of this one.
    browser.eval("openComponent(el.rows.get('0\\npayment_api').line)")
    browser.until("document.querySelector('#live dl').innerText")
    browser.press("p")
    browser.eval("openComponent(el.rows.get('0\\nrare').line)")
    assert browser.eval("document.querySelector('#live dl').innerText") == ""
    browser.press("p")
    # What cannot be is told, and shown as nothing else.
    browser.go(url + "/?component=nobody")
    browser.until("document.body.innerText.includes('Nothing is known of such a component')")
    refused = [text for text in browser.complaints if "404" in text]
    assert len(refused) == len(browser.complaints), browser.complaints
    browser.complaints.clear()

    # -- Narrow, and dark -------------------------------------------------------------------------------------------
    light = browser.eval("getComputedStyle(document.body).backgroundColor")
    browser.look(375, 700, "dark")
    browser.go(url + "/")
    browser.until("" + ROWS + ".length === 4")
    assert browser.eval("document.documentElement.scrollWidth") <= 375
    assert browser.eval("Math.min(...[...document.querySelectorAll('button.name')].map(b => b.offsetWidth))") >= 20
    assert browser.eval("document.querySelector('#live tbody td').offsetWidth") >= 100
    assert browser.eval("getComputedStyle(document.body).backgroundColor") != light
    check_colours()
    browser.picture(directory + "/narrow.png")
    browser.eval("document.querySelector('button.name').click()")
    browser.until("state.history && state.picture")
    assert browser.eval("document.documentElement.scrollWidth") <= 375
    cell = check_slow_call(1)
    assert contrast(cell, browser.eval("coloursNow().back")) >= 3, cell
    browser.picture(directory + "/narrow-component.png")

    # -- Nobody else is asked, and nothing is complained of ---------------------------------------------------------
    foreign = [one for one in browser.requests if not one.startswith(url + "/")]
    assert not foreign and len(browser.requests) > 20, foreign
    assert not browser.complaints, browser.complaints
finally:
    browser.close()
