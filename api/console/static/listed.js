// The keys on the links of a list, and dragging: both press the buttons that are there without them.
"use strict";
(() => {
  const list = () => document.querySelector("ol.links[data-page]");
  const items = () => [...(list()?.children ?? [])];
  const form = () => document.getElementById("lists");
  let focused = null;

  // As if a button of this value were pressed; `id` has the focus afterwards.
  const press = (value, id) => {
    const button = document.createElement("button");
    button.name = "press";
    button.value = value;
    button.hidden = true;
    form().append(button);
    focused = id;
    // Goes with the form, which the answer replaces.
    button.click();
  };
  const go = (item) => {
    if (!item) return;
    for (const each of items()) each.tabIndex = each === item ? 0 : -1;
    item.focus();
  };
  const begin = () => {
    const first = items()[0];
    if (first) first.tabIndex = 0;
  };

  document.addEventListener("keydown", (event) => {
    const item = event.target instanceof Element && event.target.closest("ol.links[data-page] > li");
    if (!item || event.ctrlKey || event.metaKey) return;
    if (!item.querySelector(".do") && event.altKey) return;
    const all = items();
    const at = all.indexOf(item);
    const { id } = item.dataset;
    const down = event.key === "ArrowDown";
    if (down || event.key === "ArrowUp") {
      event.preventDefault();
      const to = at + (down ? 1 : -1);
      if (!all[to]) return;
      if (event.altKey) press(`pin ${all[to].dataset.place}:${id}`, id);
      else go(all[to]);
    } else if (event.altKey || !item.querySelector(".do")) {
      return;
    } else if (event.key === "p") {
      focused = id;
      item.querySelector("[data-do=pin]")?.click();
    } else if (event.key === "b") {
      press(`block ${id}`, all[at + 1]?.dataset.id);
    } else if (event.key === "B") {
      press(`ban ${id}`, all[at + 1]?.dataset.id);
    } else {
      return;
    }
    event.preventDefault();
  });

  let dragged = null;
  document.addEventListener("dragstart", (event) => {
    const item = event.target.closest?.(".handle")?.closest("li");
    if (!item) return;
    dragged = item;
    item.classList.add("dragged");
    event.dataTransfer.setDragImage(item, 0, 0);
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", item.dataset.id);
  });
  document.addEventListener("dragover", (event) => {
    const item = dragged && event.target.closest?.("ol.links[data-page] > li");
    for (const each of items()) each.classList.toggle("over", each === item && each !== dragged);
    if (item) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    const item = dragged && event.target.closest?.("ol.links[data-page] > li");
    if (!item) return;
    event.preventDefault();
    if (item !== dragged) press(`pin ${item.dataset.place}:${dragged.dataset.id}`, dragged.dataset.id);
  });
  document.addEventListener("dragend", () => {
    dragged?.classList.remove("dragged");
    for (const each of items()) each.classList.remove("over");
    dragged = null;
  });

  // A new preview takes the place of the old: whoever used keys stays where he was.
  document.addEventListener("htmx:afterSettle", () => {
    begin();
    if (focused) go(items().find((each) => each.dataset.id === focused));
    focused = null;
  });
  begin();
})();
