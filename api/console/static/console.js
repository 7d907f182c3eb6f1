// Keys that hold on every page; nothing here is needed to use the console.
//
//   /          the field to search in (data-key-search)
//   others     a link or button with data-key="n" is followed or pressed by n
//
// They are silent while somebody types, and with Ctrl, Alt or Meta.
"use strict";
(() => {
  const typing = (element) => element.closest("input, textarea, select, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target instanceof Element && typing(event.target)) return;
    if (event.key === "/") {
      const field = document.querySelector("[data-key-search]");
      if (field) {
        event.preventDefault();
        field.focus();
        field.select();
      }
      return;
    }
    for (const element of document.querySelectorAll("[data-key]")) {
      if (element.dataset.key === event.key && !element.disabled) {
        event.preventDefault();
        element.click();
        return;
      }
    }
  });
})();
