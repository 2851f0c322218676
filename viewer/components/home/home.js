// @ts-check
/** Streamlit's default page has no path of its own: put the traces in its place, without a step in the history that Back would stumble on. */

import { mountable } from "../base/shell.js";

export default mountable(() => {
  history.replaceState({}, "", "/traces");
  dispatchEvent(new PopStateEvent("popstate", { state: {} }));
  return {};
}, []);
