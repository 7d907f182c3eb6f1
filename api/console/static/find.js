// The arrow keys go through the rows of a page, from the field to search in and back; there j and k
// (and n) do the same, where one types nothing. Enter in the field opens the first row of what was found.
"use strict";
(() => {
  const links = () => [...document.querySelectorAll(".results > li > a:first-child")];
  // What is spoken stands in a region that is there before its text comes.
  document.addEventListener("htmx:afterSettle", () => {
    const said = document.querySelector("#found [data-said]");
    const text = said ? said.textContent.replace(/\s+/g, " ").trim() : "";
    document.getElementById("spoken").textContent = text;
  });
  const field = () => document.querySelector("[data-key-search]");
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const all = links();
    const search = field();
    const at = all.indexOf(document.activeElement);
    if (event.target === search && search) {
      const asked = document.getElementById("found")?.dataset.asked;
      if (event.key === "ArrowDown" && all.length) {
        event.preventDefault();
        all[0].focus();
      } else if (event.key === "Enter" && all.length && asked === search.value.trim()) {
        event.preventDefault();
        all[0].click();
      }
      return;
    }
    if (event.target instanceof Element && event.target.closest("input, textarea, select")) return;
    const down = event.key === "j" || event.key === "n" || (event.key === "ArrowDown" && at >= 0);
    const up = event.key === "k" || (event.key === "ArrowUp" && at >= 0);
    if (!down && !up) return;
    event.preventDefault();
    if (down) (all[at + 1] ?? all.at(-1))?.focus();
    else if (at > 0) all[at - 1].focus();
    else search?.focus();
  });
})();
