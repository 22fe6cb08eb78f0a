from types import TracebackType
from typing import Any, Iterable, Mapping, Optional, Type, Union

from ._base import BaseClient, FlushResult
from .types import ApiResponse, BatchResult, HealthCheck, PromptContent, TaskData

class InfiniumClient(BaseClient):
    def flush(self, timeout: Optional[float] = None) -> FlushResult: ...
    def close(self, timeout: Optional[float] = ...) -> FlushResult: ...
    def __enter__(self) -> InfiniumClient: ...
    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc_val: Optional[BaseException],
        exc_tb: Optional[TracebackType],
    ) -> None: ...
    def send_task(
        self,
        name: str,
        description: str,
        duration: float,
        current_datetime: Optional[str] = None,
        **kwargs: Any,
    ) -> ApiResponse: ...
    def send_task_data(self, task_data: TaskData) -> ApiResponse: ...
    def send_tasks_batch(
        self, tasks: Iterable[TaskData], max_concurrent: int = 5, fail_fast: bool = False
    ) -> BatchResult: ...
    def get_interpreted_task_result(self, task_id: str) -> ApiResponse: ...
    def wait_for_interpretation(
        self, trace_id: str, timeout: float = 120.0, poll_interval: float = 3.0
    ) -> ApiResponse: ...
    def score(
        self, trace_id: str, name: str, value: float, comment: Optional[str] = None
    ) -> ApiResponse: ...
    def get_prompt(
        self,
        prompt_id: str,
        prompt_key: str,
        version: Union[int, str] = "latest",
        variables: Optional[Mapping[str, Any]] = None,
        *,
        use_cache: bool = True,
    ) -> PromptContent: ...
    def test_connection(self) -> HealthCheck: ...
    @staticmethod
    def get_current_iso_datetime() -> str: ...
    @staticmethod
    def create_task_data(
        name: str,
        description: str,
        duration: float,
        current_datetime: Optional[str] = None,
        **sections: Any,
    ) -> TaskData: ...
