"""A conversation with the bot: what a message in a thread sets off, the same in the chat page, in Slack and in the terminal.

A thread is a session: each question is one trace with the thread's id as `session.id`. Messages that begin with `/` are commands to the
chat itself. Feedback is stored with the message and passed on to the collector as a score, at once, or as soon as it can be reached.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import tracer
from collector.client import CollectorClient
from collector.errors import RightPassageError
from demo_rag_bot.answer import Answer
from demo_rag_bot.bot import STANDARD, Bot, Options, Say, silent
from demo_rag_bot.faults import FAULTS, broken, known, labelled
from demo_rag_bot.index import Index
from demo_rag_bot.settings import Library
from demo_rag_bot.threads import Body, Feedback, ThreadStore, new_id, now

CHANNELS = {
    "docs-help": "Questions about the documentation",
    "debugging": "Break it, find it: practise with the faults",
    "random": "Everything else",
}
REASONS = ("wrong page", "not what I asked", "incomplete", "not true", "wrong citation", "should have known", "out of date")
NOTICE = "Answers come from the documentation only. Do not post secrets or personal data: every message is recorded."
MAX_QUESTION = 4000  # characters; what is longer is cut, and the user told so


class Conversations:
    """The threads of one bot. Safe to share between threads of execution."""

    def __init__(
        self,
        library: Library,
        index: Index,
        store: ThreadStore,
        *,
        options: Options = STANDARD,
        faults: Iterable[str] = (),
        collector: CollectorClient | None = None,
    ) -> None:
        self.library, self.store, self.collector = library, store, collector
        self.bot = Bot.on(index, library.endpoint, options)
        self._faults = known(faults)
        self._sending = threading.Lock()

    # ---- Faults ----

    @property
    def faults(self) -> frozenset[str]:
        return self._faults

    def switch_faults(self, names: Iterable[str]) -> None:
        """Exactly these faults from now on."""
        self._faults = known(names)

    # ---- Messages ----

    def say(
        self,
        thread_id: str,
        text: str,
        *,
        user: str,
        channel: str = "docs-help",
        on_message: Callable[[Body], None] = lambda body: None,
        on_text: Say = silent,
        seeded_at: str | None = None,
    ) -> Body:
        """Store a user's message, answer it, store the answer; returns the answer's Message. `seeded_at` backdates a made-up history."""
        text = text.strip()[:MAX_QUESTION]
        self.store.open_thread(thread_id, channel=channel, user=user, seeded=seeded_at is not None, created=seeded_at)
        earlier = self.store.questions(thread_id)
        message = {"id": new_id(), "thread_id": thread_id, "role": "user", "user": user, "created": seeded_at or now(), "text": text}
        on_message(self.store.add_message(thread_id, message))
        if text.startswith("/"):
            reply = self._command(thread_id, text, user, earlier, on_text)
        else:
            reply = self._answer(thread_id, text, user, earlier, self.bot.options, on_text)
        return self.store.add_message(thread_id, {**reply, "created": seeded_at or reply["created"]})

    def _answer(self, thread_id: str, question: str, user: str, earlier: Sequence[str], options: Options, say: Say) -> Body:
        started = time.perf_counter()
        bot = broken(replace(self.bot, options=options), self.library, self._faults, question)
        with tracer.session(thread_id), tracer.user(user), labelled(self._faults):
            answer = bot.ask(question, earlier, say=say)
        return {**_bot_message(thread_id), **answer_body(answer), "duration_ms": round((time.perf_counter() - started) * 1000)}

    # ---- Commands ----

    def _command(self, thread_id: str, text: str, user: str, earlier: Sequence[str], say: Say) -> Body:
        name, *words = text[1:].split()
        commands: Mapping[str, Callable[[], Body | str]] = {
            "faults": lambda: "\n".join(
                f"- `{fault.name}` {'**on**' if fault.name in self._faults else 'off'}: {fault.description}" for fault in FAULTS.values()
            ),
            "fault": lambda: self._switch(words),
            "explain": lambda: self._explain(thread_id),
            "retry": lambda: self._retry(thread_id, words, user, earlier, say),
            "help": lambda: "Commands: `/faults`, `/fault NAME on|off`, `/explain`, `/retry k=10`",
        }
        run = commands.get(name)
        try:
            done = run() if run else f"Unknown command `/{name}`; known are {', '.join('`/' + known + '`' for known in commands)}."
        except ValueError as error:
            done = str(error)
        if isinstance(done, str):
            say(done)
            return {**_bot_message(thread_id), "text": done}
        return done

    def _switch(self, words: Sequence[str]) -> str:
        if len(words) != 2 or words[1] not in ("on", "off"):
            raise ValueError("Say `/fault NAME on` or `/fault NAME off`; `/faults` lists them.")
        names = known([words[0]])
        self._faults = self._faults | names if words[1] == "on" else self._faults - names
        return f"Fault `{words[0]}` is {words[1]}."

    def _explain(self, thread_id: str) -> str:
        answers = [body for body in self.store.thread(thread_id)["messages"] if body.get("documents")]
        if not answers:
            raise ValueError("There is no answer to explain yet.")
        last = answers[-1]
        rows = [f"{one['rank']}. {one['link']} ({one['score']:.3f}){' cited' if one['cited'] else ''}" for one in last["documents"]]
        return f"Searched for: {last['query']}\n\n" + "\n".join(rows) + (f"\n\n{last['trace_url']}" if last.get("trace_url") else "")

    def _retry(self, thread_id: str, words: Sequence[str], user: str, earlier: Sequence[str], say: Say) -> Body:
        if not earlier:
            raise ValueError("There is no question to ask again yet.")
        k = self.bot.options.k
        for word in words:
            found = re.fullmatch(r"k=(\d{1,2})", word)
            if not found or not 1 <= int(found[1]) <= 50:
                raise ValueError(f"`{word}`? Say `/retry` or `/retry k=10`, with k from 1 to 50.")
            k = int(found[1])
        return self._answer(thread_id, earlier[-1], user, earlier[:-1], replace(self.bot.options, k=k), say)

    # ---- Feedback ----

    def give_feedback(self, feedback: Feedback) -> Body:
        """Store it, pass it on; returns the message with its feedback."""
        message = self.store.message(feedback.message_id)
        if message["role"] != "bot":
            raise ValueError("feedback is for the bot's messages")
        if feedback.source and feedback.source not in {one["link"] for one in message.get("sources", ())}:
            raise ValueError(f"{feedback.source!r} is not a source of this message")
        self.store.give_feedback(replace(feedback, created=now()))
        self.send_feedback()
        return self.store.message(feedback.message_id)

    def send_feedback(self) -> None:
        """Pass on what the collector has not got yet; what it cannot take now waits for the next time."""
        if self.collector is None:
            return
        with self._sending:
            for feedback in self.store.unsent_feedback():
                trace_id = self.store.message(feedback.message_id).get("trace_id")
                try:
                    if trace_id:
                        self.collector.score(
                            f"source:{feedback.source}" if feedback.source else "thumbs",
                            value=feedback.value,
                            label=feedback.reason if feedback.value is not None else None,
                            trace_id=trace_id,
                            annotator_id=feedback.user,
                        )
                except RightPassageError:
                    return
                self.store.mark_sent(feedback)


def _bot_message(thread_id: str) -> Body:
    return {"id": new_id(), "thread_id": thread_id, "role": "bot", "user": "docs-bot", "created": now()}


def answer_body(answer: Answer) -> dict[str, Any]:
    """An Answer in the form of docs/bot.md (Message)."""
    cited = {citation.document_id for citation in answer.citations}
    links = dict.fromkeys(answer.sources)
    described = {candidate.passage.link: candidate.passage for candidate in reversed(answer.documents)}
    return {
        "text": answer.text,
        "query": answer.query,
        "citations": [{"marker": c.marker, "document_id": c.document_id, "link": c.link, "valid": c.valid} for c in answer.citations],
        "sources": [
            {"link": link, "source": described[link].source, "title": described[link].title, "heading": described[link].heading}
            for link in links
            if link in described
        ],
        "documents": [
            {
                "id": candidate.passage.id,
                "source": candidate.passage.source,
                "title": candidate.passage.title,
                "heading": candidate.passage.heading,
                "link": candidate.passage.link,
                "content": candidate.passage.text,
                "score": candidate.score,
                "rank": rank,
                "cited": candidate.passage.id in cited,
                "placed": candidate.passage.id in answer.placed,
            }
            for rank, candidate in enumerate(answer.documents, 1)
        ],
        "abstained": answer.abstained,
        "failed": answer.failed,
        "offline": answer.offline,
        "trace_id": answer.trace_id,
        "trace_url": answer.trace_url,
    }
