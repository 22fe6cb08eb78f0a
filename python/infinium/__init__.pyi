from .async_client import AsyncInfiniumClient as AsyncInfiniumClient
from .builder import StepContext as StepContext
from .builder import TraceBuilder as TraceBuilder
from .client import InfiniumClient as InfiniumClient
from .exceptions import *
from .integrations import unwatch as unwatch
from .integrations import watch as watch
from .integrations._context import current_trace as current_trace
from .tracing import async_trace_agent as async_trace_agent
from .tracing import trace_agent as trace_agent
from .types import *
from .utils import MAX_DESCRIPTION_LENGTH as MAX_DESCRIPTION_LENGTH
from .utils import MAX_NAME_LENGTH as MAX_NAME_LENGTH
from .utils import MAX_PAYLOAD_SIZE as MAX_PAYLOAD_SIZE
from .utils import MAX_STRING_LENGTH as MAX_STRING_LENGTH
from .utils import coerce_section as coerce_section
from .utils import get_current_iso_datetime as get_current_iso_datetime
from .utils import setup_logging as setup_logging
from .utils import validate_duration as validate_duration
from .utils import validate_iso_datetime as validate_iso_datetime
from .utils import validate_path_id as validate_path_id
from .utils import validate_payload_size as validate_payload_size
from .utils import validate_string_length as validate_string_length

__version__: str
EXIT_TIMEOUT: float
