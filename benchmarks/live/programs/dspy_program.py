"""DSPy modules, traced by OpenInference or OpenTelemetry."""

import sys

import world

provider = world.provider()

import dspy  # noqa: E402

if "genai" in sys.argv:
    from opentelemetry.instrumentation.genai.dspy import DSPyInstrumentor
else:
    from openinference.instrumentation.dspy import DSPyInstrumentor

DSPyInstrumentor().instrument(tracer_provider=provider)
if "litellm" in sys.argv:
    from openinference.instrumentation.litellm import LiteLLMInstrumentor

    LiteLLMInstrumentor().instrument(tracer_provider=provider)


def model(name=world.CHAT):
    return dspy.LM(f"openai/{name}", api_base=f"{world.MODEL_URL}/v1", api_key="sk-local", num_retries=0, cache=False, temperature=0.2)


class Rag(dspy.Module):
    def __init__(self):
        super().__init__()
        self.answer = dspy.ChainOfThought("context, question -> answer")

    def forward(self, question):
        return self.answer(context=[d["content"] for d in world.DOCUMENTS[:2]], question=question)


if sys.argv[1] == "rag":
    dspy.configure(lm=model())
    world.expect("Rag.forward", kind="chain", input_contains=world.QUESTION, output_contains="Paris is the capital of France.")
    print(Rag()(question=world.QUESTION).answer)
else:
    dspy.configure(lm=model(world.BROKEN))
    world.fails(Rag(), question=world.QUESTION)
provider.shutdown()
