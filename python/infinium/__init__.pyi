from . import integrations as integrations
from . import tracing as tracing
from . import types as types
from . import utils as utils
from .async_client import AsyncInfiniumClient as AsyncInfiniumClient
from .builder import StepContext as StepContext
from .builder import TraceBuilder as TraceBuilder
from .client import InfiniumClient as InfiniumClient
from .exceptions import InfiniumError as InfiniumError
from .exceptions import AuthenticationError as AuthenticationError
from .exceptions import ValidationError as ValidationError
from .exceptions import RateLimitError as RateLimitError
from .exceptions import NetworkError as NetworkError
from .exceptions import InfiniumTimeoutError as InfiniumTimeoutError
from .exceptions import TimeoutError as TimeoutError
from .exceptions import ServerError as ServerError
from .exceptions import NotFoundError as NotFoundError
from .exceptions import BatchError as BatchError
from .exceptions import ConfigurationError as ConfigurationError
from .integrations import watch as watch
from .integrations import unwatch as unwatch
from .integrations import OpenAIInstrumentor as OpenAIInstrumentor
from .integrations import AnthropicInstrumentor as AnthropicInstrumentor
from .integrations import GoogleInstrumentor as GoogleInstrumentor
from ._threads import carry_context as carry_context
from ._current import current_trace as current_trace
from .tracing import async_trace_agent as async_trace_agent
from .tracing import trace_agent as trace_agent
from .types import ApiResponse as ApiResponse
from .types import BatchResult as BatchResult
from .types import Content as Content
from .types import Customer as Customer
from .types import Development as Development
from .types import EnvironmentContext as EnvironmentContext
from .types import ErrorDetail as ErrorDetail
from .types import ExecutionStep as ExecutionStep
from .types import Executive as Executive
from .types import ExpectedOutcome as ExpectedOutcome
from .types import General as General
from .types import LlmCall as LlmCall
from .types import LlmUsage as LlmUsage
from .types import Marketing as Marketing
from .types import Project as Project
from .types import PromptContent as PromptContent
from .types import Research as Research
from .types import Sales as Sales
from .types import Support as Support
from .types import TaskData as TaskData
from .types import TimeTracking as TimeTracking
from .types import ToolCall as ToolCall
from .utils import get_current_iso_datetime as get_current_iso_datetime
from .utils import validate_iso_datetime as validate_iso_datetime
from .utils import validate_duration as validate_duration
from .utils import validate_path_id as validate_path_id
from .utils import validate_string_length as validate_string_length
from .utils import validate_payload_size as validate_payload_size
from .utils import coerce_section as coerce_section
from .utils import setup_logging as setup_logging
from .utils import MAX_NAME_LENGTH as MAX_NAME_LENGTH
from .utils import MAX_DESCRIPTION_LENGTH as MAX_DESCRIPTION_LENGTH
from .utils import MAX_STRING_LENGTH as MAX_STRING_LENGTH
from .utils import MAX_PAYLOAD_SIZE as MAX_PAYLOAD_SIZE

__version__: str
__author__: str
__email__: str
__description__: str
EXIT_TIMEOUT: float
