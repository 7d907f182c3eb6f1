// What only some pages ask the widget for: cards, rows, pictures, dates, headings in many languages.
//
// widget.js imports it; what pages get is widget-more.js, which `make widget` makes of this file, of
// cards.css and of headings.json (both in recommender/lists). Without it a list is plain.

export const style = "cards.css";
const HEADINGS = new Map(Object.entries("headings.json"));
const LOOKS = ["list", "cards", "row"];

// From the whole tag of a language to its first part.
export const heading = (lang) => {
  for (let tag = lang.toLowerCase(); tag; tag = tag.replace(/-?[^-]*$/, ""))
    if (HEADINGS.has(tag)) return HEADINGS.get(tag);
};

const make = (tag, className, textContent, more) =>
  Object.assign(document.createElement(tag), { className, textContent, ...more });
const isOn = (option) => /^(true|)$/.test(option);

// The address of a picture, or undefined where there is none or it is none: "javascript:".
const address = (url) => {
  try {
    const { protocol, href } = new URL(url, document.baseURI);
    if (url && /^https?:$/.test(protocol)) return href;
  } catch {}
};

const picture = (url) => {
  const frame = make("span", "recommender-image", "");
  const src = address(url);
  if (src) {
    // Its text is empty: it stands in the link beside the title, which says what is there.
    const image = make("img", "", "", {
      alt: "",
      loading: "lazy",
      decoding: "async",
      referrerPolicy: "no-referrer",
      // The tile behind it stays.
      onerror: () => image.remove(),
      src,
    });
    frame.append(image);
  }
  return frame;
};

// The day that was written, whatever its zone, as the page's language has it.
const date = (given, lang) => {
  try {
    const [day] = /^\d{4}-\d\d-\d\d/.exec(given);
    const format = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeZone: "UTC" });
    return make("time", "recommender-date", format.format(new Date(day)), { dateTime: given });
  } catch {
    return "";
  }
};

// Puts pictures and dates into the entries of a list. Cards and rows show pictures unless they are
// asked not to.
export const adorn = (list, items, { look, images, dates }, lang) => {
  if (look && !LOOKS.includes(look))
    console.warn(`recommender: data-look="${look}" is none of ${LOOKS.join(", ")}`);
  // One picture among many links would make tiles of all others.
  const pictures = items.filter(({ image }) => address(image));
  const isPictured =
    isOn(images ?? (look && look !== "list")) && pictures[0] && pictures.length * 2 >= items.length;
  for (const [place, { image, published_at }] of items.entries()) {
    const row = list.children[place];
    const box = row.querySelector(":scope > .recommender-item") || row;
    if (isPictured) {
      box.classList.add("recommender-pictured");
      box.firstElementChild.prepend(picture(image));
    }
    if (isOn(dates)) box.append(" ", date(published_at, lang || []));
  }
};

// Fills a list of the page's own. Its links look like those that were there.
export const fill = (list, items, data, lang) => {
  const link = list.querySelector("li a[href]");
  const like = link?.closest("li");
  const isBare = like && like.textContent.trim() === link.textContent.trim();
  const rows = items.map(({ title, teaser, language, url, position }, place) => {
    const spoken = { dir: "auto" };
    if (language) spoken.lang = `${lang}-`.startsWith(`${language}-`) ? lang : language;
    const href = address(url);
    const name = link?.className ?? "recommender-title";
    const line = make(href ? "a" : "span", name, title, { href, ...spoken });
    line.dataset.position = position || place + 1;
    const row = make("li", like?.className ?? "recommender-item", "");
    row.append(line);
    if (teaser && !isBare)
      row.append(" ", make("span", "recommender-teaser", teaser, spoken));
    return row;
  });
  list.replaceChildren(...rows);
  adorn(list, items, data, lang);
};

// Layout shifts below a tenth are called good (https://web.dev/articles/cls).
const FEW = 0.08;

// The room that a list leaves free below it is given back: at once if next to nothing that is seen
// moves, else as soon as nobody sees it. `box` is what keeps the room, the page's own place or, like
// `shown`, our frame.
export const close = (box, shown, signal) => {
  const parts = [box, shown].map(({ style }) => [style, style.minHeight]);
  const keep = (height) => parts.forEach(([style, own]) => (style.minHeight = height ?? own));
  const next = [...document.querySelectorAll("body *")].find(
    (other) => box.compareDocumentPosition(other) === 4 && other.offsetHeight
  );
  const bottom = (element = box) => element.getBoundingClientRect().bottom;
  const top = () => next?.getBoundingClientRect().top;
  const [end, begin] = [bottom(), top()];
  keep(0);
  const free = end - bottom();
  const moves = top() !== begin;
  keep();
  // How much of the window moves, and how far: the layout shift if the room went now.
  const shift = () => {
    const [from, page] = [bottom(), bottom(document.documentElement)];
    const last = Math.min(innerHeight, page);
    const before = Math.max(0, last - from);
    const after = Math.max(0, Math.min(innerHeight, page - free) - (from - free));
    const part = Math.min(before + after, Math.max(0, last - (from - free)));
    return (part / innerHeight) * Math.min(1, free / innerHeight);
  };
  const settle = () => {
    // Browsers that anchor what is in view do not move it when something above it goes.
    const isAbove = bottom() <= 0 && CSS.supports("overflow-anchor", "auto");
    if (!moves || isAbove || shift() < FEW) keep(0);
  };
  settle();
  addEventListener("scroll", settle, { signal, capture: true, passive: true });
};
