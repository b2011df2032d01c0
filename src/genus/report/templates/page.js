"use strict";
(function () {
  var root = document.documentElement;
  root.classList.add("js");

  // Tables: sort by a column, filter by name.
  function sortBy(button) {
    var head = button.closest("th"), table = button.closest("table"), body = table.tBodies[0];
    var numeric = button.dataset.sort === "number";
    var column = head.cellIndex, old = head.getAttribute("aria-sort");
    var down = old === "none" ? numeric : old === "ascending";
    table.querySelectorAll("th[aria-sort]").forEach(function (th) { th.setAttribute("aria-sort", "none"); });
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    var natural = new Intl.Collator(undefined, { numeric: true });
    var rows = Array.from(body.rows).sort(function (a, b) {
      var x = a.cells[column].dataset.value, y = b.cells[column].dataset.value;
      return (numeric ? Number(x) - Number(y) : natural.compare(x, y)) * (down ? -1 : 1);
    });
    body.append.apply(body, rows);
  }
  document.querySelectorAll("[data-sort]").forEach(function (button) {
    button.addEventListener("click", function () { sortBy(button); });
  });
  document.querySelectorAll("[data-filter]").forEach(function (input) {
    var rows = Array.from(document.getElementById(input.dataset.filter).tBodies[0].rows);
    input.addEventListener("input", function () {
      var wanted = input.value.trim().toLowerCase();
      rows.forEach(function (row) { row.hidden = !row.cells[0].dataset.value.toLowerCase().includes(wanted); });
    });
  });

  // A cell of the confusion matrix shows its pictures.
  var source = document.getElementById("page-data"), panel = document.getElementById("cell-panel");
  if (!source || !panel) { return; }
  var data = JSON.parse(source.textContent), counts = new Map(), members = new Map();
  var heat = document.querySelector("[data-heat]"), picker = document.querySelector("[data-picker]");
  var most = 24;
  data.cells.forEach(function (cell) { counts.set(cell[0] + "/" + cell[1], cell[2]); });
  data.rows.forEach(function (row, i) {
    var key = row[1] + "/" + row[2];
    if (!members.has(key)) { members.set(key, []); }
    members.get(key).push(i);
  });

  function element(tag, kind, text) {
    var made = document.createElement(tag);
    if (kind) { made.className = kind; }
    if (text !== undefined) { made.textContent = text; }
    return made;
  }
  function images(n) { return n.toLocaleString("en") + (n === 1 ? " image" : " images"); }
  function isolated(text) { return "\u2068" + text + "\u2069"; }
  function describe(truth, said) {
    var n = counts.get(truth + "/" + said) || 0;
    if (truth === said) { return images(n) + " of " + isolated(data.classes[truth]) + ", rightly named"; }
    return images(n) + " of " + isolated(data.classes[truth]) + ", taken for " + isolated(data.classes[said]);
  }
  function tile(i) {
    var row = data.rows[i], shown = document.getElementById("picture-" + i);
    var uri = row[4] || (shown && shown.src), made = element("figure", "tile"), caption = element("figcaption");
    if (uri) {
      var image = element("img");
      image.src = uri;
      image.alt = row[0];
      made.append(image);
    } else {
      made.append(element("div", "blank", "no picture"));
    }
    var file = element("span", "file");
    file.title = row[0];
    file.append(element("bdi", "", row[0]));
    caption.append(element("span", "sure", Math.round(100 * row[3]) + "% sure"), file);
    made.append(caption);
    return made;
  }
  function show(truth, said, quietly) {
    var found = members.get(truth + "/" + said) || [], total = counts.get(truth + "/" + said) || 0;
    panel.querySelector("h3").textContent = describe(truth, said);
    panel.querySelector(".tiles").replaceChildren.apply(
      panel.querySelector(".tiles"), found.slice(0, most).map(tile));
    var hidden = total - Math.min(found.length, most);
    panel.querySelector(".more").textContent = hidden > 0
      ? (found.length ? hidden.toLocaleString("en") + " more" : images(hidden)) + " not in this page." : "";
    panel.hidden = false;
    document.querySelectorAll(".matrix [data-true]").forEach(function (button) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.true) === truth && Number(button.dataset.said) === said));
    });
    aim(truth, said);
    if (picker) { choose(truth, said); }
    if (!quietly) { panel.scrollIntoView({ block: "nearest" }); }
  }
  document.querySelectorAll("[data-true]").forEach(function (button) {
    button.addEventListener("click", function () { show(Number(button.dataset.true), Number(button.dataset.said)); });
  });

  // One stop of the tab key for the whole matrix; arrow keys move within it.
  document.querySelectorAll(".matrix").forEach(function (matrix) {
    var buttons = Array.from(matrix.querySelectorAll("button"));
    buttons.forEach(function (button, i) { button.tabIndex = i ? -1 : 0; });
    matrix.addEventListener("keydown", function (event) {
      var step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      var cell = event.target.closest("td");
      if (!step || !cell) { return; }
      event.preventDefault();
      var y = cell.parentNode.sectionRowIndex, x = cell.cellIndex, rows = matrix.tBodies[0].rows;
      for (y += step[0], x += step[1]; rows[y] && rows[y].cells[x]; y += step[0], x += step[1]) {
        var next = rows[y].cells[x].querySelector("button");
        if (next) {
          buttons.forEach(function (button) { button.tabIndex = -1; });
          next.tabIndex = 0;
          next.focus();
          return;
        }
      }
    });
  });

  // Many classes: a heat map to point at, and two lists that do the same from the keyboard.
  function aim(truth, said) {
    if (!heat) { return; }
    var frame = heat.querySelector(".aim");
    frame.setAttribute("x", said);
    frame.setAttribute("y", truth);
    frame.setAttribute("visibility", "visible");
    document.querySelector("[data-heat-name]").textContent = describe(truth, said);
  }
  function choose(truth, said) {
    var list = picker.elements.said;
    picker.elements.true.value = truth;
    list.replaceChildren.apply(list, data.cells.filter(function (cell) { return cell[0] === truth; })
      .sort(function (a, b) { return b[2] - a[2]; })
      .map(function (cell) {
        var option = element("option", "", data.classes[cell[1]] + " (" + cell[2] + ")");
        option.value = cell[1];
        option.selected = cell[1] === said;
        return option;
      }));
  }
  if (heat) {
    var under = function (event) {
      var box = heat.querySelector("svg").getBoundingClientRect(), n = data.classes.length;
      var at = function (x, size) { return Math.min(n - 1, Math.max(0, Math.floor(n * x / size))); };
      return [at(event.clientY - box.top, box.height), at(event.clientX - box.left, box.width)];
    };
    heat.addEventListener("pointermove", function (event) { aim.apply(null, under(event)); });
    heat.addEventListener("click", function (event) { show.apply(null, under(event)); });
  }
  if (picker) {
    picker.elements.true.addEventListener("change", function (event) {
      var truth = Number(event.target.value), first = data.cells.filter(function (cell) { return cell[0] === truth; })
        .sort(function (a, b) { return (a[1] === truth) - (b[1] === truth) || b[2] - a[2]; })[0];
      if (first) { show(truth, first[1]); } else { choose(truth, -1); }
    });
    picker.elements.said.addEventListener("change", function (event) {
      show(Number(picker.elements.true.value), Number(event.target.value));
    });
  }
  var first = document.querySelector(".pairs [data-true]");
  if (first) { show(Number(first.dataset.true), Number(first.dataset.said), true); }
})();
