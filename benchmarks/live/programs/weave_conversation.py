"""A conversation with a tool, recorded with W&B Weave's Conversation SDK; it writes to the tracer provider that is set."""

import json

import world

provider = world.provider()

from weave.conversation import (  # noqa: E402
    Message,
    TextPart,
    ToolCallPart,
    Usage,
    start_conversation,
)

client = world.openai_client()
ASKED = "What is the weather in Paris?"


def call(turn, messages, shown):
    """One recorded model call: what was said, and Weave's form of it."""
    with turn.llm(model=world.CHAT, provider_name="openai", system_instructions=["Be brief."]) as llm:
        answer = client.chat.completions.create(
            model=world.CHAT, messages=[{"role": "system", "content": "Be brief."}, *messages], tools=[world.TOOL]
        )
        said = answer.choices[0].message
        parts = [ToolCallPart(id=c.id, name=c.function.name, arguments=c.function.arguments) for c in said.tool_calls or []]
        told = Message(role="assistant", parts=parts or [TextPart(content=said.content)])
        usage = Usage(
            input_tokens=answer.usage.prompt_tokens,
            output_tokens=answer.usage.completion_tokens,
            total_tokens=answer.usage.total_tokens,
            cache_read_input_tokens=answer.usage.prompt_tokens_details.cached_tokens,
            reasoning_tokens=answer.usage.completion_tokens_details.reasoning_tokens,
        )
        llm.record(
            input_messages=shown,
            output_messages=[told],
            usage=usage,
            response_id=answer.id,
            response_model=answer.model,
            finish_reasons=[answer.choices[0].finish_reason],
        )
    return said, told


with (
    start_conversation(agent_name="weather_agent", model=world.CHAT, conversation_id="sess-42") as conversation,
    conversation.start_turn(user_message=ASKED) as turn,
):
    messages, shown = [{"role": "user", "content": ASKED}], [Message(role="user", content=ASKED)]
    said, told = call(turn, messages, shown)
    messages.append({"role": "assistant", "tool_calls": [c.model_dump() for c in said.tool_calls]})
    shown.append(told)
    for wanted in said.tool_calls:
        with turn.tool(name=wanted.function.name, arguments=wanted.function.arguments, tool_call_id=wanted.id) as tool:
            tool.result = world.get_weather(**json.loads(wanted.function.arguments))
        messages.append({"role": "tool", "tool_call_id": wanted.id, "content": tool.result})
        shown.append(Message(role="tool", tool_call_id=wanted.id, content=tool.result))
    said, told = call(turn, messages, shown)
    turn.record(output_messages=[told])
world.expect("*weather_agent*", kind="agent", input_contains=ASKED, output_contains="It is 18 degrees and sunny in Paris.")
world.expect_trace(session_id="sess-42")
provider.shutdown()
