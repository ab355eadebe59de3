// Starts GraphiQL on the page at /graphiql. `npm run build` bundles this file with everything that it imports, so the
// page needs no other host.
import { GraphiQL } from "graphiql";
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import "./graphiql.css";

const WORKERS = { graphql: "graphql.worker.js", json: "json.worker.js" };

globalThis.MonacoEnvironment = {
  getWorker(_id, label) {
    const url = new URL(WORKERS[label] ?? "editor.worker.js", import.meta.url);
    url.search = new URL(import.meta.url).search; // the version, so that a cached worker never meets a newer page
    return new Worker(url, { type: "module" });
  },
};

async function fetcher(parameters) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/graphql-response+json, application/json;q=0.9",
    },
    body: JSON.stringify(parameters),
    credentials: "same-origin",
  });
  return response.json();
}

// The browser tab's own storage: what was typed may hold names, and is gone when that tab is closed.
const storage = sessionStorage;

// The tab that was open before a reload; undefined on the first visit. Without it, GraphiQL would look for the text that
// was edited last, and open one more tab if that had just been changed.
function openBefore() {
  try {
    const { tabs, activeTabIndex } = JSON.parse(storage.getItem("graphiql:tabState"));
    return tabs[activeTabIndex];
  } catch {
    return undefined;
  }
}

const root = document.getElementById("graphiql");
const defaultTabs = JSON.parse(root.dataset.tabs);
const start = openBefore() ?? defaultTabs[0];

createRoot(root).render(
  createElement(GraphiQL, {
    fetcher,
    defaultTabs,
    initialQuery: start.query ?? "",
    initialVariables: start.variables ?? "",
    defaultEditorToolsVisibility: "variables", // most operations have some to fill in
    isHeadersEditorEnabled: false, // the session cookie says who asks, so no header is set or kept
    showPersistHeadersSettings: false,
    storage,
  }),
);

// Nobody who signs in next in this browser tab sees what was typed. As the page goes, because GraphiQL stores it late.
const leave = () => addEventListener("pagehide", () => storage.clear());
document.querySelector("form[action='/signout']").addEventListener("submit", leave);
