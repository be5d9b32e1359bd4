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
    if (place.dataset.state) { return; }
    place.dataset.state = "drawing";
    load().then(function (Plotly) {
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
    window.addEventListener("beforeprint", function () { places.forEach(draw); });
  }

  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", start);
  } else {
    start();
  }
})();
