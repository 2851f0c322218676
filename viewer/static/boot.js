// Runs before Streamlit's front end.
// Where its server is, so that a deep link does not make it guess (a guess is a 404 in the console), and what it would ask that server
// before it connects. Its dialogs are ours to say (components/base/away.js).
window.__streamlit = {
  BACKEND_BASE_URL: `${location.origin}/`,
  HOST_CONFIG: { allowedOrigins: [location.origin], useExternalAuthToken: false, enableCustomParentMessages: false, blockErrorDialogs: true },
};

// Light or dark: Streamlit remembers what was chosen for each path; here a choice on one page is a choice for all.
(() => {
  const ours = "rightpassage.theme";
  const streamlits = `stActiveTheme-${location.pathname}-v2`;
  let chosen = null;
  try {
    chosen = localStorage.getItem(ours);
    if (chosen) localStorage.setItem(streamlits, chosen);
    const before = localStorage.getItem(streamlits);
    addEventListener("pagehide", () => {
      const now = localStorage.getItem(streamlits);
      if (now && now !== before) localStorage.setItem(ours, now);
    });
    chosen = before;
  } catch {
    // No storage here: the system decides.
  }
  const dark = chosen === '"Dark"' || (chosen !== '"Light"' && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.scheme = dark ? "dark" : "light";
})();
