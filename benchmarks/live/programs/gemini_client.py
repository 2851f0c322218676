"""Google's Gen AI client; argument 2 names the instrumentation."""

import sys

import world

provider = world.provider()
logs = world.log_provider()
if sys.argv[2] == "openinference":
    from openinference.instrumentation.google_genai import GoogleGenAIInstrumentor as Instrumentor
elif sys.argv[2] == "openllmetry":
    from opentelemetry.instrumentation.google_generativeai import GoogleGenerativeAiInstrumentor as Instrumentor
else:
    from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor as Instrumentor
Instrumentor().instrument(tracer_provider=provider)

from google import genai  # noqa: E402
from google.genai import types  # noqa: E402

client = genai.Client(api_key="local", http_options=types.HttpOptions(base_url=world.MODEL_URL))
MODEL = "gemini-2.5-flash"


def tools():
    config = types.GenerateContentConfig(system_instruction="Be brief.", temperature=0.2, tools=[world.get_weather])
    print(client.models.generate_content(model=MODEL, contents="What is the weather in Paris?", config=config).text)


def stream():
    for _ in client.models.generate_content_stream(model=MODEL, contents=world.QUESTION):
        pass


def error():
    world.fails(client.models.generate_content, model=world.BROKEN, contents=world.QUESTION)


{"tools": tools, "stream": stream, "error": error}[sys.argv[1]]()
provider.shutdown()
logs.shutdown()
