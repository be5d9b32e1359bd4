"""Style and script of the slice explorer."""

STYLE = """
.paraspine-explorer { color: inherit; font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif;
  max-width: 760px; margin: 0.5rem 0 1rem; }
/* The book's theme puts other HTML on a light ground at night. */
html[data-theme="dark"] .text_html:has(> .paraspine-explorer) {
  background-color: transparent !important; color: inherit !important; padding: 0 !important; }
.paraspine-explorer .pe-head { font-size: 16px; }
.paraspine-explorer .pe-source, .paraspine-explorer .pe-read { font-size: 12.5px; opacity: 0.8; }
.paraspine-explorer .pe-lists { display: flex; flex-wrap: wrap; gap: 6px 14px; margin: 10px 0 6px;
  align-items: end; }
.paraspine-explorer label { display: flex; flex-direction: column; margin: 0; }
.paraspine-explorer label.pe-tick { flex-direction: row; gap: 5px; align-items: center;
  padding-bottom: 4px; }
.paraspine-explorer select { font: inherit; color: inherit; background: transparent;
  border: 1px solid currentColor; border-radius: 3px; padding: 3px 5px; max-width: 100%; }
.paraspine-explorer option { color: #24292f; background: #ffffff; }
.paraspine-explorer option:disabled { color: #808890; }
.paraspine-explorer .pe-panels { display: grid; gap: 6px 8px; }
.paraspine-explorer .pe-title { height: 20px; text-align: center; white-space: nowrap;
  overflow: hidden; text-overflow: ellipsis; }
.paraspine-explorer .pe-box { position: relative; overflow: hidden; width: 100%; }
.paraspine-explorer .pe-box canvas { position: absolute; max-width: none;
  image-rendering: pixelated; }
.paraspine-explorer .pe-box svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.paraspine-explorer .pe-note { position: absolute; inset: 0; display: flex; padding: 0 12%;
  align-items: center; justify-content: center; text-align: center; margin: 0;
  border: 1px dashed currentColor; opacity: 0.8; }
.paraspine-explorer [hidden] { display: none !important; }
.paraspine-explorer .pe-read { min-height: 18px; display: block; margin: 4px 0; }
.paraspine-explorer .pe-bars { display: flex; flex-wrap: wrap; gap: 4px 40px; }
.paraspine-explorer .pe-bars > div { flex: 1 1 220px; max-width: 60%; padding-right: 24px; }
.paraspine-explorer .pe-bar { height: 12px; margin-left: 4px; }
.paraspine-explorer .pe-ticks { position: relative; height: 22px; font-size: 12px;
  margin-left: 4px; }
.paraspine-explorer .pe-ticks span { position: absolute; top: 4px; transform: translateX(-50%);
  white-space: nowrap; }
.paraspine-explorer .pe-ticks span::before { content: ""; position: absolute; left: 50%; top: -4px;
  height: 4px; border-left: 1px solid currentColor; }
.paraspine-explorer .pe-key { display: flex; flex-wrap: wrap; gap: 2px 14px; line-height: 1.6; }
.paraspine-explorer .pe-key i { display: inline-block; width: 22px; height: 0; margin-right: 5px;
  border-top: 3px solid; vertical-align: middle; }
"""

#: Lists that stand earlier decide which values of the later ones can be chosen; what the reader
#: chose last is remembered, and chosen again where it can be. Arrays are zlib streams of one byte
#: a pixel, outlines paths in halves of pixels.
SCRIPT = r"""
(function () {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";

  function inflate(text) {
    const bytes = Uint8Array.from(atob(text), function (c) { return c.charCodeAt(0); });
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer().then(function (b) { return new Uint8Array(b); });
  }

  /* Colours of the 256 bytes: between the scale's colours up to `top`, and one for the last. */
  function table(colours, top, last) {
    const found = [];
    for (let byte = 0; byte < 256; byte += 1) {
      const place = Math.min(byte / top, 1) * (colours.length - 1);
      const low = Math.min(Math.floor(place), colours.length - 2);
      found.push(colours[low].map(function (c, i) {
        return Math.round(c + (colours[low + 1][i] - c) * (place - low));
      }));
    }
    if (last) { found[255] = last; }
    return found;
  }

  function paint(canvas, bytes, shape, colours) {
    canvas.height = shape[0];
    canvas.width = shape[1];
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(shape[1], shape[0]);
    bytes.forEach(function (byte, i) {
      pixels.data.set(colours[byte], 4 * i);
      pixels.data[4 * i + 3] = 255;
    });
    context.putImageData(pixels, 0, 0);
  }

  function add(parent, name, attributes) {
    const made = parent.appendChild(document.createElementNS(SVG, name));
    Object.entries(attributes).forEach(function (a) { made.setAttribute(a[0], a[1]); });
    return made;
  }

  function line(svg, d, colour, width, transform) {
    add(svg, "path", { d: d, fill: "none", stroke: colour, "stroke-width": width,
      transform: transform || "", "vector-effect": "non-scaling-stroke" });
  }

  /* Left, right, top and bottom in mm, made as wide or high as the panels are. */
  function fitted(seen, aspect) {
    const grow = aspect * (seen[3] - seen[2]) / (seen[1] - seen[0]);
    const x = Math.max(grow - 1, 0) * (seen[1] - seen[0]) / 2;
    const y = Math.max(1 / grow - 1, 0) * (seen[3] - seen[2]) / 2;
    return [seen[0] - x, seen[1] + x, seen[2] - y, seen[3] + y];
  }

  /* As little moved as it takes to lie inside what all of the slice takes up. */
  function inside(seen, whole) {
    const x = Math.max(whole[0] - seen[0], 0) + Math.min(whole[1] - seen[1], 0);
    const y = Math.max(whole[2] - seen[2], 0) + Math.min(whole[3] - seen[3], 0);
    return [seen[0] + x, seen[1] + x, seen[2] + y, seen[3] + y];
  }

  function scaleBar(svg, seen) {
    const wanted = (seen[1] - seen[0]) / 4;
    const unit = Math.pow(10, Math.floor(Math.log10(wanted)));
    const length = Math.max(...[1, 2, 5].map(function (s) { return s * unit; })
      .filter(function (s) { return s <= wanted; }));
    const x = seen[0] + (seen[1] - seen[0]) * 0.04;
    const y = seen[3] - (seen[3] - seen[2]) * 0.07;
    const d = "M" + x + " " + y + "h" + length;
    line(svg, d, "black", 6);
    line(svg, d, "white", 3);
    const size = (seen[1] - seen[0]) * 0.055;
    word(svg, x + length + size / 2, y + size / 3, size, Number(length.toPrecision(3)) + " mm");
  }

  function word(svg, x, y, size, words) {
    add(svg, "text", { x: x, y: y, fill: "white", stroke: "black", "stroke-width": size / 4,
      "paint-order": "stroke", "font-size": size }).textContent = words;
  }

  /* The picture's left is the patient's right. */
  function sides(svg, seen) {
    const size = (seen[1] - seen[0]) * 0.055;
    const y = (seen[2] + seen[3]) / 2 + size / 3;
    word(svg, seen[0] + size / 2, y, size, "R");
    word(svg, seen[1] - 1.2 * size, y, size, "L");
  }

  function start(root) {
    const data = JSON.parse(root.querySelector("script").textContent);
    const lists = Array.from(root.querySelectorAll("select"));
    const close = root.querySelector("input");
    const read = root.querySelector(".pe-read");
    const boxes = Array.from(root.querySelectorAll(".pe-box"));
    const greys = table([[0, 0, 0], [255, 255, 255]], 255);
    const heat = table(data.scale, data.top, data.unseen);
    const wanted = data.views[0].at.slice();
    const still = read.textContent;
    const known = new Map();
    let paths = null;
    let shown = null;
    let turn = 0;

    function bytesOf(number) {
      if (!known.has(number)) { known.set(number, inflate(data.arrays[number])); }
      return known.get(number);
    }

    function chosen() {
      const found = [];
      lists.forEach(function (list, depth) {
        const options = Array.from(list.options);
        const open = options.map(function (_, value) {
          return data.views.some(function (view) {
            return view.at[depth] === value &&
              found.every(function (c, i) { return view.at[i] === c; });
          });
        });
        options.forEach(function (option, value) {
          option.disabled = !open[value];
          option.textContent = data.lists[depth][value] + (open[value] ? "" : " (none)");
        });
        const value = open[wanted[depth]] ? wanted[depth] : open.indexOf(true);
        list.selectedIndex = value;
        found.push(value);
      });
      return data.views.find(function (view) {
        return view.at.every(function (value, i) { return value === found[i]; });
      });
    }

    function drawBox(box, panel, view, bytes, seen) {
      const canvas = box.querySelector("canvas");
      const svg = box.querySelector("svg");
      const note = box.querySelector(".pe-note");
      const title = view.titles[panel] || panel;
      const isMap = panel in data.limits;
      box.previousElementSibling.textContent = title;
      box.previousElementSibling.title = title;
      canvas.setAttribute("aria-label", title + " of " + view.at.map(function (value, depth) {
        return data.lists[depth][value];
      }).join(", "));
      svg.replaceChildren();
      svg.setAttribute("viewBox", [seen[0], seen[2], seen[1] - seen[0], seen[3] - seen[2]]);
      const there = bytes && (panel !== "prediction" || view.prediction);
      canvas.hidden = svg.hidden = !there;
      note.hidden = Boolean(there);
      note.textContent = there ? "" : view.notes[panel] || "not there";
      if (!there) { return; }
      paint(canvas, bytes, view.shape, isMap ? heat : greys);
      const size = [view.shape[0] * data.spacing[0], view.shape[1] * data.spacing[1]];
      const share = function (mm, all) { return 100 * mm / all + "%"; };
      const [wide, high] = [seen[1] - seen[0], seen[3] - seen[2]];
      canvas.style.left = share(-data.spacing[1] / 2 - seen[0], wide);
      canvas.style.top = share(-data.spacing[0] / 2 - seen[2], high);
      canvas.style.width = share(size[1], wide);
      canvas.style.height = share(size[0], high);
      const half = "scale(" + data.spacing[1] / 2 + " " + data.spacing[0] / 2 + ")";
      sides(svg, seen);
      if (panel === "image") { scaleBar(svg, seen); }
      if (panel === "raters") {
        view.raters.forEach(function (r) {
          line(svg, paths[r[1]], data.raters[r[0]], 1.6, half);
        });
      }
      if (panel === "prediction") {
        view.prediction.forEach(function (path, c) {
          line(svg, paths[path], data.classes[c], 1.6, half);
        });
      }
    }

    async function draw() {
      const own = (turn += 1);
      const view = chosen();
      if (!paths) {
        paths = JSON.parse(new TextDecoder().decode(await inflate(data.paths)));
      }
      const bytes = await Promise.all(data.panels.map(function (panel) {
        const number = panel in data.limits ? view.maps[panel] : view.image;
        return number === undefined ? null : bytesOf(number);
      }));
      if (own !== turn) { return; }
      const whole = fitted(view.whole, data.aspect);
      const seen = close.checked ? inside(fitted(view.near, data.aspect), whole) : whole;
      boxes.forEach(function (box, i) { drawBox(box, data.panels[i], view, bytes[i], seen); });
      root.querySelectorAll("[data-rater]").forEach(function (key) {
        key.hidden = !view.raters.some(function (r) { return r[0] === Number(key.dataset.rater); });
      });
      shown = { view: view, bytes: bytes, seen: seen };
      read.textContent = still;
      root.dataset.state = "drawn";
    }

    function point(event) {
      if (!shown) { return; }
      const box = event.currentTarget.getBoundingClientRect();
      const seen = shown.seen;
      const x = seen[0] + (event.clientX - box.left) / box.width * (seen[1] - seen[0]);
      const y = seen[2] + (event.clientY - box.top) / box.height * (seen[3] - seen[2]);
      const [row, column] = [Math.round(y / data.spacing[0]), Math.round(x / data.spacing[1])];
      const [height, width] = shown.view.shape;
      leave();
      if (row < 0 || column < 0 || row >= height || column >= width) { return; }
      const words = [];
      data.panels.forEach(function (panel, i) {
        if (!(panel in data.limits) || !shown.bytes[i]) { return; }
        const byte = shown.bytes[i][row * width + column];
        const value = byte > data.top ? "not seen"
          : (byte * data.limits[panel] / data.top).toFixed(3);
        words.push((shown.view.titles[panel] || panel) + " " + value);
      });
      read.textContent = x.toFixed(1) + " mm, " + y.toFixed(1) + " mm · " + words.join(", ") +
        " " + data.unit;
      const size = (seen[1] - seen[0]) / 40;
      boxes.forEach(function (b) {
        ["black", "white"].forEach(function (colour, i) {
          add(b.querySelector("svg"), "circle", { class: "pe-mark", cx: x, cy: y, r: size,
            fill: "none", stroke: colour, "stroke-width": 3 - 2 * i,
            "vector-effect": "non-scaling-stroke" });
        });
      });
    }

    function leave() {
      read.textContent = still;
      root.querySelectorAll(".pe-mark").forEach(function (mark) { mark.remove(); });
    }

    function redraw() {
      root.dataset.state = "drawing";
      draw().catch(function (error) {
        root.dataset.state = "failed";
        read.textContent = "This figure could not be drawn: " + error.message;
        console.error(error);
      });
    }

    lists.forEach(function (list, depth) {
      list.addEventListener("change", function () {
        wanted[depth] = list.selectedIndex;
        redraw();
      });
    });
    close.addEventListener("change", redraw);
    boxes.forEach(function (box) {
      box.addEventListener("pointermove", point);
      box.addEventListener("pointerleave", leave);
    });
    redraw();
  }

  document.querySelectorAll(".paraspine-explorer:not([data-state])").forEach(start);
})();
"""
