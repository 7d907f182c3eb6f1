// The keys on the links of a list, and dragging: both press the buttons that are there without them.
// Whoever pressed something stays on it in the next preview, and what he presses meanwhile comes
// after it. Whoever would leave with changes that are not saved is asked.
"use strict";
(() => {
  const items = () => [...(document.querySelector("ol.links[data-page]")?.children ?? [])];
  const form = () => document.getElementById("lists");
  const item = (id) => items().find((each) => each.dataset.id === id);
  // What waits for the preview that is under way, what has the focus afterwards, and where that was.
  // A preview that stands in the page is not ready yet: its buttons work a moment later.
  const waiting = [];
  let busy = false;
  let settling = false;
  let focused = null;
  let place = 0;
  let leaving = false;

  // Do something to the list as it is then.
  const later = (job) => (busy ? waiting.push(job) : job());
  // As if a button of this value were pressed.
  const press = (value) => {
    const button = document.createElement("button");
    button.name = "press";
    button.value = value;
    button.hidden = true;
    form().append(button);
    // Goes with the form, which the answer replaces.
    button.click();
  };
  const go = (to) => {
    if (!to) return;
    for (const each of items()) each.tabIndex = each === to ? 0 : -1;
    to.focus();
  };
  const begin = () => {
    const first = items()[0];
    if (first) first.tabIndex = 0;
  };
  const pin = (id, at) => press(`pin ${at}:${id}`);

  document.addEventListener("keydown", (event) => {
    const on = event.target instanceof Element && event.target.closest("ol.links[data-page] > li");
    if (!on || event.ctrlKey || event.metaKey) return;
    const { id } = on.dataset;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && !event.altKey) {
      event.preventDefault();
      go(items()[items().indexOf(on) + step]);
      return;
    }
    if (!on.querySelector(".do") || document.body.dataset.keys === "off") return;
    const jobs = {
      p: () => item(id)?.querySelector("[data-do=pin]")?.click(),
      b: () => press(`block ${id}`),
      B: () => press(`ban ${id}`),
    };
    const move = () => {
      const to = items()[items().indexOf(item(id)) + step];
      if (to) pin(id, to.dataset.place);
    };
    const job = step ? move : event.altKey ? null : jobs[event.key];
    if (!job) return;
    event.preventDefault();
    focused = { id };
    place = items().indexOf(on);
    later(job);
  });

  let dragged = null;
  document.addEventListener("dragstart", (event) => {
    const on = event.target.closest?.(".handle")?.closest("li");
    if (!on) return;
    dragged = on;
    on.classList.add("dragged");
    event.dataTransfer.setDragImage(on, 0, 0);
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", on.dataset.id);
  });
  document.addEventListener("dragover", (event) => {
    const over = dragged && event.target.closest?.("ol.links[data-page] > li");
    for (const each of items()) each.classList.toggle("over", each === over && each !== dragged);
    if (over) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    const over = dragged && event.target.closest?.("ol.links[data-page] > li");
    if (!over) return;
    event.preventDefault();
    const { id } = dragged.dataset;
    if (over === dragged) return;
    focused = { id };
    later(() => pin(id, over.dataset.place));
  });
  document.addEventListener("dragend", () => {
    dragged?.classList.remove("dragged");
    for (const each of items()) each.classList.remove("over");
    dragged = null;
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt !== form()) return;
    const at = document.activeElement;
    const on = at?.closest?.("ol.links > li[data-id]");
    if (busy) {
      // A button that was pressed with the mouse before the answer came: once more, afterwards.
      event.preventDefault();
      const value = event.detail.requestConfig.parameters.press;
      if (value) waiting.push(() => press(value));
      return;
    }
    busy = true;
    if (on && at !== on) {
      focused = { id: on.dataset.id, button: at.dataset.do };
      place = items().indexOf(on);
    } else if (!on && at?.dataset?.stay) {
      focused = { stay: at.dataset.stay };
    }
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt.id !== "lists") return;
    busy = settling;
    if (event.detail.xhr?.getResponseHeader("hx-redirect")) leaving = true;
    if (!event.detail.successful) waiting.length = 0;
  });

  // A new preview takes the place of the old: whoever pressed something stays where he was, from the
  // first moment on, lest what he presses next is pressed on nothing.
  const isPreview = ({ elt }) => elt?.id === "lists" || Boolean(elt?.querySelector?.("#lists"));
  document.addEventListener("htmx:afterSwap", (event) => {
    if (!isPreview(event.detail)) return;
    settling = true;
    begin();
    const said = document.getElementById("pending") ?? document.getElementById("which");
    document.getElementById("spoken").textContent = said ? said.textContent : "The list is as it was.";
    if (focused) {
      const on = item(focused.id);
      const button = focused.button && on?.querySelector(`[data-do="${focused.button}"]`);
      const stay = focused.stay && document.querySelector(`[data-stay="${focused.stay}"]`);
      if (button) button.focus();
      else if (stay) stay.focus();
      else go(on ?? items()[Math.min(place, items().length - 1)]);
    }
    focused = null;
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (!isPreview(event.detail)) return;
    settling = busy = false;
    waiting.shift()?.();
  });

  addEventListener("beforeunload", (event) => {
    if (document.querySelector(".pending") && !leaving) event.preventDefault();
  });
  document.addEventListener("submit", (event) => {
    if (event.target !== form() || event.defaultPrevented) return;
    leaving = false;
    if (!settling) return;
    event.preventDefault();
    const { value } = event.submitter ?? {};
    if (value) waiting.push(() => press(value));
  });
  begin();
})();
