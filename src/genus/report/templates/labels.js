"use strict";
(function () {
  // Sliders: what another threshold would do on the test images.
  var source = document.getElementById("page-data"), command = document.getElementById("threshold-command");
  if (!source || !command) { return; }
  var curves = JSON.parse(source.textContent).curves, chosen = new Map();

  function percent(share) { return Math.round(100 * share) + "%"; }
  function quoted(text) { return "'" + text.replace(/'/g, "'\\''") + "'"; }
  function show(figure, at) {
    var point = curves[Number(figure.dataset.curve)].points[at], dot = figure.querySelector("circle");
    dot.setAttribute("cx", 100 * point[2]);
    dot.setAttribute("cy", 100 - 100 * point[1]);
    dot.setAttribute("visibility", "visible");
    figure.querySelector("p").textContent = "From " + percent(point[0]) + ": finds " + percent(point[2]) + ", right " +
      percent(point[1]) + ", " + point[3].toLocaleString("en") + (point[3] === 1 ? " image" : " images") + " named.";
  }
  document.querySelectorAll("[data-curve]").forEach(function (figure) {
    figure.querySelector("input").addEventListener("input", function (event) {
      var curve = curves[Number(figure.dataset.curve)], at = Number(event.target.value);
      show(figure, at);
      chosen.set(curve.name, Math.floor(100 * curve.points[at][0]) / 100);
      var pairs = Array.from(chosen, function (pair) { return pair[0] + "=" + pair[1]; });
      command.textContent = "genus predict -m " + command.dataset.model + " IMAGES --threshold " + quoted(pairs.join(","));
    });
  });
}());
