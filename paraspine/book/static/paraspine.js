/* Draws the figures that the notebooks stored as JSON, when they scroll into view, with the
 * plotly.min.js that lies beside this file. Asks no other host for anything. */
(function () {
  "use strict";

  const here = document.currentScript ? document.currentScript.src : "";
  const CONFIG = {
    responsive: true,
    displaylogo: false,
    showSendToCloud: false,
    showEditInChartStudio: false,
    plotlyServerURL: "",
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
  };
  /* Width of the text on an A4 or letter page, CSS pixels. */
  const PAPER = 680;
  const THEMES = {
    light: { text: "#24292f", faint: "#57606a", grid: "#dfe3e8", line: "#8c959f", button: "#f6f8fa", label: "#ffffff" },
    dark: { text: "#e6edf3", faint: "#9aa4af", grid: "#3a4149", line: "#7d8590", button: "#2b3138", label: "#22272e" },
  };

  let library = null;
  function load() {
    if (!library) {
      library = new Promise(function (resolve, reject) {
        const script = document.createElement("script");
        script.src = new URL("plotly.min.js", here).href;
        script.onload = function () { resolve(window.Plotly); };
        script.onerror = function () { reject(new Error("plotly.min.js could not be loaded")); };
        document.head.appendChild(script);
      });
    }
    return library;
  }

  function theme() {
    return THEMES[document.documentElement.dataset.theme === "dark" ? "dark" : "light"];
  }

  /* The figure's own template with the colours of the page's theme. */
  function themed(template) {
    const t = theme();
    const result = Object.assign({}, template || {});
    const layout = (result.layout = Object.assign({}, (template || {}).layout || {}));
    const axis = { gridcolor: t.grid, linecolor: t.line, zerolinecolor: t.grid, tickcolor: t.line };
    layout.font = Object.assign({}, layout.font, { color: t.text });
    layout.paper_bgcolor = "rgba(0,0,0,0)";
    layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.xaxis = Object.assign({}, layout.xaxis, axis);
    layout.yaxis = Object.assign({}, layout.yaxis, axis);
    const title = Object.assign({}, layout.title);
    title.subtitle = Object.assign({}, title.subtitle, { font: Object.assign({}, (title.subtitle || {}).font, { color: t.faint }) });
    layout.title = title;
    layout.hoverlabel = Object.assign({}, layout.hoverlabel, {
      bgcolor: t.label, bordercolor: t.line, font: Object.assign({}, (layout.hoverlabel || {}).font, { color: t.text }),
    });
    layout.updatemenudefaults = Object.assign({}, layout.updatemenudefaults, { bgcolor: t.button, bordercolor: t.line, font: { color: t.text } });
    return result;
  }

  function draw(place) {
    if (place.paraspineDone) { return place.paraspineDone; }
    place.dataset.state = "drawing";
    place.paraspineDone = load().then(function (Plotly) {
      const figure = JSON.parse(place.querySelector("script").textContent);
      place.paraspineTemplate = figure.layout.template;
      figure.layout.template = themed(figure.layout.template);
      const target = document.createElement("div");
      target.style.width = "100%";
      target.style.height = "100%";
      place.appendChild(target);
      return Plotly.newPlot(target, figure.data, figure.layout, CONFIG).then(function () {
        place.paraspineTarget = target;
        place.dataset.state = "drawn";
      });
    }).catch(function (error) {
      place.dataset.state = "failed";
      const words = document.createElement("p");
      words.className = "paraspine-figure-error";
      words.textContent = "This figure could not be drawn: " + error.message;
      place.appendChild(words);
      console.error(error);
    });
    return place.paraspineDone;
  }

  function start() {
    const places = document.querySelectorAll(".paraspine-figure");
    if (!places.length) { return; }
    if ("IntersectionObserver" in window) {
      const observer = new IntersectionObserver(function (entries) {
        entries.forEach(function (entry) {
          if (entry.isIntersecting) {
            observer.unobserve(entry.target);
            draw(entry.target);
          }
        });
      }, { rootMargin: "300px 0px" });
      places.forEach(function (place) { observer.observe(place); });
    } else {
      places.forEach(draw);
    }
    new MutationObserver(function () {
      document.querySelectorAll('.paraspine-figure[data-state="drawn"]').forEach(function (place) {
        window.Plotly.relayout(place.paraspineTarget, { template: themed(place.paraspineTemplate) });
      });
    }).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    printing(places);
  }

  /* On paper a figure is as wide as the text there; afterwards it follows the window again. */
  function printing(places) {
    function each(change) {
      document.querySelectorAll('.paraspine-figure[data-state="drawn"]').forEach(function (place) {
        window.Plotly.relayout(place.paraspineTarget, change);
      });
    }
    function drawAll() {
      return Promise.all(Array.from(places, draw));
    }
    window.addEventListener("beforeprint", function () { drawAll(); each({ width: PAPER, autosize: false }); });
    window.addEventListener("afterprint", function () {
      each({ width: null, autosize: true });
      document.querySelectorAll('.paraspine-figure[data-state="drawn"]').forEach(function (place) {
        window.Plotly.Plots.resize(place.paraspineTarget);
      });
    });
    const print = window.print.bind(window);
    window.print = function () { drawAll().then(function () { print(); }); };
    document.addEventListener("keydown", function (event) {
      if ((event.ctrlKey || event.metaKey) && event.key === "p") {
        event.preventDefault();
        window.print();
      }
    });
  }

  /* One switch shows the code of all cells of a page. */
  function codeSwitch() {
    const place = document.querySelector(".article-header-buttons");
    if (!place || !document.querySelector("div.cell > .cell_input")) { return; }
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-sm paraspine-code-switch";
    function say() {
      const on = document.documentElement.classList.contains("paraspine-code");
      button.textContent = on ? "Hide code" : "Show code";
      button.setAttribute("aria-pressed", String(on));
    }
    button.addEventListener("click", function () {
      document.documentElement.classList.toggle("paraspine-code");
      say();
    });
    say();
    place.prepend(button);
  }

  /* What is wider than the page scrolls in a box of its own, and shows at which side there is more. */
  function boxes() {
    document.querySelectorAll("article table").forEach(function (table) {
      if (table.closest(".paraspine-table-box, .paraspine-explorer")) { return; }
      const box = document.createElement("div");
      box.className = "paraspine-table-box";
      table.replaceWith(box);
      box.appendChild(table);
    });
    const scrolling = document.querySelectorAll(".paraspine-table-box, .paraspine-figure");
    function look(box) {
      const rest = box.scrollWidth - box.clientWidth;
      const wide = rest > 1;
      box.dataset.left = String(wide && box.scrollLeft > 1);
      box.dataset.right = String(wide && box.scrollLeft < rest - 1);
      if (!box.classList.contains("paraspine-figure")) {
        if (wide) {
          const caption = box.querySelector("caption");
          box.tabIndex = 0;
          box.setAttribute("role", "region");
          box.setAttribute("aria-label", (caption ? caption.textContent : "Table") + " (scrolls sideways)");
        } else {
          ["tabindex", "role", "aria-label"].forEach(function (name) { box.removeAttribute(name); });
        }
      }
    }
    const watcher = "ResizeObserver" in window
      ? new ResizeObserver(function (entries) { entries.forEach(function (entry) { look(entry.target); }); })
      : null;
    scrolling.forEach(function (box) {
      box.addEventListener("scroll", function () { look(box); }, { passive: true });
      if (watcher) { watcher.observe(box); }
      look(box);
    });
  }

  /* A click on a head sorts the rows by that column, the next one the other way. */
  function sorting() {
    document.querySelectorAll("table.paraspine-sortable").forEach(function (table) {
      const heads = Array.from(table.querySelectorAll("thead th"));
      heads.forEach(function (head) {
        const button = document.createElement("button");
        button.type = "button";
        button.append(...head.childNodes);
        head.appendChild(button);
        button.addEventListener("click", function () {
          const place = head.cellIndex;
          const up = head.getAttribute("aria-sort") !== "ascending";
          heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
          head.setAttribute("aria-sort", up ? "ascending" : "descending");
          const body = table.tBodies[0];
          Array.from(body.rows).sort(function (a, b) {
            const words = [a, b].map(function (row) { return row.cells[place].textContent.trim(); });
            const order = words[0].localeCompare(words[1], undefined, { numeric: true });
            return up ? order : -order;
          }).forEach(function (row) { body.appendChild(row); });
        });
      });
    });
  }

  /* Names for what the theme leaves without one. */
  function names() {
    document.querySelectorAll("button.copybtn").forEach(function (button) {
      button.setAttribute("aria-label", "Copy this code");
    });
    document.querySelectorAll("button.search-button-field").forEach(function (button) {
      button.removeAttribute("aria-label");  // its words are its name
    });
    document.querySelectorAll(".theme-switch-button [title]").forEach(function (icon) {
      icon.removeAttribute("title");  // the button has a name
      icon.setAttribute("aria-hidden", "true");
    });
    document.querySelectorAll(".bd-sidebar-primary").forEach(function (side) {
      side.setAttribute("role", "navigation");
      side.setAttribute("aria-label", "Book");
    });
    document.querySelectorAll(".citation[role=doc-biblioentry]").forEach(function (entry) {
      entry.removeAttribute("role");  // deprecated
    });
    document.querySelectorAll(".citation-list[role=list]").forEach(function (list) {
      list.removeAttribute("role");  // its children are no items
    });
    document.querySelectorAll(".bd-sidebar summary, .bd-links summary").forEach(function (summary) {
      const link = summary.parentElement.parentElement.querySelector("a");
      summary.setAttribute("aria-label", "Pages below " + (link ? link.textContent.trim() : "this one"));
    });
  }

  function begin() {
    codeSwitch();
    sorting();
    boxes();
    start();
  }

  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", begin);
  } else {
    begin();
  }
  window.addEventListener("load", names);
})();
