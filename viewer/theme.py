"""The look as Streamlit configuration: one palette for both modes, dense type, our own fonts, nothing sent home.

Passed in code, so a wheel works from an empty folder and no `.streamlit/config.toml` of the user's can turn usage statistics on or move the
server. Component style sheets take the same colours from Streamlit's CSS variables; the kinds' hues live in `components/base/base.css`.
"""

from __future__ import annotations

from typing import Any

SANS = "Inter, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', sans-serif"
MONO = "'JetBrains Mono', ui-monospace, 'SF Mono', Menlo, Consolas, monospace"

FONT_FACES = (
    {"family": "Inter", "url": "inter-latin-wght-normal.woff2", "weight": "100 900", "style": "normal"},
    {"family": "Inter", "url": "inter-latin-wght-italic.woff2", "weight": "100 900", "style": "italic"},
    {"family": "JetBrains Mono", "url": "jetbrains-mono-latin-wght-normal.woff2", "weight": "100 800", "style": "normal"},
)

LIGHT = {
    "primaryColor": "#5b5bd6",
    "backgroundColor": "#ffffff",
    "secondaryBackgroundColor": "#f7f8fa",
    "textColor": "#1a1f2b",
    "borderColor": "#e3e6ec",
    "linkColor": "#4a4ac4",
    "codeBackgroundColor": "#f7f8fa",
    "dataframeHeaderBackgroundColor": "#f7f8fa",
}
DARK = {
    "primaryColor": "#8b8bf5",
    "backgroundColor": "#0e1117",
    "secondaryBackgroundColor": "#161b24",
    "textColor": "#e4e8f0",
    "borderColor": "#2a313d",
    "linkColor": "#a3a3f8",
    "codeBackgroundColor": "#161b24",
    "dataframeHeaderBackgroundColor": "#161b24",
}
SHARED = {
    "font": SANS,
    "headingFont": SANS,
    "codeFont": MONO,
    "baseFontSize": 14,
    "codeFontSize": "0.8125rem",
    "headingFontWeights": [600, 600, 600, 600, 600, 600],
    "baseRadius": "0.5rem",
    "buttonRadius": "0.5rem",
    "showWidgetBorder": True,
    "metricValueFontSize": "1.25rem",
}
SERVER = {
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "type",
    "client.showErrorLinks": False,
    "client.toolbarMode": "minimal",
    "global.developmentMode": False,
    "logger.hideWelcomeMessage": True,
    "runner.postScriptGC": False,  # a full collection after each run cost 80-95 ms; app.py freezes the warm heap instead
    "server.enableAgentApi": False,
    "server.enableStaticServing": False,
    "server.fileWatcherType": "none",
    "server.headless": True,
}


def options(font_prefix: str) -> dict[str, Any]:
    """Every configuration option by its dotted name; `font_prefix` is the URL path the font files are served under."""
    faces = [{**face, "url": f"{font_prefix}/{face['url']}"} for face in FONT_FACES]
    return (
        SERVER
        | {f"theme.{name}": value for name, value in SHARED.items()}
        | {"theme.fontFaces": faces}
        | {f"theme.light.{name}": value for name, value in LIGHT.items()}
        | {f"theme.dark.{name}": value for name, value in DARK.items()}
    )
