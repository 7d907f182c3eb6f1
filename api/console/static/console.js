// What holds on every page; nothing here is needed to use the console.
//
//   /          the field to search in (data-key-search)
//   others     a link or button with data-key="n" is followed or pressed by n
//
// Keys are silent while somebody types, with Ctrl, Alt or Meta, and where the account has them off.
// What failed on the way is named, and whoever was signed out goes on where he was.
"use strict";
(() => {
  const typing = (element) => element.closest("input, textarea, select, [contenteditable]");
  const problem = () => document.getElementById("problem");

  document.addEventListener("keydown", (event) => {
    if (document.body.dataset.keys === "off") return;
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

  // What a form has done is said once: not after a reload, nor above what comes next.
  const address = new URL(location.href);
  if (address.searchParams.has("done") || address.searchParams.has("saved")) {
    for (const name of ["done", "by", "saved"]) address.searchParams.delete(name);
    history.replaceState(history.state, "", address);
  }

  const tell = (sentence) => {
    const line = document.createElement("p");
    line.className = "fault";
    line.textContent = sentence;
    problem()?.replaceChildren(line);
  };
  document.addEventListener("htmx:sendError", () =>
    tell("The server could not be reached, and nothing was sent. Is the connection there? Then press the button again."),
  );
  document.addEventListener("htmx:responseError", () => tell("That failed, and nothing was done. Please try again."));
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target !== problem()) problem()?.replaceChildren();
  });

  // Back from another tab, where he signed in: the forms of this page are those of the new session.
  const renew = async () => {
    const line = document.querySelector("[data-signed-out]");
    if (document.visibilityState !== "visible" || !line) return;
    const answer = await fetch("/console/token", { redirect: "error" }).catch(() => null);
    if (!answer?.ok) return;
    const token = await answer.text();
    document.body.setAttribute("hx-headers", JSON.stringify({ "x-form-token": token }));
    for (const field of document.querySelectorAll("input[name=token]")) field.value = token;
    line.className = "done";
    line.textContent = "You are signed in again. Press the button once more: nothing was lost.";
    delete line.dataset.signedOut;
  };
  document.addEventListener("visibilitychange", renew);
  addEventListener("focus", renew);
})();
