// Puts the list of related articles on any page, and reports what was seen and followed.
//
//   <script src="https://rec.example.org/widget.js" data-id="knee" async></script>
//
//   data-id       the article; else data-url, else the page's canonical URL
//   data-k        how many links at most (10)
//   data-heading  what stands above them ("Recommend"); empty: nothing
//   data-layout   the kind of place, for the log ("bottom")
//   data-target   CSS selector of the place, or of a list the server rendered; else right here
//   data-consent  "true": the reader allows a session id, which dies with the tab
//   data-api      the API's address; else where this script comes from
//
// A server-rendered target is replaced if the API answers at once, and else stays as it is. If it
// carries data-slate, the token of the answer it was made from, it always stays and is reported;
// data-position on its links tells their places where their order does not.
//
// Looks: the classes .recommender-heading, -list, -item, -title and -teaser of .recommender, and
// --recommender-font, -color, -teaser-color, -gap and -reserve, the height kept until the list is
// here. A tag with async may run after the page was drawn: then let the page keep the room.
//
// No cookie; nothing stored without consent; no style attributes and no HTML out of strings, so
// a strict Content-Security-Policy that names the API in script-src and connect-src will do.
(async (script) => {
  "use strict";
  const { dataset } = script;
  const api = (dataset.api || new URL(script.src).origin).replace(/\/+$/, "");
  const SEEN_MS = 1000; // in view for so long is an impression
  const PATIENCE_MS = { filled: 800, empty: 5000 };
  const RETRY_MS = 2000;
  const CSS = `
    .recommender { display: flex; flex-direction: column; margin: 1.5em 0; line-height: 1.4;
      font-family: var(--recommender-font, inherit); overflow-wrap: anywhere; }
    .recommender-waiting { visibility: hidden; overflow: hidden;
      height: var(--recommender-reserve, auto); }
    .recommender-heading { margin: 0 0 .6em; font-size: 1.25em; line-height: 1.3; }
    .recommender-list { display: flex; flex: 1 0 auto; flex-direction: column;
      justify-content: space-between; gap: var(--recommender-gap, .8em);
      margin: 0; padding: 0; list-style: none; }
    .recommender-item { margin: 0; padding: 0; }
    .recommender-title { display: block; color: var(--recommender-color, inherit);
      font-weight: 600; text-decoration-thickness: 1px; text-underline-offset: .15em; }
    .recommender-teaser { display: block; overflow: hidden; font-size: .9em;
      text-overflow: ellipsis; white-space: nowrap; color: var(--recommender-teaser-color,
      color-mix(in srgb, currentColor 72%, transparent)); }`;

  const linksIn = (place) => [...place.querySelectorAll("a[href]")];
  const hex = () =>
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
      byte.toString(16).padStart(2, "0")
    ).join("");

  // Ids that begin with the time lie together in the store's index, and are written faster.
  const viewId = () => Date.now().toString(16).padStart(12, "0") + hex().slice(12);

  // Asking

  // 0 to 99, each as likely: bytes from 200 on would favour the first 56.
  const variant = () => {
    const [byte] = crypto.getRandomValues(new Uint8Array(1));
    return byte < 200 ? byte % 100 : variant();
  };

  const ask = async (patience) => {
    const canonical = document.querySelector("link[rel~=canonical]");
    const page = dataset.url || (canonical && canonical.href) || location.href.split("#")[0];
    const query = new URLSearchParams(dataset.id ? { id: dataset.id } : { url: page });
    query.set("k", size);
    query.set("variant", variant());
    const answer = await fetch(`${api}/v1/related?${query}`, {
      credentials: "omit",
      signal: AbortSignal.timeout(patience),
    });
    const { items, slate } = answer.ok ? await answer.json() : { items: [] };
    const good = items.filter((item) => item && item.title);
    return good.length ? { items: good, slate } : undefined;
  };

  // Drawing

  const make = (tag, name, text) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text) element.textContent = text;
    return element;
  };

  // The address of a link, or undefined where there is none or it is none: "javascript:".
  const address = (url) => {
    try {
      const { protocol, href } = new URL(url, document.baseURI);
      return url && /^https?:$/.test(protocol) ? href : undefined;
    } catch {
      return undefined;
    }
  };

  // One link; in a list of the page's own it looks like the links that were there.
  const entry = (item, place, like) => {
    const href = address(item.url);
    const title = make(href ? "a" : "span", like ? like.link : "recommender-title", item.title);
    if (href) title.href = href;
    title.dataset.position = item.position || place + 1;
    const row = make("li", like ? like.row : "recommender-item");
    row.append(title);
    if (item.teaser && !(like && like.bare))
      row.append(" ", make("span", "recommender-teaser", item.teaser));
    return row;
  };

  const looksOf = (list) => {
    const link = list.querySelector("li a[href]");
    if (!link) return undefined;
    const row = link.closest("li");
    const bare = row.textContent.trim() === link.textContent.trim();
    return { link: link.className, row: row.className, bare };
  };

  const adoptStyle = () => {
    const done = Symbol.for("recommender");
    if (document[done] || !document.adoptedStyleSheets) return;
    document[done] = true;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  };

  // What is in view keeps its height, so that nothing below it jumps.
  const hold = (place) => {
    const inView = place.getBoundingClientRect().top < innerHeight;
    place.style.minHeight = inView ? `${place.offsetHeight}px` : "";
  };

  const fill = (list, items) => {
    const like = looksOf(list);
    list.replaceChildren(...items.map((item, place) => entry(item, place, like)));
    return list;
  };

  // The heading and the list in a frame of our own.
  const furnish = (frame, items) => {
    const list = fill(make("ol", "recommender-list"), items);
    // A short list stands at the top of its room, a full one fills it.
    if (items.length < size) list.style.flexGrow = 0;
    const text = dataset.heading ?? "Recommend";
    const heading = make("h2", "recommender-heading", text);
    heading.id = `recommender-${hex()}`;
    if (text) frame.setAttribute("aria-labelledby", heading.id);
    frame.replaceChildren(...(text ? [heading, list] : [list]));
    return list;
  };

  // Until the list comes, an invisible one of rather long titles keeps its room.
  const placeholders = () =>
    Array.from({ length: size }, (_, place) => ({
      title: "words ".repeat(6 + (place % 5)),
      teaser: "words",
    }));

  // Reporting

  const session = () => {
    if (!/^(true|granted)$/.test(dataset.consent) || navigator.globalPrivacyControl)
      return undefined;
    try {
      const id = sessionStorage.getItem("recommender") || hex();
      sessionStorage.setItem("recommender", id);
      return id;
    } catch {
      return undefined;
    }
  };

  // A click leaves the page, which sendBeacon is made to outlive. Impressions go by fetch, which
  // sends no cookies of the API's domain and tells when the server has failed.
  const post = async (body, leaving) => {
    const url = `${api}/v1/events`;
    const byFetch = "keepalive" in Request.prototype;
    if ((leaving || !byFetch) && navigator.sendBeacon(url, body)) return true;
    if (!byFetch) return false;
    const request = { method: "POST", body, keepalive: true, credentials: "omit" };
    const { status } = await fetch(url, request);
    return status < 500 && status !== 429;
  };

  const failed = [];
  const send = async (events, { leaving, last } = {}) => {
    const now = performance.now();
    const aged = ({ at, ...event }) => ({
      ...event,
      age_ms: Math.min(Math.round(now - at), 3600000),
    });
    const arrived = await post(JSON.stringify(events.map(aged)), leaving).catch(() => false);
    if (arrived || last) return;
    failed.push(...events);
    setTimeout(retry, RETRY_MS);
  };
  const retry = () => {
    if (failed.length) send(failed.splice(0), { last: true });
  };

  const report = (list, slate) => {
    if (!slate) return;
    let view, clicked, seen, firstSeen, enough, timer, observer;

    const event = (type, at, more) => ({ type, view_id: view, slate, ...more, at });
    const impression = (at) => {
      seen = true;
      clearTimeout(timer);
      observer.disconnect();
      const layout = dataset.layout || "bottom";
      return event("impression", at, { session_id: session(), layout });
    };

    // An impression is dated back to when its second began: what is clicked comes after it.
    const tick = () => {
      clearTimeout(timer);
      const since = performance.now();
      if (enough && !seen && document.visibilityState === "visible")
        timer = setTimeout(() => send([impression(since)]), SEEN_MS);
    };
    // Half of the list, or half of the window if the list is taller, has to be in view.
    const watch = () => {
      if (seen) return;
      if (observer) observer.disconnect();
      const height = list.offsetHeight || 1;
      const share = Math.min(height, innerHeight) / 2 / height;
      observer = new IntersectionObserver(
        (changes) => {
          const { isIntersecting, intersectionRatio } = changes[changes.length - 1];
          if (isIntersecting) firstSeen ??= performance.now();
          const before = enough;
          enough = isIntersecting && intersectionRatio >= share;
          if (enough !== before) tick();
        },
        { threshold: [0, share] }
      );
      observer.observe(list);
    };
    const begin = () => {
      view = viewId();
      clicked = new Set();
      seen = enough = false;
      firstSeen = undefined;
      watch();
    };

    const follow = ({ type, button, target }) => {
      const link = target.closest && target.closest("a[href]");
      if (!link || !list.contains(link) || (type === "auxclick" && button !== 1)) return;
      const position = Number(link.dataset.position) || linksIn(list).indexOf(link) + 1;
      if (clicked.has(position)) return;
      clicked.add(position);
      const now = performance.now();
      const before = seen ? [] : [impression(firstSeen ?? now)];
      send([...before, event("click", now, { position })], { leaving: true });
    };

    begin();
    new ResizeObserver(watch).observe(list);
    addEventListener("resize", watch);
    document.addEventListener("visibilitychange", tick);
    // At the window and on the way down, so that no handler of the page's comes first.
    addEventListener("click", follow, true);
    addEventListener("auxclick", follow, true);
    addEventListener("pagehide", retry);
    // The page comes back as it was left: somebody looks at the same list once more.
    addEventListener("pageshow", ({ persisted }) => persisted && begin());
  };

  // The whole of it

  const size = Math.min(parseInt(dataset.k) || 10, 50);
  const { target: selector } = dataset;
  if (selector && document.readyState === "loading")
    await new Promise((ready) => document.addEventListener("DOMContentLoaded", ready));
  const target = selector && document.querySelector(selector);
  if (selector && !target) return;

  const filled = target && linksIn(target).length;
  if (filled && "slate" in target.dataset) {
    report(target, target.dataset.slate);
    return;
  }
  let list =
    target && (target.matches("ol, ul") ? target : filled && target.querySelector("ol, ul"));
  if (list && linksIn(list).length < filled) list = null;
  const frame = make(target && target.closest("nav") ? "div" : "nav", "recommender");
  adoptStyle();
  if (!list && !filled) {
    frame.classList.add("recommender-waiting");
    furnish(frame, placeholders());
    if (target) target.append(frame);
    else script.after(frame);
  }
  const answer = await ask(filled ? PATIENCE_MS.filled : PATIENCE_MS.empty).catch(() => undefined);
  // A list that is about to be used is not pulled away from under the finger.
  if (!answer || (filled && target.matches(":hover, :focus-within"))) {
    frame.remove();
    return;
  }
  hold(list || frame);
  frame.className = "recommender";
  if (target && !list) target.replaceChildren(frame);
  report(list ? fill(list, answer.items) : furnish(frame, answer.items), answer.slate);
})(document.currentScript).catch(() => {});
