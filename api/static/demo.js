// Draws the list of this page from the API; without it the page stays readable.
const list = document.getElementById("related");
fetch("/v1/related?id=" + encodeURIComponent(list.dataset.id))
  .then((response) => {
    if (!response.ok) throw new Error("the list answered " + response.status);
    return response.json();
  })
  .then((answer) => {
    for (const item of answer.items) {
      const entry = document.createElement("li");
      const link = document.createElement("a");
      const teaser = document.createElement("span");
      link.textContent = item.title;
      if (item.url) link.href = item.url;
      teaser.textContent = item.teaser;
      entry.append(link, teaser);
      list.append(entry);
    }
    document.getElementById("model").textContent =
      "drawn from the API, bundle " + answer.model;
  })
  .catch((error) => {
    document.getElementById("model").textContent = String(error.message);
  });
if (location.hash === "#before") document.querySelector("details").open = true;
