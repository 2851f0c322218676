"""One name for each kind of step: decorator with or without parentheses, and context manager.

`retriever`, `llm` and the others are `Kind` objects. Called with a function they wrap it; called with a name or options they give a
`Step`, which wraps a function or opens a span. Everything that does not change from call to call (name, attributes, parameter names)
is worked out once, when decorating: a call then costs two clocks, an id, two dicts and one orjson call.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import AsyncGeneratorType, CoroutineType, GeneratorType, TracebackType
from typing import Any, Protocol, TypedDict, TypeVar, Unpack, cast, overload

from opentelemetry.context import attach, detach, get_current

from tracer import conventions as names
from tracer.capture import capture
from tracer.fields import MODEL_KEYS, STAGES
from tracer.lightspan import SPAN_KEY, Span, attribute_value
from tracer.recorder import KINDS, OPERATIONS, SILENT, Recorder, active, current
from tracer.safety import attempt, forgiving, known_keywords, log, safely
from tracer.secret_names import names_a_secret
from tracer.streaming import AsyncStream, Stream
from tracer.vectors import describe_vectors

F = TypeVar("F", bound="Callable[..., Any] | classmethod[Any, ..., Any] | staticmethod[..., Any]")
Reduce = Callable[[list[Any]], object]

_STREAMS = frozenset({GeneratorType, AsyncGeneratorType, CoroutineType})
_UNNAMED = object()


@dataclass(slots=True)
class Step:
    """A kind with its options: decorates a function, or opens a span as `with`."""

    kind: str
    name: str | None = None
    stage: str | None = None
    capture_input: bool = True
    capture_output: bool = True
    ignore: Iterable[str] = ()
    reduce: Reduce | None = None
    attributes: Mapping[str, Any] | None = None
    model: str | None = None
    _opened: list[Span] = field(default_factory=list["Span"])

    def __call__(self, function: F) -> F:
        """The function, traced; its signature and type stay what they are. As it was, where an option makes no sense."""
        with safely:
            return cast(F, _wrap_any(function, self))
        return function

    def __enter__(self) -> Span:
        span = self.open(self.name or self.kind.lower())
        if span is SILENT:
            return span
        span.opener = self
        self._opened.append(span)
        return span.__enter__()

    def __exit__(self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None) -> None:
        if not self._opened:  # tracing was off
            return
        with safely:
            span: Any = get_current().get(SPAN_KEY)
            if getattr(span, "opener", None) is self:  # one step may be open many times at once
                self._opened.remove(span)
            else:
                span = self._opened.pop()
            span.__exit__(exc_type, exc_val, exc_tb)

    def open(self, name: str) -> Span:
        """A started span that is not current yet; a silent one when tracing is off."""
        recorder = current.recorder if current.off else current.recorder or active()
        if recorder is not None:
            with safely:
                span = recorder.start(name, self.kind, self.first_attributes(name).copy())
                self.narrow(span)
                return span
        return SILENT

    def narrow(self, span: Span) -> None:
        span.captures_input = span.captures_input and self.capture_input
        span.captures_output = span.captures_output and self.capture_output

    def first_attributes(self, name: str) -> dict[str, Any]:
        """What every span of this step starts with."""
        known: dict[str, Any] = {names.SPAN_KIND: self.kind}
        if self.kind in OPERATIONS:
            known[names.OPERATION] = OPERATIONS[self.kind]
        if self.kind == "TOOL":
            known[names.TOOL_NAME] = name
        if self.stage is not None:
            known[names.STAGE] = self.stage
        if self.model is not None:
            known[names.REQUEST_MODEL] = known[MODEL_KEYS.get(self.kind, names.MODEL_NAME)] = self.model
        for key, value in (self.attributes or {}).items():
            known[key] = attribute_value(value)
        return known


class Options(TypedDict, total=False):
    """The keywords of a step. The name may be given by position too."""

    name: str | None
    stage: str | None
    capture_input: bool
    capture_output: bool
    ignore: Iterable[str]
    reduce: Reduce | None
    attributes: Mapping[str, Any] | None


class ModelOptions(Options, total=False):
    """Those of a step that asks a model."""

    model: str | None


class Kind:
    """`@kind`, `@kind("name", …)` and `with kind("name", …) as span`."""

    def __init__(self, kind: str, doc: str, valid: type[Options] = Options) -> None:
        self.kind = kind
        self.valid: Mapping[str, Any] = valid.__annotations__
        self.__doc__ = doc

    @overload
    def __call__(self, function: F, /, **options: Unpack[Options]) -> F: ...

    @overload
    def __call__(self, given: str | None = None, /, **options: Unpack[Options]) -> Step: ...

    def __call__(self, given: Any = None, /, **options: Any) -> Any:
        if not options.keys() <= self.valid.keys():
            options = known_keywords(repr(self)[1:-1], options, self.valid)
        if isinstance(given, str):
            options.setdefault("name", given)
        step = Step(self.kind, **options)
        _check(step)
        if given is None or isinstance(given, str):
            return step
        if callable(given) or isinstance(given, classmethod):
            return step(cast("Callable[..., Any]", given))
        log.warning("tracer.%s(%s): a name is text", self.kind.lower(), type(given).__name__)
        return step

    def __repr__(self) -> str:
        return f"<tracer.{self.kind.lower()}>"


class ModelKind(Protocol):
    """A kind of step that asks a model: `@llm(model="…")`."""

    @overload
    def __call__(self, function: F, /, **options: Unpack[ModelOptions]) -> F: ...

    @overload
    def __call__(self, given: str | None = None, /, **options: Unpack[ModelOptions]) -> Step: ...


@forgiving
def span(
    name: str,
    *,
    kind: str = "CHAIN",
    stage: str | None = None,
    capture_input: bool = True,
    capture_output: bool = True,
    ignore: Iterable[str] = (),
    reduce: Reduce | None = None,
    attributes: Mapping[str, Any] | None = None,
    model: str | None = None,
) -> Step:
    """A step whose kind is chosen at run time: `with tracer.span("route", kind="AGENT") as span`; a decorator as well."""
    known = str(kind).upper()
    if known not in KINDS:
        log.warning("unknown kind %r; known are %s", kind, ", ".join(KINDS))
        known = "UNKNOWN"
    step = Step(known, name, stage, capture_input, capture_output, ignore, reduce, attributes, model)
    _check(step)
    return step


def _check(step: Step) -> None:
    if step.name is not None and type(step.name) is not str:
        step.name = str(step.name)
    if step.stage is not None and step.stage not in STAGES:
        log.warning("unknown stage %r; known are %s", step.stage, ", ".join(STAGES))


agent = Kind("AGENT", "A step that decides which tools to call.")
chain = Kind("CHAIN", "A step that calls other steps: the whole request, or a pipeline.")
embedding = cast(ModelKind, Kind("EMBEDDING", "A step that turns text into vectors.", ModelOptions))
evaluator = Kind("EVALUATOR", "A step that judges an answer.")
guardrail = Kind("GUARDRAIL", "A step that checks input or output.")
llm = cast(ModelKind, Kind("LLM", "A step that asks a language model.", ModelOptions))
prompt = Kind("PROMPT", "A step that assembles a prompt.")
reranker = cast(ModelKind, Kind("RERANKER", "A step that reorders or filters passages.", ModelOptions))
retriever = Kind("RETRIEVER", "A step that finds passages for a query.")
tool = Kind("TOOL", "A step that does something for an agent.")


# ---- What a call was given ----


class Arguments:
    """Names the arguments of calls to one function, as its signature does, without binding it at every call."""

    __slots__ = ("default", "ignored", "names", "positional", "single", "skipped", "spread")

    def __init__(self, function: Callable[..., Any], ignore: Iterable[str], *, single: bool) -> None:
        self.ignored = frozenset((ignore,) if isinstance(ignore, str) else ignore)
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            parameters = [inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL)]
        plain = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self.skipped = 1 if plain and plain[0].name in ("self", "cls") else 0
        self.names = tuple(p.name for p in plain)[self.skipped :]
        self.spread = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
        self.single = single and not any(names_a_secret(name) for name in self.names)  # a secret is known by its name

    def given(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
        """The arguments by name; the argument itself when there is just one."""
        if self.skipped:
            args = args[self.skipped :]
        if not kwargs and len(args) == 1 and self.single and self.names and self.names[0] not in self.ignored:
            return args[0]
        named = dict(zip(self.names, args))  # noqa: B905  (the rest goes to *args)
        if len(args) > len(self.names):
            named[self.spread or "args"] = args[len(self.names) :]
        if kwargs:
            named.update(kwargs)
        if self.ignored:
            for name in self.ignored:
                named.pop(name, None)
        if self.single and len(named) == 1:
            return next(iter(named.values()))
        return named if named else _UNNAMED


# ---- The four shapes of functions ----


def _wrap_any(function: Any, step: Step) -> Any:
    if isinstance(function, (classmethod, staticmethod)):
        known = cast("staticmethod[..., Any]", function)
        return type(known)(_wrap(known.__func__, step))
    return _wrap(function, step)


def _wrap(function: Callable[..., Any], step: Step) -> Callable[..., Any]:
    traced = _Traced(function, step)
    kind = next((shape for fits, shape in _SHAPES if fits(_inner(function))), _plain)
    wrapper = kind(function, traced)
    functools.update_wrapper(wrapper, function)
    if not inspect.isfunction(function):
        _keep_methods(wrapper, function)
    return wrapper


def _keep_methods(wrapper: Callable[..., Any], function: Callable[..., Any]) -> None:
    """What else one calls on it: `cache_clear` of a cached function, `invoke` of a runnable."""
    for name in dir(type(function)):
        if not name.startswith("_") and not hasattr(wrapper, name):
            method = attempt(getattr, function, name, default=None)
            if callable(method):
                setattr(wrapper, name, method)


def _inner(function: Any) -> Any:
    """The function whose code tells the shape: below `functools.partial`, or the `__call__` of an object."""
    while isinstance(function, functools.partial):
        function = cast("functools.partial[Any]", function).func
    if not inspect.isroutine(function) and not inspect.isclass(function) and hasattr(function, "__call__"):  # noqa: B004  (we want the method)
        return function.__call__
    return function


_RESULTS = frozenset({names.OUTPUT_VALUE, names.DOCUMENTS})  # a step that set one of these has told its result; candidates are not it


class _Traced:
    """What a wrapped function needs at every call."""

    __slots__ = ("arguments", "first", "name", "records_input", "records_output", "reduce", "step", "vectors")

    def __init__(self, function: Callable[..., Any], step: Step) -> None:
        self.step = step
        self.name = step.name or getattr(function, "__name__", None) or getattr(_inner(function), "__name__", None) or "step"
        if self.name == "__call__":
            self.name = type(function).__name__
        self.first = step.first_attributes(self.name)
        self.arguments = Arguments(function, step.ignore, single=step.kind != "TOOL")
        self.records_input, self.records_output = step.capture_input, step.capture_output
        self.reduce = step.reduce
        self.vectors = step.kind == "EMBEDDING"

    def start(self, recorder: Recorder, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Span:
        span = recorder.start(self.name, self.step.kind, self.first.copy())
        if span.recording and recorder.captures and self.records_input:
            given = self.arguments.given(args, kwargs)
            if given is not _UNNAMED:
                span.attributes_[names.INPUT_VALUE] = capture(given, recorder.value_limit)
        elif not self.records_input:
            span.captures_input = False
        if not self.records_output:
            span.captures_output = False
        return span

    def finish(self, span: Span, result: Any) -> None:
        """Records the result, unless the step did so itself, and ends the span."""
        if span.captures_output and span.recording and result is not None and _RESULTS.isdisjoint(span.attributes_):
            with safely:
                if self.vectors:
                    describe_vectors(span, result)
                else:
                    span.attributes_[names.OUTPUT_VALUE] = capture(result, span.value_limit)
        span.end()


def _plain(function: Callable[..., Any], traced: _Traced) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        recorder = current.recorder or active()
        if recorder is None:
            return function(*args, **kwargs)
        span = None
        with safely:
            span = traced.start(recorder, args, kwargs)
        if span is None:
            return function(*args, **kwargs)
        token = attach(span.context)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            detach(token)
            span.close(error)
            raise
        detach(token)
        if type(result) in _STREAMS and not any(result is given for given in (*args, *kwargs.values())):
            return _continued(result, span, traced)
        traced.finish(span, result)
        return result

    return call


def _coroutine(function: Callable[..., Any], traced: _Traced) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        recorder = current.recorder or active()
        if recorder is None:
            return await function(*args, **kwargs)
        span = None
        with safely:
            span = traced.start(recorder, args, kwargs)
        if span is None:
            return await function(*args, **kwargs)
        token = attach(span.context)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            if get_current() is span.context:
                detach(token)
            span.close(error)
            raise
        if get_current() is span.context:
            detach(token)
        traced.finish(span, result)
        return result

    return call


def _generator(function: Callable[..., Any], traced: _Traced) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        source = function(*args, **kwargs)
        recorder = current.recorder or active()
        if recorder is None:
            return source
        return _stream(Stream, source, recorder, traced, args, kwargs)

    return call


def _async_generator(function: Callable[..., Any], traced: _Traced) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        source = function(*args, **kwargs)
        recorder = current.recorder or active()
        if recorder is None:
            return source
        return _stream(AsyncStream, source, recorder, traced, args, kwargs)

    return call


def _stream(shape: Any, source: Any, recorder: Recorder, traced: _Traced, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The source, traced from its first step on: arguments and context are those of the call, the clock starts with the work."""
    with safely:
        given = traced.arguments.given(args, kwargs) if recorder.captures and traced.records_input else _UNNAMED
        captured = capture(given, recorder.value_limit) if given is not _UNNAMED else None
        context = get_current()

        def start() -> Span:
            attributes = traced.first.copy()
            if captured is not None:
                attributes[names.INPUT_VALUE] = captured
            span = recorder.start(traced.name, traced.step.kind, attributes, context)
            traced.step.narrow(span)
            return span

        return shape(source, start, traced.reduce)
    return source


def _continued(result: Any, span: Span, traced: _Traced) -> Any:
    """A plain function that returned a generator or a coroutine: its span goes on until that is done."""
    if type(result) is GeneratorType:
        return Stream(result, lambda: span, traced.reduce)
    if type(result) is AsyncGeneratorType:
        return AsyncStream(result, lambda: span, traced.reduce)

    async def awaited() -> Any:
        token = attach(span.context)
        try:
            value = await result
        except BaseException as error:
            if get_current() is span.context:
                detach(token)
            span.close(error)
            raise
        if get_current() is span.context:
            detach(token)
        traced.finish(span, value)
        return value

    return awaited()


_SHAPES: tuple[tuple[Callable[[Any], bool], Callable[[Callable[..., Any], _Traced], Callable[..., Any]]], ...] = (
    (inspect.isasyncgenfunction, _async_generator),
    (inspect.isgeneratorfunction, _generator),
    (inspect.iscoroutinefunction, _coroutine),
)
