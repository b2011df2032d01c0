// The map of all images: points on a canvas, the picture of the one under the pointer beside it.
(function () {
  var source = document.getElementById("map-data"), canvas = document.querySelector(".map canvas");
  if (!source || !canvas) { return; }
  var data = JSON.parse(source.textContent), pen = canvas.getContext("2d"), n = data.x.length;
  var card = document.querySelector(".map .hover"), picture = card.querySelector("img");
  var caption = card.querySelector("figcaption"), only = null, here = -1, margin = 12;
  var pictured = new Map();
  data.seen.forEach(function (point, i) { pictured.set(point, data.picture[i]); });

  function width() { return canvas.clientWidth; }
  function height() { return canvas.clientHeight; }
  function left(i) { return margin + data.x[i] / 1000 * (width() - 2 * margin); }
  function top(i) { return margin + data.y[i] / 1000 * (height() - 2 * margin); }
  function colour(group, faint) {
    if (group < 0) { return faint ? "rgba(128,128,128,0.15)" : "rgba(128,128,128,0.8)"; }
    return "hsla(" + data.groups[group].hue + ",55%,48%," + (faint ? 0.1 : 0.85) + ")";
  }
  function draw() {
    var scale = window.devicePixelRatio || 1, size = n > 5000 ? 1.8 : n > 1000 ? 2.6 : 3.6;
    canvas.width = width() * scale;
    canvas.height = height() * scale;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    for (var i = 0; i < n; i += 1) {
      pen.fillStyle = colour(data.group[i], only !== null && data.group[i] !== only);
      pen.beginPath();
      pen.arc(left(i), top(i), size, 0, 2 * Math.PI);
      pen.fill();
    }
    if (here >= 0) {
      pen.strokeStyle = getComputedStyle(document.body).color;
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(left(here), top(here), size + 3, 0, 2 * Math.PI);
      pen.stroke();
    }
  }
  function nearest(x, y, reach, wanted) {
    var best = -1, least = reach * reach;
    for (var i = 0; i < n; i += 1) {
      if (wanted && !wanted(i)) { continue; }
      var dx = left(i) - x, dy = top(i) - y, away = dx * dx + dy * dy;
      if (away < least) { least = away; best = i; }
    }
    return best;
  }
  function visible(i) { return only === null || data.group[i] === only; }
  function called(group) {
    if (group < 0) { return "no group"; }
    var name = data.groups[group].name;
    return "group " + group + (name && name !== "-" ? " \u2068" + name + "\u2069" : "");
  }
  function show(i) {
    here = i;
    card.hidden = i < 0;
    if (i >= 0) {
      var like = pictured.has(i) ? i : nearest(left(i), top(i), Infinity, function (j) {
        return pictured.has(j) && data.group[j] === data.group[i];
      });
      var uri = like >= 0 ? pictured.get(like) : null;
      picture.hidden = !uri;
      if (uri) { picture.src = uri; }
      picture.alt = data.name[i];
      caption.textContent = called(data.group[i]) + "\n" + data.name[i].slice(-60) +
        (like === i || !uri ? "" : "\n(the picture is of a neighbour)");
      var right = left(i) > width() / 2, low = top(i) > height() / 2;
      card.style.left = right ? "auto" : left(i) + 14 + "px";
      card.style.right = right ? width() - left(i) + 14 + "px" : "auto";
      card.style.top = low ? "auto" : top(i) + 14 + "px";
      card.style.bottom = low ? height() - top(i) + 14 + "px" : "auto";
    }
    draw();
  }
  function under(event) {
    var box = canvas.getBoundingClientRect();
    var found = nearest(event.clientX - box.left, event.clientY - box.top, 18, visible);
    if (found !== here) { show(found); }
  }
  canvas.addEventListener("pointermove", under);
  canvas.addEventListener("pointerdown", under);
  canvas.addEventListener("pointerleave", function () { if (here >= 0) { show(-1); } });
  document.querySelectorAll(".keys [data-group]").forEach(function (button) {
    button.addEventListener("click", function () {
      var group = Number(button.dataset.group);
      only = only === group ? null : group;
      document.querySelectorAll(".keys [data-group]").forEach(function (other) {
        other.setAttribute("aria-pressed", String(only !== null && Number(other.dataset.group) === only));
      });
      show(-1);
    });
  });
  window.addEventListener("resize", draw);
  draw();
})();
