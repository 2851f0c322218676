// Tells Streamlit's front end where its server is, so that a deep link does not make it guess (a guess is a 404 in the console).
window.__streamlit = { BACKEND_BASE_URL: `${location.origin}/` };
