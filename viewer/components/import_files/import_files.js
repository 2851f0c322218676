// @ts-check
/** The import page: drop trace files anywhere on it; each is sent in pieces and says what was new and what was there already. */

import { append, h, icon, replace } from "../trace_view/assets/dom.js";
import { bytes, counted, oneLine } from "../trace_view/assets/format.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { snippetBox } from "../base/empty.js";
import { ApiError, api, fillViewport, link, mountable } from "../base/shell.js";
import { pieces } from "./pieces.js";
import sheet from "./import_files.css.js";

/** @param {HTMLElement} host @param {{api: string, endpoint: string}} settings */
function create(host, settings) {
  const input = /** @type {HTMLInputElement} */ (h("input", { type: "file", multiple: true, class: "visually-hidden", "aria-label": "Trace files", tabindex: "-1", onchange: () => take(input.files) }));
  const list = h("div", { class: "files", "aria-live": "polite" });
  const zone = h(
    "div",
    { class: "zone" },
    h("div", "mark", icon(ICONS.download)),
    h("h2", null, "Drop trace files here"),
    h("p", "muted", "OTLP as JSON, JSON lines or protobuf, from rightpassage export, the OpenTelemetry Collector's file exporter or another tool; .gz too. A span that is here already is kept once."),
    h("button", { type: "button", class: "button primary", onclick: () => input.click() }, "Choose files"),
    input,
  );
  const page = h("div", "import-page", zone, list, h("section", "panel more", h("h3", null, "From a terminal"), snippetBox(host, [["Import", `rightpassage import traces.jsonl --collector ${settings.endpoint}`], ["Export", `rightpassage export --format otlp-jsonl -o traces.jsonl --collector ${settings.endpoint}`]])));
  replace(host, page);
  const unfit = fillViewport(page);

  /** @param {FileList | null | undefined} files */
  async function take(files) {
    for (const file of [...(files ?? [])]) await send(file);
    input.value = "";
  }

  /** @param {File} file */
  async function send(file) {
    const bar = h("i", { style: { width: "0%" } });
    const said = h("span", "muted", "sending …");
    const line = h("div", "file", icon(ICONS.prompt), h("span", "clip name", oneLine(file.name, 100)), h("span", "muted", bytes(file.size)), h("span", "progress", bar), said);
    list.prepend(line);
    let sent = 0;
    const sum = { spans: 0, duplicates: 0, scores: 0 };
    try {
      for await (const { body, type } of pieces(file)) {
        const answer = await api(`${settings.api}/import`, {}, { method: "POST", headers: { "content-type": type }, body });
        for (const key of /** @type {(keyof typeof sum)[]} */ (Object.keys(sum))) sum[key] += answer[key] ?? 0;
        sent += body.size;
        bar.style.setProperty("width", `${Math.min(100, (100 * sent) / Math.max(1, file.size))}%`);
      }
      line.classList.add("done");
      bar.style.setProperty("width", "100%");
      replace(said, `${counted(sum.spans, "new span")}${sum.duplicates ? `, ${counted(sum.duplicates, "span")} here already` : ""}${sum.scores ? `, ${counted(sum.scores, "score")}` : ""}`);
      append(line, [link("/traces", { class: "button" }, "Show traces")]);
    } catch (error) {
      line.classList.add("failed");
      replace(said, error instanceof ApiError ? oneLine(error.message, 240) : "this file cannot be read");
    }
  }

  const over = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    zone.classList.add("over");
  };
  const leave = () => zone.classList.remove("over");
  const drop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    leave();
    take(event.dataTransfer?.files);
  };
  document.addEventListener("dragover", over);
  document.addEventListener("dragleave", leave);
  document.addEventListener("drop", drop);
  return {
    destroy() {
      unfit();
      document.removeEventListener("dragover", over);
      document.removeEventListener("dragleave", leave);
      document.removeEventListener("drop", drop);
    },
  };
}

export default mountable(create, [sheet]);
