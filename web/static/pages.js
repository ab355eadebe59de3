// What makes the pages nicer. All of them work without it.

// Filters apply as soon as they change; what is empty stays out of the address.
for (const form of document.querySelectorAll("[data-filters]")) {
  form.addEventListener("change", (event) => {
    if (event.target.type !== "search") form.requestSubmit();
  });
  form.addEventListener("submit", () => {
    const sorted = form.querySelector("[name$=sort]")?.value;
    for (const field of form.elements) {
      const usual = field.value === field.dataset.usual;
      const idle = field.name.endsWith("dir") && !sorted;
      if (!field.value || usual || idle) field.disabled = true;
    }
  });
}

// On a phone what can be filtered stays folded until it is used, so that the table comes first.
const roomy = matchMedia("(width >= 48rem)");
function fold() {
  for (const box of document.querySelectorAll("[data-choosing]")) box.open = "used" in box.dataset || roomy.matches;
}
roomy.addEventListener("change", fold);
fold();

// "Saved" is said once, not at each reload of the page or from a bookmark.
const address = new URL(location.href);
if (address.searchParams.has("done")) {
  address.searchParams.delete("done");
  history.replaceState(null, "", address);
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    await navigator.clipboard.writeText(field.value);
    button.textContent = "Copied";
  });
}

// Leaving a form that was changed asks first; sending it does not, and sends it once.
let unsaved = false;
addEventListener("beforeunload", (event) => {
  if (unsaved) event.preventDefault();
});
for (const form of document.querySelectorAll("form[method=post]")) {
  if ("unsaved" in form.dataset) form.addEventListener("input", () => (unsaved = true));
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    const button = event.submitter;
    // A download leaves the page as it is, and can be had again.
    if ("download" in form.dataset || (button && "download" in button.dataset)) return;
    form.dataset.sent = "yes";
    unsaved = false;
    const busy = button?.dataset.busy ?? form.dataset.busy;
    if (busy && button) {
      form.setAttribute("aria-busy", "true");
      button.dataset.label = button.textContent;
      button.textContent = busy;
    }
  });
}
// A page that the back button brings back can be sent anew, and its filters say what it shows.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form")) delete form.dataset.sent;
  for (const form of document.querySelectorAll("[data-filters]")) {
    for (const field of form.elements) field.disabled = false;
    form.reset();
  }
});

// A page that shows how far long work has come looks again by itself.
const working = document.querySelector("[data-again]");
if (working) setTimeout(() => location.reload(), Number(working.dataset.again) * 1000);

// A survey that is begun stays in this browser until it is sent, for a connection can drop. The form's own key stays
// with it, so that an answer that did arrive is not counted twice. After five days it is thrown away.
const DRAFT = "survey:";
const draft = DRAFT + location.pathname;
const survey = document.querySelector("[data-survey]");

function drafts() {
  return Object.keys(localStorage).filter((key) => key.startsWith(DRAFT));
}

for (const key of drafts()) {
  const sent = key === sessionStorage.getItem("sent") && location.pathname === "/done/feedback";
  const old = Date.now() - (JSON.parse(localStorage.getItem(key)).at ?? 0) > 5 * 24 * 3600 * 1000;
  if (sent || old || (key === draft && !survey)) localStorage.removeItem(key);
}

if (survey) {
  const kept = survey.querySelector(".kept");
  const progress = survey.querySelector("progress");

  function fields() {
    // When the form was handed out is this page's own affair.
    return [...new FormData(survey)].filter(([name, value]) => name !== "begun" && typeof value === "string" && value);
  }

  function show() {
    const answered = new Set(fields().map(([name]) => name).filter((name) => name.startsWith("answer-"))).size;
    progress.value = answered;
    survey.querySelector(".progress span").textContent = `${answered} of ${progress.max}`;
  }

  const stored = localStorage.getItem(draft);
  if (stored && !("returned" in survey.dataset)) {
    for (const [name, value] of JSON.parse(stored).fields) {
      for (const field of survey.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
        if (field.type === "radio") field.checked = field.value === value;
        else field.value = value;
      }
    }
    kept.hidden = false;
  }
  kept.querySelector("button").addEventListener("click", () => {
    localStorage.removeItem(draft);
    location.reload();
  });
  survey.addEventListener("input", () => {
    localStorage.setItem(draft, JSON.stringify({ at: Date.now(), fields: fields() }));
    show();
  });
  survey.addEventListener("submit", () => sessionStorage.setItem("sent", draft));
  survey.querySelector(".progress").hidden = false;
  show();
}
