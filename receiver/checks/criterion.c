/* See criterion.h. What is understood, in this order: a bound with a unit ("at most 30 seconds", "under $0.05", "no
 * more than 200 words", "at least 3 tool calls"), valid JSON, a quoted text that must or must not be there, the absence
 * of errors. Nothing else is guessed at. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "checks/criterion.h"

enum { TEXT_BYTES = 2001 };

struct reading {
    char lower[TEXT_BYTES];
    const inf_check_facts *facts;
    char *detail;
    size_t detail_size;
    char *with;
    size_t with_size;
};

/* ---- bounds ---- */

struct bound {
    const char *words;
    bool upper;
    bool strict;
};

static const struct bound bounds[] = {
    {"no more than ", true, false},
    {"not more than ", true, false},
    {"at most ", true, false},
    {"no longer than ", true, false},
    {"not exceed ", true, false},
    {"less than ", true, true},
    {"fewer than ", true, true},
    {"up to ", true, false},
    {"maximum of ", true, false},
    {"maximum ", true, false},
    {"max ", true, false},
    {"within ", true, false},
    {"under ", true, true},
    {"below ", true, true},
    {"<= ", true, false},
    {"<=", true, false},
    {"< ", true, true},
    {"<", true, true},
    {"at least ", false, false},
    {"no less than ", false, false},
    {"no fewer than ", false, false},
    {"minimum of ", false, false},
    {"more than ", false, true},
    {">=", false, false},
};

enum quantity { SECONDS, TOKENS, DOLLARS, WORDS, CHARACTERS, LLM_CALLS, TOOL_CALLS, STEPS };

struct unit {
    const char *name;
    enum quantity quantity;
    double scale;
};

static const struct unit units[] = {
    {"milliseconds", SECONDS, 0.001},
    {"millisecond", SECONDS, 0.001},
    {"ms", SECONDS, 0.001},
    {"seconds", SECONDS, 1},
    {"second", SECONDS, 1},
    {"secs", SECONDS, 1},
    {"sec", SECONDS, 1},
    {"s", SECONDS, 1},
    {"minutes", SECONDS, 60},
    {"minute", SECONDS, 60},
    {"mins", SECONDS, 60},
    {"min", SECONDS, 60},
    {"hours", SECONDS, 3600},
    {"hour", SECONDS, 3600},
    {"tokens", TOKENS, 1},
    {"token", TOKENS, 1},
    {"usd", DOLLARS, 1},
    {"dollars", DOLLARS, 1},
    {"dollar", DOLLARS, 1},
    {"cents", DOLLARS, 0.01},
    {"cent", DOLLARS, 0.01},
    {"words", WORDS, 1},
    {"word", WORDS, 1},
    {"characters", CHARACTERS, 1},
    {"chars", CHARACTERS, 1},
    {"llm calls", LLM_CALLS, 1},
    {"llm call", LLM_CALLS, 1},
    {"model calls", LLM_CALLS, 1},
    {"tool calls", TOOL_CALLS, 1},
    {"tool call", TOOL_CALLS, 1},
    {"steps", STEPS, 1},
    {"step", STEPS, 1},
};

static const char *const quantity_names[] = {
    "the duration",        "the tokens",         "the cost", "the output's words", "the output's characters",
    "the calls of models", "the calls of tools", "the steps"};

/* "1,200.5"; *end is behind it. False when there is no number. */
static bool read_number(const char *at, double *out, const char **end)
{
    char digits[32];
    size_t n = 0;
    for (; *at && n + 1 < sizeof digits && (isdigit((unsigned char)*at) || *at == '.' || *at == ','); at++)
        if (*at != ',')
            digits[n++] = *at;
    while (n > 0 && digits[n - 1] == '.')
        n--;
    digits[n] = 0;
    *end = at;
    *out = strtod(digits, NULL);
    return n > 0 && isdigit((unsigned char)digits[0]);
}

static const struct unit *read_unit(const char *at, bool dollar)
{
    static const struct unit dollars = {"usd", DOLLARS, 1};
    at += strspn(at, " -");
    for (size_t i = 0; !dollar && i < sizeof units / sizeof units[0]; i++) {
        size_t n = strlen(units[i].name);
        if (strncmp(at, units[i].name, n) == 0 && !isalnum((unsigned char)at[n]))
            return &units[i];
    }
    return dollar ? &dollars : NULL;
}

static int64_t count_words(const char *text)
{
    int64_t n = *text != 0;
    for (; *text; text++)
        n += *text == ' ';
    return n;
}

/* False when the trace does not say. */
static bool measure(const inf_check_facts *f, enum quantity quantity, double *out)
{
    switch (quantity) {
    case SECONDS:
        *out = f->duration_s;
        return true;
    case TOKENS:
        *out = (double)f->prompt_tokens + (double)f->completion_tokens;
        return *out > 0;
    case DOLLARS:
        *out = (double)f->cost_nano_usd / 1e9;
        return f->cost_nano_usd >= 0;
    case WORDS:
        *out = (double)count_words(f->words);
        return f->output_length > 0 && !f->output_cut;
    case CHARACTERS:
        *out = (double)inf_utf8_count(f->output, f->output_length);
        return f->output_length > 0 && !f->output_cut;
    case LLM_CALLS:
        *out = (double)f->llm_calls;
        return true;
    case TOOL_CALLS:
        *out = (double)f->tool_calls;
        return true;
    case STEPS:
        *out = (double)f->steps;
        return true;
    }
    return false;
}

static void show(enum quantity quantity, double value, char out[INF_CHECK_DURATION_SIZE])
{
    if (quantity == SECONDS)
        inf_check_duration(value, out);
    else if (quantity == DOLLARS)
        snprintf(out, INF_CHECK_DURATION_SIZE, "$%.4g", value);
    else
        snprintf(out, INF_CHECK_DURATION_SIZE, "%.0f", value);
}

static bool holds(double value, const struct bound *b, double limit)
{
    if (b->upper)
        return b->strict ? value < limit : value <= limit;
    return b->strict ? value > limit : value >= limit;
}

static bool check_bound(struct reading *r, enum inf_check_status *status)
{
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        const char *at = strstr(r->lower, bounds[i].words), *end;
        double limit, value;
        char is[INF_CHECK_DURATION_SIZE], may[INF_CHECK_DURATION_SIZE];
        if (!at || (at > r->lower && isalnum((unsigned char)at[-1])))
            continue;
        at += strlen(bounds[i].words);
        bool dollar = *at == '$';
        if (!read_number(at + dollar, &limit, &end))
            continue;
        const struct unit *unit = read_unit(end, dollar);
        if (!unit)
            continue;
        limit *= unit->scale;
        snprintf(r->with, r->with_size, "%s", quantity_names[unit->quantity]);
        if (!measure(r->facts, unit->quantity, &value)) {
            *status = INF_CHECK_NOT_CHECKED;
            snprintf(r->detail, r->detail_size, "It is about %s, which this trace does not tell%s.",
                     quantity_names[unit->quantity], r->facts->output_cut ? " in full" : "");
            return true;
        }
        *status = holds(value, &bounds[i], limit) ? INF_CHECK_PASS : INF_CHECK_FAIL;
        show(unit->quantity, value, is);
        show(unit->quantity, limit, may);
        snprintf(r->detail, r->detail_size, "Checked: %s, %s %s. It was %s.", quantity_names[unit->quantity],
                 bounds[i].upper ? (bounds[i].strict ? "less than" : "at most")
                                 : (bounds[i].strict ? "more than" : "at least"),
                 may, is);
        return true;
    }
    return false;
}

/* ---- JSON ---- */

/* Also out of a Python text's repr(), which is how a traced function's result is recorded. */
static bool is_json(const char *text, size_t length)
{
    inf_json *parser = inf_json_new();
    inf_json_value root;
    if (!parser)
        return false;
    bool good = inf_json_parse(parser, text, length, 0, &root) == 0 && inf_json_type(root) >= INF_JSON_ARRAY;
    if (!good && length > 2 && (text[0] == '\'' || text[0] == '"') && text[length - 1] == text[0]) {
        char *inner = malloc(length);
        size_t n = 0;
        for (size_t i = 1; inner && i + 1 < length; i++) {
            if (text[i] == '\\' && i + 2 < length) {
                char c = text[++i];
                if (c == 'n' || c == 't' || c == 'r')
                    inner[n++] = ' ';
                else
                    inner[n++] = c;
            } else {
                inner[n++] = text[i];
            }
        }
        good = inner && inf_json_parse(parser, inner, n, 0, &root) == 0 && inf_json_type(root) >= INF_JSON_ARRAY;
        free(inner);
    }
    inf_json_free(parser);
    return good;
}

static bool check_json(struct reading *r, enum inf_check_status *status)
{
    if (!strstr(r->lower, "json") || strstr(r->lower, "no json") || strstr(r->lower, "not json") ||
        !(strstr(r->lower, "valid") || strstr(r->lower, "output") || strstr(r->lower, "return") ||
          strstr(r->lower, "answer") || strstr(r->lower, "format")))
        return false;
    snprintf(r->with, r->with_size, "the output as JSON");
    if (r->facts->output_length == 0) {
        *status = INF_CHECK_FAIL;
        snprintf(r->detail, r->detail_size, "The trace has no output.");
    } else if (r->facts->output_cut) {
        *status = INF_CHECK_NOT_CHECKED;
        snprintf(r->detail, r->detail_size, "What was kept of the output ends early.");
    } else {
        bool good = is_json(r->facts->output, r->facts->output_length);
        *status = good ? INF_CHECK_PASS : INF_CHECK_FAIL;
        snprintf(r->detail, r->detail_size,
                 good ? "The output is a JSON object or array." : "The output is no JSON object or array.");
    }
    return true;
}

/* ---- a quoted text ---- */

static bool denied(const char *before, size_t length)
{
    static const char *const words[] = {"not ", "never ", "no ", "without ", "avoid ", "n't ", "exclude"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *at = strstr(before, words[i]);
        if (at && (size_t)(at - before) < length)
            return true;
    }
    return false;
}

static bool find_quoted(const char *text, const char **from, size_t *length)
{
    static const char quotes[] = "\"`'";
    for (const char *at = text; (at = strpbrk(at, quotes)); at++) {
        if (*at == '\'' && at > text && isalnum((unsigned char)at[-1]))
            continue; /* an apostrophe */
        const char *end = strchr(at + 1, *at);
        if (end && end > at + 1) {
            *from = at + 1;
            *length = (size_t)(end - at - 1);
            return true;
        }
    }
    return false;
}

static bool has_text(const char *output, size_t output_length, const char *text, size_t length)
{
    for (size_t i = 0; i + length <= output_length; i++) {
        size_t n = 0;
        while (n < length && tolower((unsigned char)output[i + n]) == text[n])
            n++;
        if (n == length)
            return true;
    }
    return false;
}

static bool check_quoted(struct reading *r, enum inf_check_status *status)
{
    static const char *const verbs[] = {"contain", "include", "mention", "have", "has ", "say", "use", "with"};
    const char *text;
    size_t length;
    bool verb = false;
    if (!find_quoted(r->lower, &text, &length))
        return false;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        const char *at = strstr(r->lower, verbs[i]);
        verb |= at && at < text;
    }
    if (!verb)
        return false;
    bool wanted = !denied(r->lower, (size_t)(text - r->lower));
    bool there = has_text(r->facts->output, r->facts->output_length, text, length);
    snprintf(r->with, r->with_size, "the output");
    *status = there == wanted ? INF_CHECK_PASS : INF_CHECK_FAIL;
    if (!there && r->facts->output_cut)
        *status = INF_CHECK_NOT_CHECKED; /* it may be in the rest */
    snprintf(r->detail, r->detail_size, "Checked: the output %s \"%.*s\". %s", wanted ? "has" : "does not have",
             (int)(length < 200 ? length : 200), text,
             there                  ? "It is there."
             : r->facts->output_cut ? "It is not in what was kept of the output."
                                    : "It is not there.");
    return true;
}

/* ---- errors ---- */

static bool check_errors(struct reading *r, enum inf_check_status *status)
{
    if (!strstr(r->lower, "no error") && !strstr(r->lower, "without error") && !strstr(r->lower, "without any error") &&
        !strstr(r->lower, "must not fail") && !strstr(r->lower, "without failing"))
        return false;
    *status = r->facts->well ? INF_CHECK_PASS : INF_CHECK_FAIL;
    snprintf(r->with, r->with_size, "how the trace ended");
    snprintf(r->detail, r->detail_size, r->facts->well ? "The trace ended well." : "The trace did not end well.");
    return true;
}

enum inf_check_status inf_criterion_check(const char *text, size_t length, const inf_check_facts *facts, char *detail,
                                          size_t detail_size, char *with, size_t with_size)
{
    struct reading r = {
        .facts = facts, .detail = detail, .detail_size = detail_size, .with = with, .with_size = with_size};
    enum inf_check_status status = INF_CHECK_NOT_CHECKED;
    with[0] = 0;
    length = length < TEXT_BYTES ? length : TEXT_BYTES - 1;
    for (size_t i = 0; i < length; i++)
        r.lower[i] = (char)tolower((unsigned char)text[i]);
    if (check_bound(&r, &status) || check_json(&r, &status) || check_quoted(&r, &status) || check_errors(&r, &status))
        return status;
    snprintf(detail, detail_size, "There is nothing in it that can be counted; it takes a judge.");
    return INF_CHECK_NOT_CHECKED;
}
