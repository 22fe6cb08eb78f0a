from contextvars import ContextVar, Token
from typing import Any, Callable, Dict, FrozenSet, List, Optional, Tuple, Union

from .types import TaskData

from .types import CapturedLlmCall, CapturedPromptFetch, TaskData

VERSION: str
TAGS: Dict[str, int]
context_var: ContextVar[Optional[TraceContext]]

class TraceContext:
    calls: List[CapturedLlmCall]
    prompts: List[CapturedPromptFetch]
    @property
    def trace_id(self) -> Optional[str]: ...
    @property
    def parent_id(self) -> Optional[str]: ...
    @property
    def recording(self) -> bool: ...
    def __init__(self, calls: List[CapturedLlmCall] = ..., prompts: List[CapturedPromptFetch] = ...) -> None: ...
    def elapsed_ns(self) -> int: ...
    def json(self) -> Optional[str]: ...
    @property
    def silent(self) -> bool: ...
    @property
    def mask(self) -> Optional[Callable[[str], str]]: ...
    @property
    def mask_secrets(self) -> bool: ...
    def record(self, fields: List[Any], /) -> bool: ...
    def output_is_set(self) -> None: ...
    def record_llm_call(self, call: Dict[str, Any], /) -> bool: ...
    def add_unsettled(self, item: Any, /) -> bool: ...
    def remove_unsettled(self, item: Any, /) -> None: ...

class Client:
    secret: str
    mask_secrets: bool
    @property
    def closed(self) -> bool: ...
    def __init__(
        self,
        agent_id: Optional[str],
        agent_secret: Optional[str],
        base_url: Optional[str],
        timeout: float,
        requests_per_second: float,
        user_agent: Optional[str],
        verify_ssl: bool,
        journal_memory: bool,
        journal_max_bytes: int,
        journal_dir: Optional[str],
        mask_secrets: bool = ...,
    ) -> None: ...
    def flush(self, timeout: Optional[float], /) -> Dict[str, int]: ...
    def stats(self) -> Dict[str, int]: ...
    def close(self, timeout: Optional[float], /) -> Dict[str, int]: ...

class Traced:
    last_trace: Optional[TaskData]
    def __init__(
        self,
        wrapped: Callable[..., Any],
        client: Optional[Client],
        name: str,
        description: str,
        function: str,
        kind: int,
        keep: bool,
        *,
        mask_secrets: bool = ...,
        capture_input: bool = ...,
        capture_output: bool = ...,
        mask: Optional[Callable[[str], str]] = ...,
        rules: Optional[bytes] = ...,
        ignore: Optional[FrozenSet[str]] = ...,
        tags: Optional[Tuple[str, ...]] = ...,
        metadata: Optional[str] = ...,
        session_id: Optional[str] = ...,
        user_id: Optional[str] = ...,
        sample: Union[None, float, Callable[..., Any]] = ...,
        on_trace: Optional[Callable[[TaskData], Any]] = ...,
    ) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

def shutdown(seconds: Optional[float], /) -> None: ...
def capture(object: Any, chars: int, /) -> str: ...
def reset(token: Token[Any], /) -> None: ...
def is_secret_name(name: str, /) -> bool: ...
def mask_text(text: str, /) -> str: ...
