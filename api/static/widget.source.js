// Puts the list of related articles on any page, and reports what was seen and followed.
//
// docs/site.md names the options and the ways to load it. What pages get is widget.js, which
// `make widget` makes of this file: nothing that is written here alone reaches a reader.
//
// No cookie; nothing stored without consent; no style attributes and no HTML out of strings, so
// a strict Content-Security-Policy that names the API in script-src and connect-src will do. It may
// be pasted into a page: it holds nothing that would end a script element.
//
// What only some pages ask for is in widget-more.js: cards, rows, pictures, dates, and headings in
// other languages than English.
//
// A place is an element that a list belongs to: one that was mounted, one with data-recommender,
// one that a tag names, or a script tag itself, whose list stands behind it. Pages are rebuilt by
// Turbo, htmx, routers and tag managers, each in its own way. So after every change of the page
// `survey` looks which places there are, and starts, stops and mends what differs.
(async () => {
  const script = document.currentScript;
  // A module has no current script, but its address stands in a trace.
  const [trace] = /https?:[^\s()]+?(?=(:\d+)+\)?$)/m.exec(new Error().stack) || [];
  const source = script ? script.src : trace;
  if (window.recommender?.load) return window.recommender.load(script, source);

  const STYLE = "list.css"; // of recommender/lists
  // In view for so long is an impression, away for so long the end of a view; and by then a page
  // has its places.
  const SECOND_MS = 1000;
  const PATIENCE_MS = 5000;
  const FILLED_PATIENCE_MS = 800;
  const RETRY_MS = 2000;
  const SOON_MS = 50; // who rebuilds a page does so in steps, the address among them
  const RETURNS = 9; // so often in a second a list is put back that somebody takes away
  const ROOM = 99; // pixels: an element of this height keeps room for a list
  const PERCENT = 100; // how finely it is observed how much of a list is in view
  const GAP = 48; // pixels: below a list it is a hole

  const lists = new Map(); // by place: what it was started with, and its frame or the page's list
  const mounted = new Map(); // options by place
  const tags = new Map(); // script tags, and at which address they named their article
  const known = new Map(); // answers by the mark of what shows them, in copies of it too
  const sources = new Set(); // addresses of this script
  const warned = new Set();
  const failed = []; // events that did not arrive
  let home, timer, canonical, canonicalAt, sheet, others, at;
  let visit; // the answers whose places went since the address changed, for those that come instead

  const warn = (text) => {
    if (!warned.has(text)) console.warn(`recommender: ${text}`);
    warned.add(text);
  };
  const linksIn = (place) => [...place.querySelectorAll("a[href]")];
  const random = (size) => [...crypto.getRandomValues(new Uint32Array(size))];
  const hex = (size) =>
    random(size).map((part) => part.toString(16).padStart(8, "0")).join("");

  // Asking

  // Addresses that differ in the reader's way here alone are one.
  const path = ({ pathname, search } = location) =>
    (pathname + search).replace(/[?&](utm_\w+|\w+clid)=[^&]*|\/$/g, "");

  // The canonical address, unless it was left behind by another page.
  const page = () => {
    const { href } = document.querySelector("link[rel~=canonical]") || {};
    if (canonical !== href) [canonical, canonicalAt] = [href, path()];
    return href && canonicalAt === path() ? href : location.href.split("#")[0];
  };

  const inTime = (promise, patience) =>
    Promise.race([promise, new Promise((_, fail) => setTimeout(fail, patience, "too slow"))]);

  const ask = async (api, { id, url }, size, patience) => {
    const query = new URLSearchParams(id ? { id } : { url: url || page() });
    const about = `${api}/v1/related?${query}`;
    const get = async () => {
      const asked = `${about}&k=${size}&variant=${random(1)[0] % 100}`;
      const answer = await fetch(asked, { credentials: "omit" });
      if (!answer.ok) throw answer.status;
      return answer.json();
    };
    try {
      const { items, slate, article_id } = await inTime(get(), patience);
      const good = items.filter((item) => item?.title);
      if (!article_id || !good[0]) warn(`${about}: unknown page; give data-id`);
      return good[0] && { items: good, slate };
    } catch (error) {
      warn(`${about}: ${error}. Check data-api, and CSP's connect-src`);
    }
  };

  // Drawing

  const make = (tag, className, content = "", more) => {
    const element = Object.assign(document.createElement(tag), { className, ...more });
    element.append(content);
    return element;
  };

  // The address of a link, or undefined where there is none or it is none: "javascript:".
  const address = (url) => {
    try {
      const { protocol, href } = new URL(url, document.baseURI);
      if (url && /^https?:$/.test(protocol)) return href;
    } catch {}
  };

  // The entries of our own list. What is done to a list of the page's own, and to pictures and
  // dates, is in widget-more.js.
  const entry = (item, place, lang) => {
    const { title, teaser, language } = item;
    const spoken = { dir: "auto" };
    if (language) spoken.lang = `${lang}-`.startsWith(`${language}-`) ? lang : language;
    const href = address(item.url);
    const name = make("span", "recommender-title", title, spoken);
    const line = make(href ? "a" : "span", "", name, { href });
    line.dataset.position = item.position || place + 1;
    const box = make("div", "recommender-item", line);
    if (teaser) box.append(" ", make("span", "recommender-teaser", teaser, spoken));
    return make("li", "", box);
  };

  // The heading and the list in a frame of our own.
  const furnish = (frame, items, data, lang, more) => {
    const usual = more?.heading(lang) || "Related articles";
    const text = data.heading ?? usual;
    const list = make("ol", "recommender-list", "", { role: "list" });
    const heading = make("h2", "", make("span", "recommender-heading", text));
    frame.replaceChildren(text && heading, list);
    if (frame.localName === "nav") {
      // Landmarks of one page have names of their own.
      const isTaken = (nav) => nav !== frame && nav.ariaLabel === label;
      let label = text || usual;
      while ([...document.querySelectorAll("nav")].some(isTaken)) label += " 2";
      frame.setAttribute("aria-label", label);
    }
    list.append(...items.map((item, place) => entry(item, place, lang)));
    more?.adorn(list, items, data, lang);
    return list;
  };

  // Reporting

  const session = ({ consent }) => {
    if (!/^(true|granted)$/.test(consent) || navigator.globalPrivacyControl) return;
    try {
      const id = sessionStorage.getItem("recommender") || hex(4);
      sessionStorage.setItem("recommender", id);
      return id;
    } catch {}
  };

  // A click leaves the page, which sendBeacon is made to outlive. Impressions go by fetch, which
  // sends no cookies of the API's domain and tells when the server has failed.
  const send = async (api, events, leaving, last) => {
    const url = `${api}/v1/events`;
    const now = performance.now();
    const aged = ({ at, ...event }) => ({
      ...event,
      age_ms: Math.min(Math.round(now - at), 3600000),
    });
    const body = JSON.stringify(events.map(aged));
    try {
      const byBeacon = leaving || !("keepalive" in Request.prototype);
      if (byBeacon && navigator.sendBeacon(url, body)) return;
      const request = { method: "POST", body, keepalive: true, credentials: "omit" };
      const { ok, status } = await fetch(url, request);
      if (!ok) throw Error(status);
    } catch ({ message }) {
      warn(`${url}: ${message}. Does it allow this origin?`);
      if (last || /^4(?!29)/.test(message)) return;
      failed.push([api, events]);
      setTimeout(retry, RETRY_MS);
    }
  };
  const retry = () => {
    for (const [api, events] of failed.splice(0)) send(api, events, false, true);
  };

  const report = (list, answer, api, one) => {
    one.answer = answer;
    visit.delete(answer);
    let { slate, view } = answer;
    if (!slate) return;
    const { signal } = one.life;
    // Who makes a place anew, or moves it, shows the same view; after a while, another one.
    if (view?.visit !== visit || performance.now() - answer.left > SECOND_MS)
      view = answer.view = {
        visit,
        // Ids that begin with the time lie together in the store's index, and are written faster.
        id: "0" + Date.now().toString(16) + hex(3).slice(4),
        clicked: new Set(),
      };
    let firstSeen, enough, soon, observer;

    const event = (type, at, more) => ({ type, view_id: view.id, slate, ...more, at });
    const rest = () => {
      clearTimeout(soon);
      observer?.disconnect();
    };
    const impression = (at) => {
      view.seen = true;
      rest();
      const layout = one.data.layout || "bottom";
      return event("impression", at, { session_id: session(one.data), layout });
    };

    // An impression is dated back to when its second began: what is clicked comes after it.
    const tick = () => {
      clearTimeout(soon);
      const since = performance.now();
      if (enough && !view.seen && document.visibilityState === "visible")
        soon = setTimeout(() => send(api, [impression(since)]), SECOND_MS);
    };
    const follow = (click) => {
      const link = click.composedPath().find((part) => part.href);
      if (!list.contains(link) || click.button > 1) return;
      const position = +link.dataset.position || linksIn(list).indexOf(link) + 1;
      if (view.clicked.has(position)) return;
      view.clicked.add(position);
      const now = performance.now();
      const before = view.seen ? [] : [impression(firstSeen ?? now)];
      send(api, [...before, event("click", now, { position })], true);
    };

    signal.onabort = rest;
    document.addEventListener("visibilitychange", tick, { signal });
    // At the window and on the way down, so that no handler of the page's comes first.
    for (const type of ["click", "auxclick"])
      list.ownerDocument.defaultView.addEventListener(type, follow, { signal, capture: true });
    // Half of the list, or half of the window if the list is taller, has to be in view. Browsers
    // that lack an observer report clicks all the same.
    const look = (changes) => {
      const { isIntersecting, intersectionRect, boundingClientRect } = changes.pop();
      if (isIntersecting) firstSeen ??= performance.now();
      const before = enough;
      const least = Math.min(boundingClientRect.height, innerHeight);
      enough = isIntersecting && intersectionRect.height * 2 >= least;
      if (enough !== before) tick();
    };
    const threshold = [...Array(PERCENT).keys()].map((part) => part / PERCENT);
    observer = new IntersectionObserver(look, { threshold });
    if (!view.seen) observer.observe(list);
  };

  // One place

  const drop = (one) => {
    one.frame?.remove();
    one.frame = null;
  };
  const stop = (place) => {
    const { life, answer } = lists.get(place);
    life.abort();
    lists.delete(place);
    if (answer) {
      answer.left = performance.now();
      visit.add(answer);
    }
  };
  const isTag = (place) => place.localName === "script";
  const put = (place, frame) => (isTag(place) ? place.after(frame) : place.append(frame));
  const mayReturn = (what) => {
    const { returns = 0 } = what;
    if (returns === RETURNS)
      return warn("the list is removed again and again");
    what.returns = returns + 1;
    return setTimeout(() => what.returns--, SECOND_MS);
  };
  // A morph takes our frame away: it is put back before anybody sees that.
  const mend = (place, one) => {
    const isLost = one.frame && !one.frame.isConnected && place.isConnected;
    if (isLost && mayReturn(one)) put(place, one.frame);
  };

  // Did our looks get there? Old browsers cannot, nor can another document.
  const adoptStyle = (root) => {
    try {
      if (!sheet) (sheet = new CSSStyleSheet()).replaceSync(STYLE);
      const sheets = root.adoptedStyleSheets;
      if (!sheets.includes(sheet)) root.adoptedStyleSheets = [...sheets, sheet];
      return true;
    } catch {}
  };

  const edges = (element) => element.getBoundingClientRect();
  const isInView = (element) => edges(element).top < innerHeight;
  // What only some pages ask for.
  const extend = async (api, patience) => {
    const url = `${api}/widget-more.js`;
    try {
      const more = await inTime(import(url), patience);
      sheet?.replaceSync(STYLE + more.style);
      return more;
    } catch (error) {
      warn(`${url}: ${error}.`);
    }
  };

  const start = async (place, one, api) => {
    const { key, data } = one;
    const { signal } = one.life;
    const mark = hex(2);
    const size = Math.max(1, Math.min(~~data.k || 10, 50));
    // A frame that is there came with a copy of the page (Turbo, htmx), or back with its place.
    const inside = ":scope > .recommender";
    const old = isTag(place) ? place.nextElementSibling : place.querySelector(inside);
    const found = old?.dataset.recommenderMark && old;
    const filled = found ? 0 : linksIn(place).length;
    const lang = (place.closest("[lang]") || document.documentElement).lang.replace(/_/g, "-");
    let list = place.matches("ol, ul") ? place : filled && place.querySelector("ol, ul");
    if (list && linksIn(list).length < filled) list = null;

    // What shows an answer already is reported as it stands, and so is what the server rendered
    // with the token of its answer. A place that comes instead of one that went has what that had.
    const before = known.get((found || list || place).dataset.recommenderMark);
    const kept = [before, ...visit].find((answer) => answer?.key === key);
    const there = list || found?.querySelector(".recommender-list");
    if (kept === before && there?.firstChild && kept) {
      Object.assign(one, { frame: found, list });
      return report(there, kept, api, one);
    }
    const { slate } = place.dataset;
    if (filled && slate !== undefined) return report(place, kept || { key, slate }, api, one);

    const frame = found || make(place.closest("nav") ? "div" : "nav", "recommender");
    frame.dataset.recommenderMark = mark;
    const isStyled = adoptStyle(place.getRootNode());
    if (!list && !filled) {
      one.frame = frame;
      frame.classList.add("recommender-waiting");
      if (!found) put(place, frame);
      // Until the list comes, an invisible one of rather long titles keeps its room, unless the
      // place has its own, or what is below is there already and would jump now as it would then.
      const title = "words ".repeat(9);
      const words = { title, teaser: title };
      const last = [...document.querySelectorAll("*")].pop();
      const isPainted = performance.getEntriesByType("paint")[0] && isInView(frame);
      const isLate = isPainted && last !== frame && last !== script;
      if (!found && isStyled && !isLate && place.offsetHeight < ROOM)
        furnish(frame, Array(data.look === "row" ? 3 : size).fill(words), data, lang);
    }
    // Who mounts, unmounts and mounts again (React) asks once.
    if (!kept) await 0;
    if (signal.aborted) return;
    const patience = filled ? FILLED_PATIENCE_MS : PATIENCE_MS;
    const asked = kept?.items ? kept : ask(api, data, size, patience);
    const { look, images = false, dates = false } = data;
    const isEnglish = data.heading || /^(en|$)/i.test(lang);
    const isPlain = isEnglish && /^(list)?,false,false$/.test([look, images, dates]);
    // A list of the page's own is not filled without, and if there is nothing to fill it with, that
    // is the one warning.
    const more = (list ? await asked : !isPlain) ? await extend(api, patience) : null;
    const answer = await asked;
    if (signal.aborted) return;
    // A list that is about to be used is not pulled away from under the finger.
    if (!answer || (list && !more) || (filled && place.matches(":hover, :focus-within")))
      return drop(one);
    const { items } = answer;
    const shown = list || frame;
    // What is in view keeps its height, so that nothing below it jumps.
    shown.style.minHeight = isInView(shown) ? `${shown.offsetHeight}px` : "";
    one[list ? "list" : "frame"] = shown;
    if (!list && !isTag(place)) place.replaceChildren(frame);
    const drawn = list || furnish(frame, items, data, lang, more);
    if (list) more.fill(list, items, data, lang);
    frame.className = more && look ? `recommender recommender-${look}` : "recommender";
    // A full list fills its room, others stand at the top of it.
    if (!look && items.length >= size) drawn.style.flexGrow = 1;
    shown.dataset.recommenderMark = mark;
    answer.key = key;
    known.set(mark, answer);
    report(drawn, answer, api, one);
    const box = isTag(place) ? shown : place;
    if (edges(box).bottom - edges(drawn).bottom > GAP)
      (await extend(api, patience))?.close(box, shown, signal);
  };

  const refresh = (place, data, src) => {
    const { recommenderMark, consent, ...asked } = data;
    const key = JSON.stringify([
      data.id || data.url || path(new URL(page())),
      asked,
      place.dataset.slate,
    ]);
    const one = lists.get(place);
    if (one?.key === key) {
      one.data = data;
      if (!one.list || one.list.isConnected || !mayReturn(one.answer)) return;
    }
    if (one) stop(place);
    const api = data.api || (src ? new URL(src).origin : home);
    if (!api) return warn("no data-api");
    const next = { key, data, life: new AbortController() };
    lists.set(place, next);
    start(place, next, api.replace(/\/+$/, "")).catch((error) => {
      warn(error);
      if (!next.answer) drop(next);
    });
  };

  // The whole page

  const survey = (isLate) => {
    const missing = (why) =>
      isLate && warn(`no place for a list${why}. Add <div data-recommender>`);
    timer = 0;
    if (at !== path()) {
      at = path();
      visit = new Set();
    }
    const isReady = document.readyState !== "loading";
    const wanted = new Map();
    const want = (place, ...how) => place.isConnected && wanted.set(place, how);
    const places = document.querySelectorAll("[data-recommender]");
    // A tag that served other places is none itself, on pages without any either.
    others ||= places.length + mounted.size;
    if (isReady) places.forEach((place) => want(place, place.dataset));
    for (const tag of document.querySelectorAll("script[src]"))
      if (sources.has(tag.src) && !tags.has(tag)) tags.set(tag, {});
    for (const [tag, was] of tags) {
      const { dataset, src, isConnected } = tag;
      const { id, url, target } = dataset;
      if (was.id !== id) Object.assign(was, { id, at, strange: 0 });
      if (target) {
        let place;
        try {
          place = isReady && document.querySelector(target);
        } catch {}
        // The id is another page's if the address has changed since, and the place is new.
        if (id && place && was.at !== at && !lists.has(place)) was.strange = place;
        const isStrange = was.strange === place;
        if (!isConnected && (!place || isStrange)) tags.delete(tag);
        else if (place) want(place, isStrange ? { ...dataset, id: "" } : dataset, src);
        else missing(`: nothing matches data-target="${target}"`);
      } else if (!isConnected) tags.delete(tag);
      else if (tag.closest("body")) {
        if (id || url || (isReady && !others)) want(tag, dataset, src);
      } else if (!others && !lists.size) missing(": its tag is not in the body");
    }
    mounted.forEach((data, place) => want(place, data));
    for (const [place, one] of lists)
      if (!wanted.has(place)) {
        if (place.isConnected) drop(one);
        stop(place);
      }
    for (const [place, [data, src]] of wanted) refresh(place, data, src);
    if (!wanted.size && !tags.size) missing("");
  };
  const mount = (place, data) => {
    const own = { ...place?.dataset, ...data };
    if (place?.dataset) mounted.set(place, own);
    else warn("mount: no element");
    survey();
    // Who mounted it again since means to keep it.
    return () => mounted.get(place) === own && unmount(place);
  };
  const unmount = (place) => {
    mounted.delete(place);
    delete place?.dataset?.recommender;
    survey();
  };
  const load = (tag, src) => {
    // A tag in a bundle is ours only if it says something.
    const isOurs = /widget\.js\b/.test(src);
    if (isOurs) sources.add(src);
    if (isOurs || (tag && src)) home ??= new URL(src).origin;
    const { id, url, target } = tag?.dataset || {};
    const says = (id ?? url ?? target) != null;
    if (tag && (isOurs || says)) tags.set(tag, {});
    survey();
  };
  const ready = () => {
    survey();
    setTimeout(survey, SECOND_MS, true);
  };

  window.recommender = { mount, unmount, load };
  load(script, source);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
  else ready();
  new MutationObserver(() => {
    for (const [place, one] of lists) mend(place, one);
    timer ||= setTimeout(survey, SOON_MS);
  }).observe(document, {
    childList: true,
    subtree: true,
    attributeFilter: ["data-id", "data-url", "data-recommender"],
  });
  addEventListener("pagehide", retry);
  // The page comes back as it was left: somebody looks at the same lists once more.
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) {
      at = 0;
      for (const place of lists.keys()) stop(place);
    }
    survey();
  });
})();
