// What makes the pages nicer. All of them work without it.

// Filters apply as soon as they change; empty ones stay out of the address.
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

// On a phone, filters stay folded until they're used, so that the table comes first.
const roomy = matchMedia("(width >= 48rem)");
function fold() {
  for (const box of document.querySelectorAll("[data-choosing]")) box.open = "used" in box.dataset || roomy.matches;
}
roomy.addEventListener("change", fold);
fold();

// "Saved" appears once, and not on each reload of the page or from a bookmark.
const address = new URL(location.href);
if (address.searchParams.has("done")) {
  address.searchParams.delete("done");
  address.searchParams.delete("proof");
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
    button.textContent = button.dataset.copied;
  });
}

// Leaving a changed form asks first. Sending it doesn't, and sends it once.
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
    // A download leaves the page as it is, and can be repeated.
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
// A page that the back button brings back can be sent again, and its filters say what it shows.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form")) {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
  }
  for (const button of document.querySelectorAll("button[data-label]")) button.textContent = button.dataset.label;
  for (const form of document.querySelectorAll("[data-filters]")) {
    for (const field of form.elements) field.disabled = false;
    form.reset();
  }
});

// A page that shows the progress of longer work refreshes by itself.
const working = document.querySelector("[data-again]");
if (working) setTimeout(() => location.reload(), Number(working.dataset.again) * 1000);

// A survey stays in this browser only if the person filling it in asks for that, and only until it's sent, because many
// people may share a device. So nothing of it appears by itself, and it's gone after five days. The form's own key stays
// with it, so that an answer that did arrive isn't counted twice.
const DRAFT = "survey:";
const survey = document.querySelector("[data-survey]");

// A browser may refuse to keep anything for a site, and then throws.
function storage(name) {
  try {
    const found = window[name];
    found.setItem("probe", "");
    found.removeItem("probe");
    return found;
  } catch {
    return null;
  }
}
const device = storage("localStorage");
const tab = storage("sessionStorage");

function drafted(key) {
  try {
    const draft = JSON.parse(device.getItem(key));
    const age = Date.now() - draft.at;
    return age >= 0 && age < 5 * 24 * 3600 * 1000 ? draft.fields : null;
  } catch {
    return null;
  }
}

for (const key of Object.keys(device ?? {})) {
  if (key.startsWith(DRAFT) && !drafted(key)) device.removeItem(key);
}

// Which survey arrived, and when: a page of it that was opened earlier no longer shows its answers.
const sent = tab?.getItem("sent");
if (sent && location.pathname === "/done/feedback") {
  device?.removeItem(sent);
  tab.setItem(`arrived:${sent}`, Date.now());
}
tab?.removeItem("sent");

if (survey) {
  const draft = DRAFT + survey.dataset.survey;
  const offer = survey.querySelector("[data-kept]"); // neither is there for who is signed in
  const keep = survey.querySelector("[data-keep] input");
  const progress = survey.querySelector("progress");
  let opened = Date.now();
  let left = false; // by sending it
  // When the form was handed out, what it tells, and whether it's kept, belong to this page alone.
  const own = ["begun", "notice", "keep"];

  function fields() {
    return [...new FormData(survey)].filter(([name, value]) => !own.includes(name) && value);
  }

  function show() {
    const answered = new Set(fields().map(([name]) => name).filter((name) => name.startsWith("answer-"))).size;
    progress.value = answered;
    const box = progress.closest(".progress");
    box.querySelector("label").textContent = box.dataset.told.replace("#", answered);
  }

  function fill(values) {
    for (const [name, value] of values) {
      for (const field of survey.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
        if (["radio", "checkbox"].includes(field.type)) field.checked = field.value === value;
        else field.value = value;
      }
    }
    show();
  }

  // Make the form ready for the next person, even if it came back with answers and problems.
  function empty() {
    for (const told of document.querySelectorAll(".problems, .problem")) told.remove();
    for (const field of survey.elements) {
      field.removeAttribute("aria-invalid");
      if (field.type === "radio" || field.type === "checkbox") field.checked = false;
      else if (!own.includes(field.name)) field.value = "";
    }
    const key = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0"));
    fill([["share", "no"], ["requestKey", key.join("")]]);
    opened = Date.now();
  }

  addEventListener("pageshow", () => {
    // If nobody can tell what arrived, typing it again is better than letting others read it.
    if (tab ? Number(tab.getItem(`arrived:${draft}`)) >= opened : left) empty();
    left = false;
    if (offer) offer.hidden = keep.checked || "returned" in survey.dataset || !drafted(draft);
  });
  if (keep && device) {
    keep.closest("[data-keep]").hidden = false;
    offer.querySelector("[data-continue]").addEventListener("click", () => {
      fill(drafted(draft) ?? []);
      keep.checked = true;
      offer.hidden = true;
    });
    offer.querySelector("[data-discard]").addEventListener("click", () => {
      device.removeItem(draft);
      offer.hidden = true;
    });
    keep.addEventListener("change", () => {
      offer.hidden = true;
      if (!keep.checked) device.removeItem(draft);
    });
  }
  survey.addEventListener("input", () => {
    show();
    if (keep?.checked) device.setItem(draft, JSON.stringify({ at: Date.now(), fields: fields() }));
  });
  survey.addEventListener("submit", () => {
    left = true;
    tab?.setItem("sent", draft);
  });
  survey.querySelector(".progress").hidden = false;
  show();
}
