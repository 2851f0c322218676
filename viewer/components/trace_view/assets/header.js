// @ts-check
/** Above the panes: the question as title, the roll-ups of the trace, what one can do with it, and the strip of pipeline stages. */

import { clock, compact, cost, counted, duration, grouped, jsonWords, oneLine, visible } from "./format.js";
import { ICONS, kindIcon } from "./icons.js";
import { afterPaint, h, icon, iconButton } from "./dom.js";
import { copyText } from "./copy.js";
import { fact, statusPill } from "./detail.js";
import { giveScore, isMine } from "./scores.js";
import { openMenu } from "./menu.js";
import { gist } from "./markdown.js";
import { considered, foundBy, pipelineOf, searches, STAGES, STAGE_TITLES } from "./stages.js";
import { reach, rootOf, tokensOf } from "./model.js";
import { asCurl, asPython } from "./raw.js";

/** @typedef {import("./page.js").Page} Page */

const ARMS = 6; // of one retrieval that are read to count what it found

/** @param {Page} page */
export function header(page) {
  const { trace } = page;
  const { summary } = trace;
  const kind = String(summary.root_kind ?? trace.kind[rootOf(trace)] ?? "UNKNOWN");
  const given = String(summary.input_preview ?? "");
  const asked = oneLine(jsonWords(given) ?? gist(given), 400);
  const title = asked || visible(String(summary.root_name ?? trace.name[0] ?? "Trace"));
  const running = summary.state === "running" || (trace.health.running_count ?? 0) > 0;
  return h(
    "header",
    `head k-${kind.toLowerCase()}`,
    h(
      "div",
      "title-row",
      h("span", "kind-icon large", icon(kindIcon(kind))),
      h("h1", { title }, title),
      (running || (summary.status ?? "unset") !== "unset") && statusPill(running ? "running" : String(summary.status)), // unset says nothing
      summary.verdict && h("span", { class: "verdict", title: "First failing stage" }, visible(String(summary.verdict))),
      h("span", "spacer"),
      page.store.live && thumbs(page),
      page.store.live && steps(page),
      actions(page),
    ),
    h("dl", "facts wide", facts(page, running)),
  );
}

/** @param {Page} page @param {boolean} running */
function facts(page, running) {
  const { trace } = page;
  const { summary } = trace;
  const usage = summary.usage ?? {};
  const tokens = usage.total_tokens ?? (usage.input_tokens === undefined && usage.output_tokens === undefined ? undefined : (usage.input_tokens ?? 0) + (usage.output_tokens ?? 0));
  const id = String(summary.trace_id ?? page.traceId);
  const copy = h("button", { type: "button", class: "mono copyable", title: `${id}\nCopy the trace id`, onclick: () => copyText(id, copy) }, id.slice(0, 12));
  const tooltip = [usage.input_tokens !== undefined && `input ${grouped(usage.input_tokens)}`, usage.output_tokens !== undefined && `output ${grouped(usage.output_tokens)}`, usage.cached_input_tokens && `cached ${grouped(usage.cached_input_tokens)}`, summary.embedding_tokens && `embedding ${grouped(summary.embedding_tokens)} (apart)`].filter(Boolean).join("\n");
  const models = modelsOf(trace);
  const unended = trace.state.filter((each) => each === "running").length;
  return [
    fact("Duration", running ? `${duration(trace.total)} so far` : duration(summary.duration_ns ?? trace.total)),
    fact("Spans", grouped(trace.size), unended ? `${unended} running` : null),
    summary.error_count > 0 && fact("Errors", h("button", { type: "button", class: "as-link bad", title: "Show the failed spans", onclick: () => page.onlyErrors() }, grouped(summary.error_count))),
    tokens !== undefined && fact("Tokens", grouped(tokens), null, tooltip),
    summary.cost_usd > 0 || (summary.cost_usd === 0 && !summary.unpriced) ? fact("Cost", cost(summary.cost_usd), summary.unpriced ? "at least" : null, summary.unpriced ? "A call's model has no known price" : "") : summary.unpriced ? fact("Cost", "unpriced", null, "No price is known for the models of this trace") : null,
    models.length > 0 && fact("Model", visible(String(models[0])), models.length > 1 ? `+${models.length - 1}` : null, models.join("\n")),
    summary.services?.length > 0 && fact("Service", visible(summary.services.join(", ")), summary.environment ? visible(String(summary.environment)) : null, "service · environment"),
    summary.session_id && fact("Session", sessionLink(page, String(summary.session_id))),
    summary.user_id && fact("User", visible(String(summary.user_id))),
    summary.tags?.length > 0 && fact("Tags", h("span", "tag-list", summary.tags.slice(0, 4).map((/** @type {string} */ tag) => h("span", "tag", visible(tag))), summary.tags.length > 4 && `+${summary.tags.length - 4}`)),
    fact("Started", started(summary.start_unix_nano), null, String(summary.start_time ?? "")),
    fact("Trace", copy),
    page.incoming.from.length > 0 && fact("Linked from", linkedFrom(page)),
  ];
}

/** @param {Page} page how many traces link here */
function linkedFrom(page) {
  const { from, more } = page.incoming;
  const traces = new Set(from.map((link) => link.trace_id)).size;
  return h("button", { type: "button", class: "as-link", title: "Show what links here", onclick: () => page.showLinks() }, more ? `${grouped(traces)}+ traces` : counted(traces, "trace"));
}

/** @param {string | undefined} ns today's times without the date */
function started(ns) {
  const text = clock(ns);
  return text.startsWith(clock(BigInt(Date.now()) * 1_000_000n).slice(0, 10)) ? text.slice(11) : text;
}

/** @param {import("./model.js").Trace} trace @returns {string[]} models that were called, the one with the most tokens first */
function modelsOf(trace) {
  /** @type {Map<string, number>} */
  const tokens = new Map();
  for (let i = 0; i < trace.size; i++) {
    const model = trace.model[i];
    if (model && trace.kind[i] === "LLM") tokens.set(model, (tokens.get(model) ?? 0) + (tokensOf(trace, i) ?? 0));
  }
  return [...tokens].sort((a, b) => b[1] - a[1]).map(([model]) => model);
}

/** @param {Page} page @param {string} session */
function sessionLink(page, session) {
  const short = visible(session.length > 24 ? `${session.slice(0, 22)}…` : session);
  return page.links?.session ? h("a", { class: "as-link", href: page.links.session + encodeURIComponent(session), title: visible(session) }, short) : h("span", { title: visible(session) }, short);
}

/** @param {Page} page thumbs for the whole answer: the score people give most */
function thumbs(page) {
  const given = (page.trace.summary.scores ?? []).filter((/** @type {any} */ score) => score.name === "thumbs" && isMine(score)).pop();
  const button = (/** @type {boolean} */ up) => {
    const on = given && (up ? given.value > 0.5 : given.value <= 0.5);
    const element = iconButton(up ? ICONS.thumbUp : ICONS.thumbDown, up ? "Good answer" : "Bad answer", async () => {
      try {
        const judgement = on ? { name: "thumbs" } : { name: "thumbs", value: up ? 1 : 0, label: up ? "up" : "down" };
        page.onscore(await giveScore(page, { trace_id: page.traceId }, judgement));
      } catch (error) {
        page.say(`Not saved: ${/** @type {Error} */ (error).message}`);
      }
    }, { "aria-pressed": String(Boolean(on)) });
    return element;
  };
  return h("div", "thumbs", button(true), button(false));
}

/** @param {Page} page */
function steps(page) {
  return h("div", "steps-between", iconButton(ICONS.up, "Previous trace of the list (h or [)", () => page.step(-1)), iconButton(ICONS.down, "Next trace of the list (l or ])", () => page.step(1)));
}

/** @param {Page} page */
function actions(page) {
  if (!page.store.live) return h("span", { class: "tag", title: "A saved file: everything shown is inside it" }, "saved trace");
  const link = iconButton(ICONS.link, "Copy a link to this view", () => copyText(page.linkTo(page.selectedId()), link));
  const more = iconButton(ICONS.more, "Compare, download, copy", () => openMenu(more, menu(page)), { "aria-haspopup": "menu" });
  return h("div", "actions", link, more);
}

/** @param {Page} page @returns {import("./menu.js").Item[]} */
function menu(page) {
  const id = page.traceId;
  const query = encodeURIComponent(`trace_id:${id}`);
  return [
    ...(page.links?.compare ? [{ title: "Compare with another trace", href: page.links.compare + encodeURIComponent(id) }] : []),
    ...(page.links?.html ? [{ title: "Open as a single HTML file", href: page.links.html + encodeURIComponent(id) }, { title: "Download as HTML", href: page.links.html + encodeURIComponent(id), download: `trace-${id}.html` }] : []),
    { title: "Download as OTLP JSON lines", href: `${page.api}/export?filter=${query}&format=otlp-jsonl`, download: `trace-${id}.otlp.jsonl` },
    { title: "Download as JSON", href: `${page.api}/traces/${id}`, download: `trace-${id}.json` },
    { title: "Copy trace id", act: () => copyText(id) },
    { title: "Copy as curl", act: () => copyText(asCurl(location.origin, page.api, id)) },
    { title: "Copy as Python", act: () => copyText(asPython(location.origin, id)) },
  ];
}

/**
 * What passed a stage, from the body of its last span: "8 of 40", "5 of 8", "3 of 3"; of a hybrid search what its arms found together. Empty until the body is there.
 * @param {Page} page @param {import("./stages.js").Stage} stage @param {number[]} spans
 */
function passed(page, stage, spans) {
  const box = h("b", "stage-passed");
  const { store, trace } = page;
  const arms = stage === "recall" ? searches(trace, spans.slice(-1)).slice(-ARMS) : [];
  const asked = (arms.length > 1 ? arms : spans.slice(-1)).map((i) => trace.id[i]);
  const fill = (/** @type {any[]} */ bodies) => {
    const text = bodies.length > 1 ? String(foundBy(bodies) || "") : passedText(stage, bodies[0]);
    if (text) box.textContent = text;
  };
  const known = asked.flatMap((id) => store.cached(id)?.data ?? []);
  if (known.length === asked.length) fill(known);
  else afterPaint(() => Promise.all(asked.map((id) => store.body(id))).then((bodies) => fill(bodies.map(({ data }) => data)), () => {}));
  return box;
}

/** @param {import("./stages.js").Stage} stage @param {any} span @returns {string} */
export function passedText(stage, span) {
  if (stage === "assemble") return span.placement?.length ? counted(span.placement.length, "passage") : "";
  if (stage === "cite" || stage === "generate") {
    if (span.citations?.length) return `${span.citations.filter((/** @type {any} */ each) => each.valid !== false).length} of ${span.citations.length} cited`;
    return stage === "generate" && span.usage?.output_tokens !== undefined ? `${compact(span.usage.output_tokens)} tokens` : "";
  }
  const { kept, all } = considered(span);
  return all === 0 ? "" : all > kept ? `${kept} of ${all}` : String(kept);
}

/** Marks the stage that the selected span belongs to. @param {HTMLElement} top @param {number} selected */
export function markStage(top, selected) {
  for (const cell of /** @type {NodeListOf<HTMLElement>} */ (top.querySelectorAll(".stage"))) {
    const inside = selected >= 0 && JSON.parse(cell.dataset.spans ?? "[]").some((/** @type {[number, number]} */ [from, to]) => selected >= from && selected < to);
    if (inside) cell.setAttribute("aria-current", "step");
    else cell.removeAttribute("aria-current");
  }
}

/** The pipeline of the trace, one cell per stage; a stage without a span is quiet. @param {Page} page */
export function strip(page) {
  const { trace } = page;
  const { stages, scope, retrievals } = pipelineOf(trace, rootOf(trace));
  if (![...stages.keys()].some((stage) => stage !== "generate")) return null;
  const whole = (reach(trace, scope) === trace.end[scope] && trace.duration[scope]) || trace.total || 1;
  return h(
    "nav",
    { class: "strip", "aria-label": "Stages of the pipeline" },
    STAGES.map((stage) => {
      const spans = stages.get(stage) ?? [];
      const time = spans.reduce((sum, i) => sum + trace.duration[i], 0);
      const failed = spans.some((i) => trace.status[i] === "error");
      const running = spans.some((i) => trace.state[i] === "running");
      const cell = h(
        "button",
        {
          type: "button",
          class: ["stage", spans.length ? "" : "absent", failed ? "failed" : "", running ? "running" : ""].filter(Boolean).join(" "),
          data: { stage, spans: JSON.stringify(spans.slice(-50).map((i) => [i, trace.end[i]])) },
          disabled: !spans.length,
          title: spans.length ? `${spans.map((i) => trace.name[i]).slice(0, 8).join("\n")}` : "No span of this trace is this stage",
          onclick: () => page.select(trace.id[spans[spans.length - 1]]),
        },
        icon(ICONS[stage]),
        h("span", "stage-title", STAGE_TITLES[stage]),
        h("span", "stage-facts", spans.length ? [failed && icon(ICONS.error), passed(page, stage, spans), h("span", "stage-time", running ? "running" : duration(time), spans.length > 1 && ` · ${compact(spans.length)} spans`)] : "–"),
        spans.length > 0 && h("i", { class: "stage-share", style: { width: `${Math.min(100, (time / whole) * 100)}%` } }),
      );
      return cell;
    }),
    retrievals > 1 && scope !== rootOf(trace) ? h("span", { class: "strip-note", title: `The trace holds ${retrievals} retrievals; the strip shows the last answer's` }, `last of ${counted(retrievals, "retrieval")}`) : null,
  );
}
