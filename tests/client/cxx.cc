// The public headers as C++17: they compile without a warning, scopes end with their blocks, exceptions are recorded
// and go on.
#include "infinium.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace
{

inf_client *client;
char *thrown_json;

enum class colour : unsigned char { red = 3 };

struct pair {
    int a, b;
};

[[maybe_unused]] const inf_options defaults = INF_OPTIONS_INIT;
[[maybe_unused]] const inf_trace_options trace_defaults = INF_TRACE_OPTIONS_INIT;

} // namespace

INF_TRACED(client, "Thrower", int, cxx_thrower, (int, depth), (const char *, text), (colour, c), (pair, p))
{
    (void)c, (void)p;
    if (depth > 0)
        return cxx_thrower(depth - 1, text, c, p) + 1;
    inf_context_get(); // no harm: the trace takes its lock from here on
    throw std::runtime_error(text);
}

static INF_TRACED_VOID(client, "Throws a number", cxx_throws_number)
{
    throw 42;
}

static INF_TRACED(client, "Sum", long, cxx_sum, (long, a), (const long &, b))
{
    return a + b;
}

enum large : unsigned long long { largest = 0xffffffffffffffffull };

static INF_TRACED(client, "Moved", int, cxx_moved, (std::unique_ptr<int>, p), (colour, c), (large, l))
{
    (void)c, (void)l;
    char *json = inf_trace_json(inf_current(), 0, nullptr);
    const bool good = json && std::strstr(json, "\\\"c\\\": 250, \\\"l\\\": 18446744073709551615");
    std::free(json);
    return good ? *p : 0;
}

// 0, or the line that went wrong.
extern "C" int functions_in_cxx(inf_client *use)
{
    client = use;
    pair p{1, 2};
    if (cxx_moved(std::make_unique<int>(7), static_cast<colour>(250), largest) != 7)
        return __LINE__; // enumerations are read as what they are made of; what can only be moved is
    if (cxx_sum(2, 3) != 5)
        return __LINE__;
    try {
        cxx_thrower(1, "went wrong", colour::red, p);
        return __LINE__;
    } catch (const std::runtime_error &) {
    }
    if (inf_current())
        return __LINE__;
    try {
        cxx_throws_number();
        return __LINE__;
    } catch (int) {
    }
    if (inf_current())
        return __LINE__;
    try {
        INF_TRACE(client, "scope")
        {
            INF_STEP("step", "that is left by an exception")
            {
                inf_step_input("%d", 1);
                throw 1;
            }
        }
        return __LINE__;
    } catch (int) {
    }
    inf_trace *t = inf_trace_begin(nullptr, "kept");
    try {
        INF_STEP("s", "d")
        {
            throw 1;
        }
    } catch (int) {
    }
    thrown_json = inf_trace_end_json(t, 0, nullptr);
    return inf_current() ? __LINE__ : 0;
}

// JSON of a trace in which a step was left by an exception; the caller frees it.
extern "C" char *json_of_cxx(void)
{
    return thrown_json;
}

extern "C" int trace_in_cxx(inf_client *use)
{
    for (int i = 0; i < 2; i++) {
        INF_TRACE(use, "from C++")
        {
            inf_input("%s", "text");
            if (i == 1)
                return inf_current() != nullptr;
        }
    }
    return 0;
}
