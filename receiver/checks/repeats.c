/* The same call with the same input, again and again: the commonest way in which an agent goes in circles. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks/checks.h"

enum { STEPS_MAX = 4096, SLOTS = 8192, OFTEN = 3, REPORTED_MAX = 10, NAME_MAX_CHARS = 200 };

struct call {
    const char *kind; /* NULL: an empty slot */
    const char *name;
    size_t name_length;
    const char *input;
    size_t input_length;
    unsigned count;
};

static uint64_t add(uint64_t h, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    return h;
}

/* A call of a tool or of a model, with the input that was recorded of it; false when there is nothing to compare. */
static bool read_call(inf_json_value step, struct call *out)
{
    inf_json_value call;
    *out = (struct call){.kind = "tool"};
    if (inf_json_get(step, "tool_call", &call) &&
        inf_json_get_string(call, "tool_name", &out->name, &out->name_length)) {
        if (!inf_json_get_string(call, "input_summary", &out->input, &out->input_length))
            inf_json_get_string(step, "input_preview", &out->input, &out->input_length);
    } else if (inf_json_get(step, "llm_call", &call) &&
               inf_json_get_string(call, "model", &out->name, &out->name_length)) {
        out->kind = "model";
        inf_json_get_string(step, "input_preview", &out->input, &out->input_length);
    }
    return out->name && out->input && out->input_length > 0;
}

static void note(struct call *table, const struct call *call)
{
    uint64_t h =
        add(add(UINT64_C(14695981039346656037), call->name, call->name_length), call->input, call->input_length);
    for (h ^= h >> 31;; h++) { /* half of the slots stay empty */
        struct call *at = &table[h % SLOTS];
        if (!at->kind)
            *at = *call;
        if (at->kind == call->kind && at->name_length == call->name_length && at->input_length == call->input_length &&
            memcmp(at->name, call->name, call->name_length) == 0 &&
            memcmp(at->input, call->input, call->input_length) == 0) {
            at->count++;
            return;
        }
    }
}

void inf_check_repeats(inf_check_report *report, inf_json_value root)
{
    inf_json_value steps;
    struct call call;
    unsigned calls = 0, reported = 0;
    if (!inf_json_get(root, "steps", &steps) || inf_json_type(steps) != INF_JSON_ARRAY)
        return;
    struct call *table = calloc(SLOTS, sizeof *table);
    if (!table)
        return;
    inf_json_iterator i = inf_json_iterate(steps);
    for (int n = 0; n < STEPS_MAX && inf_json_next(&i); n++) {
        if (!read_call(i.value, &call))
            continue;
        calls++;
        note(table, &call);
    }
    for (int n = 0; n < SLOTS && reported < REPORTED_MAX; n++) {
        char detail[400];
        if (table[n].count < OFTEN)
            continue;
        reported++;
        snprintf(detail, sizeof detail, "The %s %.*s was called %u times with the same input.", table[n].kind,
                 (int)(table[n].name_length < NAME_MAX_CHARS ? table[n].name_length : NAME_MAX_CHARS), table[n].name,
                 table[n].count);
        inf_check_put(report, "repeats", "Repeated calls", INF_CHECK_WARN, table[n].input,
                      table[n].input_length < 300 ? table[n].input_length : 300, detail,
                      "the other calls of this trace");
    }
    free(table);
    if (calls > 0 && reported == 0)
        inf_check_put(report, "repeats", "Repeated calls", INF_CHECK_PASS, NULL, 0,
                      "No call was made three times with the same input.", "the other calls of this trace");
}
