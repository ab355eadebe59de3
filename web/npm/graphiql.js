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

const defaultQuery = `# You ask as an administrator. The
# docs on the left list all that you
# may read and do. Reading who gave
# feedback is logged.
{
  me {
    __typename
  }
}
`;

createRoot(document.getElementById("graphiql")).render(
  createElement(GraphiQL, {
    fetcher,
    defaultQuery,
    isHeadersEditorEnabled: false, // the session cookie says who asks, so no header is set or kept
    showPersistHeadersSettings: false,
    storage: sessionStorage, // queries may hold names: they are gone with the tab, not kept by the browser
  }),
);
