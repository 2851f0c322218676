// @ts-check
/** What an empty page says: what to do next, with snippets that already name the right endpoint. */

import { h, icon, replace } from "../trace_view/assets/dom.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { copy } from "./shell.js";

/** @param {string} endpoint @returns {[string, string][]} title and code */
export function snippets(endpoint) {
  return [
    [
      "Python",
      `import tracer

tracer.configure(endpoint="${endpoint}", service="my-rag-app")

@tracer.retriever
def search(question: str) -> list[dict]:
    return [{"id": "faq.md#3", "content": "Refunds take five days.", "score": 0.83}]

@tracer.chain
def answer(question: str) -> str:
    return search(question)[0]["content"]

answer("How long do refunds take?")
tracer.flush()`,
    ],
    ["Any OpenTelemetry SDK", `export OTEL_EXPORTER_OTLP_ENDPOINT=${endpoint}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\npython your_app.py`],
    ["Try the demo", "rightpassage demo"],
    ["Import a file", `rightpassage import traces.jsonl --collector ${endpoint}`],
  ];
}

/**
 * @param {HTMLElement} host @param {{title: string, text: string, icon?: readonly string[], endpoint?: string, actions?: Node[]}} content
 */
export function emptyState(host, content) {
  return h(
    "div",
    "empty",
    h("div", "mark", icon(content.icon ?? ICONS.search)),
    h("h2", null, content.title),
    h("p", "muted", content.text),
    content.actions ? h("div", "row", ...content.actions) : null,
    content.endpoint ? snippetBox(host, snippets(content.endpoint)) : null,
  );
}

/** @param {HTMLElement} host @param {[string, string][]} options */
export function snippetBox(host, options) {
  const code = h("pre", { tabindex: "0" });
  const tabs = h("div", { class: "grow", role: "tablist", "aria-label": "Snippets" });
  const copies = h("button", { type: "button", onclick: () => copy(options[chosen][1], host), "aria-label": "Copy the snippet" }, "Copy");
  let chosen = 0;
  const draw = () => {
    replace(
      tabs,
      ...options.map(([title], index) =>
        h("button", { type: "button", role: "tab", "aria-selected": String(index === chosen), onclick: () => ((chosen = index), draw()) }, title),
      ),
    );
    replace(code, options[chosen][1]);
  };
  draw();
  return h("div", "snippets", h("div", "tabs row", tabs, copies), code);
}
