from types import TracebackType
from typing import Any, Dict, List, Optional, Type, Union

from .types import ErrorDetail, LlmUsage, TaskData

class StepContext:
    def __init__(self, step_number: int, action: str, description: str) -> None: ...
    def set_input(self, preview: str) -> StepContext: ...
    def set_output(self, preview: str) -> StepContext: ...
    def record_tool_call(
        self,
        tool_name: str,
        *,
        duration_ms: Optional[int] = None,
        input_summary: Optional[str] = None,
        output_summary: Optional[str] = None,
        http_status: Optional[int] = None,
        error: Optional[ErrorDetail] = None,
    ) -> StepContext: ...
    def record_llm_call(
        self,
        model: str,
        *,
        provider: Optional[str] = None,
        prompt_tokens: Optional[int] = None,
        completion_tokens: Optional[int] = None,
        latency_ms: Optional[int] = None,
        temperature: Optional[float] = None,
        purpose: Optional[str] = None,
    ) -> StepContext: ...
    def set_metadata(self, metadata: Dict[str, Any]) -> StepContext: ...
    def __enter__(self) -> StepContext: ...
    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc_val: Optional[BaseException],
        exc_tb: Optional[TracebackType],
    ) -> None: ...

class TraceBuilder:
    def __init__(self, name: str, description: str) -> None: ...
    def set_input_summary(self, summary: str) -> TraceBuilder: ...
    def set_output_summary(self, summary: str) -> TraceBuilder: ...
    def set_expected_outcome(
        self,
        task_objective: str,
        *,
        required_deliverables: Optional[List[str]] = None,
        constraints: Optional[List[str]] = None,
        acceptance_criteria: Optional[List[str]] = None,
    ) -> TraceBuilder: ...
    def set_environment(
        self,
        *,
        framework: Optional[str] = None,
        framework_version: Optional[str] = None,
        python_version: Optional[str] = None,
        runtime: Optional[str] = None,
        region: Optional[str] = None,
        custom_tags: Optional[Dict[str, str]] = None,
    ) -> TraceBuilder: ...
    def set_llm_usage(self, llm_usage: Union[LlmUsage, Dict[str, Any]]) -> TraceBuilder: ...
    def set_section(self, name: str, value: Any) -> TraceBuilder: ...
    def add_error(self, error: ErrorDetail) -> TraceBuilder: ...
    def step(self, action: str, description: str) -> StepContext: ...
    def build(self) -> TaskData: ...
