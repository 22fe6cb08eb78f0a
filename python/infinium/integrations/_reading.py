"""What an answer, or the pieces of a streamed one, add up to: the same for all vendors. Adapters derive from Reading."""

from ._call import OUTPUT_PREVIEW, cut

_MAX_TOOLS = 64
_MAX_ARGUMENTS = 500  # characters of one tool call's arguments, shown with capture_content only


class Reading:
    """Writes into `call.data`. `capture`: whether previews are kept."""

    def __init__(self, call, capture):
        self.data = call.data
        self.capture = capture
        self._parts = []
        self._length = 0
        self._reasons = {}
        self._tools = {}  # key: [id, name, pieces of the arguments]

    def finish_reason(self, key, reason):
        """`key` orders the reasons: the choice's number."""
        if isinstance(reason, str) and reason:
            self._reasons[key] = reason
            self.data["finish_reasons"] = [self._reasons[each] for each in sorted(self._reasons)]

    def output(self, piece):
        """The next piece of the answer's text."""
        if self.capture and isinstance(piece, str) and piece and self._length <= OUTPUT_PREVIEW:
            self._parts.append(piece)
            self._length += len(piece)
            self._show()

    def tool_call(self, key, identity=None, name=None, arguments=None):
        """A tool that the model asks for, or a piece of it: what is None is not known from this piece."""
        tool = self._tools.get(key)
        if tool is None:
            if len(self._tools) >= _MAX_TOOLS:
                return
            tool = self._tools[key] = [None, None, ""]
        if isinstance(identity, str) and identity:
            tool[0] = identity[:200]
        if isinstance(name, str) and name:
            tool[1] = name[:200]
        if self.capture and isinstance(arguments, str) and len(tool[2]) <= _MAX_ARGUMENTS:
            tool[2] += arguments
        self.data["tool_calls"] = [
            {member: value for member, value in (("id", each[0]), ("name", each[1])) if value is not None}
            for each in self._tools.values()
        ]
        self._show()

    def _show(self):
        if not self.capture:
            return
        lines = ["".join(self._parts)] if self._parts else []
        lines += [f"[tool_call] {name}({cut(arguments, _MAX_ARGUMENTS)})" for _, name, arguments in self._tools.values()]
        self.data["output_preview"] = cut("\n".join(lines), OUTPUT_PREVIEW)
